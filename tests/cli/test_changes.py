"""`detect-changes` and `calculate-versions`: what they print, and who can read it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.pipeline.conftest import git

from .conftest import World, entry_point

# Each of these starts a web server or two, which adds up: `make test` runs them, `make unit` does not.
asks_registries = pytest.mark.toolchain
DETECTED = [
    "CHANGES_BASE_REF",
    "FFI_CORE_CHANGED",
    "SERVER_CORE_CHANGED",
    "CORE_CHANGED",
    "RUBY_CHANGED",
    "PYTHON_CHANGED",
    "TYPESCRIPT_CHANGED",
]
CALCULATED = [
    *DETECTED,
    "CURRENT_CORE_VERSION",
    "NEXT_CORE_VERSION",
    "NEXT_RUBY_VERSION",
    "NEXT_PYTHON_VERSION",
    "NEXT_TYPESCRIPT_VERSION",
]


def changed(values: dict[str, str]) -> set[str]:
    return {key.removesuffix("_CHANGED").lower() for key, value in values.items() if value == "true"}


def test_changes_are_told_from_the_last_release_tag(world: World) -> None:
    ended = world.release("detect-changes")
    assert (ended.status, ended.errors) == (0, "")
    assert list(ended.values) == DETECTED
    assert ended.values["CHANGES_BASE_REF"] == "release-20260101-0900"
    assert changed(ended.values) == {"ffi_core", "server_core", "core", "python"}
    assert set(ended.values.values()) == {"release-20260101-0900", "true", "false"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tasker-worker/README.md", {"ffi_core", "core"}),
        ("tasker-client/README.md", {"server_core", "core"}),
        ("workers/ruby/README.md", {"ruby"}),
        ("workers/typescript/README.md", {"typescript"}),
        ("README.md", set()),
    ],
)
def test_each_folder_is_a_change_of_its_own_part(out: World, path: str, expected: set[str]) -> None:
    out.commit(path, "\nMore.\n")
    assert changed(out.release("detect-changes").values) == expected


def test_a_base_can_be_named_by_option_and_by_environment(world: World) -> None:
    base = world.git("rev-parse", "HEAD~1")
    assert changed(world.release("detect-changes", "--from", base).values) == set()
    named = world.release("detect-changes", TASKER_RELEASE_FROM_REF="HEAD~3").values
    assert named["CHANGES_BASE_REF"] == world.git("rev-parse", "HEAD~3")
    assert changed(named) == {"python"}
    # What is named on the command line wins.
    assert changed(world.release("detect-changes", "--from", base, TASKER_RELEASE_FROM_REF="HEAD~3").values) == set()


def test_a_base_that_there_is_not_is_one_message(world: World) -> None:
    ended = world.release("detect-changes", "--from", "v9.9.9")
    assert (ended.status, ended.output) == (1, "")
    assert ended.errors.startswith("Error: from_ref 'v9.9.9': ")
    assert ended.errors.count("\n") == 1


def test_the_tag_on_the_commit_itself_is_no_base(world: World) -> None:
    for tag in ("v0.1.1", "release-20260301-0300"):
        world.git("tag", tag)
    ended = world.release("detect-changes")
    assert ended.values["CHANGES_BASE_REF"] == "release-20260101-0900"
    assert "core" in changed(ended.values)


def test_without_any_tag_everything_changed_and_the_base_is_empty(world: World) -> None:
    world.git("tag", "--delete", "v0.1.0", "release-20260101-0900")
    values = world.release("detect-changes").values
    assert values["CHANGES_BASE_REF"] == ""
    assert changed(values) == {"ffi_core", "server_core", "core", "ruby", "python", "typescript"}


def test_a_prepared_tree_changed_only_where_more_than_versions_differ(out: World) -> None:
    out.commit("workers/ruby/README.md", "\nMore.\n")
    assert out.release("update-versions", "--core", "0.1.1", "--ruby", "0.1.1").status == 0
    out.git("commit", "--quiet", "--all", "--message", "Release")
    assert changed(out.release("detect-changes").values) == {"ruby"}


def test_uncommitted_changes_do_not_count(out: World) -> None:
    out.commit("README.md", "\nMore.\n")
    (out.source / "tasker-cli" / "README.md").write_text("changed\n")
    assert changed(out.release("detect-changes").values) == set()


def test_a_shallow_clone_is_refused_with_the_way_out(world: World) -> None:
    clone = world.folder / "clone"
    git(world.folder, "clone", "--quiet", "--depth=1", f"file://{world.source}", str(clone))
    ended = world.release("detect-changes", "--source", str(clone))
    assert ended.status == 1
    assert "git fetch --unshallow --tags" in ended.errors


def test_the_source_is_the_repository_of_the_working_directory_unless_it_is_named(out: World) -> None:
    out.commit("README.md", "\nMore.\n")
    inside = out.source / "workers" / "ruby"
    assert out.release("detect-changes", cwd=inside).status == 0
    named = out.release("detect-changes", "--source", "source", cwd=out.folder)
    assert named.output == out.release("detect-changes", cwd=out.folder, TASKER_RELEASE_SOURCE=str(out.source)).output
    assert named.values["CHANGES_BASE_REF"] == "release-20260101-0900"
    nowhere = out.release("detect-changes", cwd=out.folder)
    assert nowhere.status == 1
    assert "--source" in nowhere.errors


def test_another_manifest_is_another_workspace(out: World) -> None:
    ended = out.release("detect-changes", "--manifest", "taskre")
    assert ended.status == 1
    assert "tasker, tasker-ctl" in ended.errors


# --- versions ---------------------------------------------------------------------------------------------------------


@asks_registries
def test_a_change_of_the_ffi_core_is_a_next_version_of_everything(world: World) -> None:
    world.publish("0.1.0")
    ended = world.release("calculate-versions")
    assert (ended.status, ended.errors) == (0, "")
    assert list(ended.values) == CALCULATED
    assert ended.values["CURRENT_CORE_VERSION"] == "0.1.0"
    assert {value for key, value in ended.values.items() if key.startswith("NEXT_")} == {"0.1.1"}


@asks_registries
def test_what_did_not_change_is_unchanged(out: World) -> None:
    assert {v for key, v in out.release("calculate-versions").values.items() if key.startswith("NEXT_")} == {
        "unchanged"
    }
    out.commit("workers/ruby/README.md", "\nMore.\n")
    values = out.release("calculate-versions").values
    assert values["NEXT_RUBY_VERSION"] == "0.1.1"
    assert values["NEXT_CORE_VERSION"] == values["NEXT_PYTHON_VERSION"] == "unchanged"


@asks_registries
def test_no_number_is_given_twice(out: World) -> None:
    out.publish("0.1.1", "tasker-rb", text="from another branch")
    out.commit("workers/ruby/README.md", "\nMore.\n")
    assert out.release("calculate-versions").values["NEXT_RUBY_VERSION"] == "0.1.2"


@asks_registries
def test_a_registry_that_cannot_be_asked_is_an_error_that_names_it(out: World) -> None:
    ordered = out.release("faults", "--root", str(out.registries), "rubygems:read:503:always")
    assert ordered.status == 0
    ended = out.release("calculate-versions")
    assert (ended.status, ended.output) == (1, "")
    assert "unknown what is published: rubygems/tasker-rb" in ended.errors
    assert "503" in ended.errors


@asks_registries
def test_registries_that_were_never_used_hold_nothing(world: World) -> None:
    values = world.release("calculate-versions", TASKER_RELEASE_REHEARSAL_REGISTRIES="").values
    assert values["CHANGES_BASE_REF"] == ""
    assert values["NEXT_CORE_VERSION"] == "0.1.1"
    assert not world.registries.exists()


@asks_registries
def test_programs_get_json(out: World) -> None:
    head = out.commit("workers/ruby/README.md", "\nMore.\n")
    detected = json.loads(out.release("detect-changes", "--json").output)
    assert detected["commit"] == head
    assert detected["components"]["ruby"]["changed"] == {"rubygems/tasker-rb": ["workers/ruby/README.md"]}
    assert (detected["ffi_core_changed"], detected["components"]["core"]["changed"]) == (False, {})
    calculated = json.loads(out.release("calculate-versions", "--json").output)["components"]
    assert {name: known["next"] for name, known in calculated.items()} == {
        "core": "unchanged",
        "ruby": "0.1.1",
        "python": "unchanged",
        "typescript": "unchanged",
    }
    assert calculated["ruby"]["current"] == "0.1.0"


# --- who reads it -----------------------------------------------------------------------------------------------------


def shell(world: World, script: str) -> str:
    """What a bash prints that stops at the first error, unset variables included."""
    path = f"{Path(entry_point('tasker-release')).parent}:{world.environment()['PATH']}"
    done = subprocess.run(
        [shutil.which("bash") or "bash", "-euo", "pipefail", "-c", script],
        cwd=world.source,
        env=world.environment(PATH=path),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("command", "keys"),
    [("detect-changes", DETECTED), pytest.param("calculate-versions", CALCULATED, marks=asks_registries)],
)
def test_a_shell_evals_the_lines_and_githubs_output_takes_them(world: World, command: str, keys: list[str]) -> None:
    world.publish("0.1.0")
    expected = world.release(command).values
    shown = " ".join(f'"${key}"' for key in keys)
    printed = shell(world, f'eval "$(tasker-release {command})"; printf "%s\\n" {shown}')
    assert printed.splitlines() == [expected[key] for key in keys]
    output = world.folder / "github_output"
    shell(world, f'tasker-release {command} >> "{output}"')
    # As GitHub reads it: a line is NAME=VALUE, unless << comes before the first =.
    lines = [line.partition("=") for line in output.read_text().splitlines()]
    assert not any("<<" in name for name, _, _ in lines)
    assert {name: value for name, _, value in lines} == expected


def test_a_tag_that_is_a_command_is_given_as_its_commit_and_never_run(world: World) -> None:
    base = world.git("rev-parse", "HEAD~2")
    world.git("tag", "release-$(touch${IFS}pwned)`touch${IFS}pwned`;touch${IFS}pwned", base)
    assert shell(world, 'eval "$(tasker-release detect-changes)"; echo "$CHANGES_BASE_REF"') == f"{base}\n"
    assert not (world.source / "pwned").exists()
