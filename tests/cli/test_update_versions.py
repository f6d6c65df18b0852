"""`update-versions` writes versions into a checkout: only these, in every place, all or none."""

import json
import subprocess
from pathlib import Path

import pytest

from .conftest import World, entry_point

# Many starts of the command, which add up: `make test` runs them, `make unit` does not.
pytestmark = pytest.mark.toolchain
CARRIERS = {
    "Cargo.lock",
    "Cargo.toml",
    "VERSION",
    "tasker-cli/Cargo.toml",
    "tasker-client/Cargo.toml",
    "tasker-orchestration/Cargo.toml",
    "tasker-pgmq/Cargo.toml",
    "tasker-shared/Cargo.toml",
    "tasker-worker/Cargo.toml",
    "workers/python/Cargo.toml",
    "workers/ruby/ext/tasker_core/Cargo.toml",
    "workers/ruby/lib/tasker_core/version.rb",
    "workers/rust/Cargo.toml",
}


def modified(world: World) -> set[str]:
    return set(world.git("diff", "--name-only").splitlines())


def test_the_cores_version_reaches_every_file_that_carries_it_and_nothing_is_committed(world: World) -> None:
    head = world.git("rev-parse", "HEAD")
    ended = world.release("update-versions", "--core", "0.1.9")
    assert (ended.status, ended.errors) == (0, "")
    assert ended.output.splitlines()[0] == "core 0.1.0 -> 0.1.9"
    assert set(ended.output.splitlines()[1:]) == {"ruby 0.1.0", "python 0.1.0", "typescript 0.1.0"} | {
        f"  {path}" for path in CARRIERS
    }
    assert modified(world) == CARRIERS
    assert (world.source / "VERSION").read_text() == "0.1.9\n"
    # The bindings keep their own versions, and follow the crates by their pins.
    assert 'version = "0.1.0"' in (world.source / "workers/python/pyproject.toml").read_text()
    assert '"=0.1.9"' in (world.source / "workers/python/Cargo.toml").read_text()
    assert world.git("rev-parse", "HEAD") == head
    assert world.release("update-versions", "--core", "0.1.9").output.endswith(
        "Nothing to change: all files say these versions.\n"
    )


def test_each_binding_is_written_as_its_registry_writes_it_and_only_own_lock_entries_change(world: World) -> None:
    wanted = [part for name in ("ruby", "python", "typescript") for part in (f"--{name}", "0.2.0-rc.1")]
    assert world.release("update-versions", *wanted).status == 0
    for path, text in (
        ("workers/ruby/Gemfile.lock", "tasker-rb (0.2.0.rc.1)"),
        ("workers/python/pyproject.toml", 'version = "0.2.0rc1"'),
        ("workers/typescript/package.json", '"version": "0.2.0-rc.1"'),
    ):
        assert text in (world.source / path).read_text()
    added = [line for line in world.git("diff", "-U0", "--", "*.lock").splitlines() if line.startswith("+ ")]
    assert added == ["+    tasker-rb (0.2.0.rc.1)"]
    assert world.git("diff", "--numstat", "--", "workers/python/uv.lock").split()[:2] == ["1", "1"]


def test_a_dry_run_is_a_diff_that_git_applies_to_the_same_end(world: World) -> None:
    before = world.holds()
    (world.source / "VERSION").write_text("0.1.0")  # without a line's end, which a diff has to tell
    dry = world.release("update-versions", "--core", "0.1.9", "--python", "0.1.9", "--dry-run")
    assert (dry.status, dry.errors) == (0, "")
    assert {**world.holds(), "VERSION": b"0.1.0\n"} == before
    assert "\x1b" not in dry.output
    patch = world.folder / "patch"
    patch.write_text(dry.output)
    world.git("apply", str(patch))
    applied = world.holds()
    assert applied["VERSION"].startswith(b"0.1.9")
    world.git("checkout", "--quiet", ".")
    (world.source / "VERSION").write_text("0.1.0")
    assert world.release("update-versions", "--core", "0.1.9", "--python", "0.1.9").status == 0
    assert world.holds() == applied


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--core", "0.1.9.0"], 2, "'0.1.9.0' is not a SemVer version with three parts"),
        (["--core", "v0.1.9"], 2, "'v0.1.9' is not a SemVer version"),
        (["--core", "0.1.9", "--ruby", "0.1.9+build"], 2, "build metadata"),
        (["--core", "0.1.9", "--python", "0.2.0-preview.1"], 1, "PyPI has no equal of the pre-release 'preview.1'"),
        (["--core", "0.1.9", "--ruby", "0.2.0-1"], 1, "RubyGems has no equal"),
        ([], 2, "name at least one version"),
        (["--dry-run"], 2, "name at least one version"),
    ],
)
def test_an_illegal_version_is_refused_before_anything_is_written(
    world: World, arguments: list[str], status: int, said: str
) -> None:
    before = world.holds()
    ended = world.release("update-versions", *arguments)
    assert (ended.status, ended.output) == (status, "")
    assert said in ended.errors
    assert "Traceback" not in ended.errors
    assert world.holds() == before


def test_what_calculate_versions_prints_can_be_given_back(out: World) -> None:
    out.commit("workers/ruby/README.md", "\nMore.\n")
    values = out.release("calculate-versions").values
    given = [f"--{name}={values[f'NEXT_{name.upper()}_VERSION']}" for name in ("core", "ruby", "python")]
    assert out.release("update-versions", *given).status == 0
    assert modified(out) == {
        "Cargo.lock",
        "workers/ruby/Gemfile.lock",
        "workers/ruby/ext/tasker_core/Cargo.toml",
        "workers/ruby/lib/tasker_core/version.rb",
    }


def test_other_changes_in_the_same_file_stay_and_so_do_modes_and_line_ends(world: World) -> None:
    package = world.source / "workers/typescript/package.json"
    package.write_bytes(
        package.read_bytes().replace(b"\n", b"\r\n").replace(b'"version"', b'"private": false, "version"')
    )
    package.chmod(0o755)
    before = package.read_bytes()
    assert world.release("update-versions", "--typescript", "0.1.9").status == 0
    assert package.read_bytes() == before.replace(b'"version": "0.1.0"', b'"version": "0.1.9"')
    assert package.stat().st_mode & 0o777 == 0o755


def test_where_one_file_cannot_be_written_none_is(world: World) -> None:
    """The program's own folders of a file's new text are its neighbours': one that can't be made stops all."""
    before = world.holds()
    script = """
import os, sys
replace, count = os.replace, [0]
def failing(*paths):
    count[0] += 1
    if count[0] == 5:
        raise OSError(28, "No space left on device", str(paths[1]))
    replace(*paths)
os.replace = failing
from tasker_release_pipeline.cli import main
main()
"""
    done = subprocess.run(
        [entry_point("python"), "-c", script, "update-versions", "--core", "0.1.9"],
        cwd=world.source,
        env=world.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "nothing was changed" in done.stderr
    assert world.holds() == before


def test_programs_get_json(world: World) -> None:
    said = json.loads(world.release("update-versions", "--ruby", "0.1.9", "--json", "--dry-run").output)
    assert said["versions"]["ruby"] == {"from": "0.1.0", "to": "0.1.9"}
    assert "workers/ruby/Gemfile.lock" in said["files"]
    assert said["written"] is False
    assert modified(world) == set()


def test_a_component_that_the_manifest_has_not_is_wrong_usage(world: World, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "tasker_release_pipeline/manifests/tasker.toml").read_text()
    crates, _, rest = text.partition("[components.ruby]")
    rest = rest.partition("# --- registries")[2]
    packages = rest.split("[[packages]]")
    own = [packages[0], *(p for p in packages[1:] if 'component = "core"' in p)]
    mine = tmp_path / "crates.toml"
    mine.write_text(crates + "# --- registries" + "[[packages]]".join(own))
    ended = world.release("update-versions", "--ruby", "0.1.9", "--manifest", str(mine))
    assert ended.status == 2
    assert "--ruby: the manifest tasker has no such component" in ended.errors
