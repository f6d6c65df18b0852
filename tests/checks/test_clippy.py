"""clippy over a whole workspace, with the real cargo."""

import os
import subprocess
from pathlib import Path

import pytest

from tasker_release_pipeline.checks.clippy import clippy
from tasker_release_pipeline.release.errors import ToolError
from tasker_release_pipeline.release.plan import Finding
from tests.checks.archives import errors

pytestmark = pytest.mark.toolchain

MEMBER = '[package]\nname = "{0}"\nversion = "0.1.0"\nedition = "2021"\n\n[features]\nmore = []\n'


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Two members, of which `one` alone is a default member."""
    source = tmp_path / "source"
    for name in ("one", "two"):
        (source / name / "src").mkdir(parents=True)
        (source / name / "Cargo.toml").write_text(MEMBER.format(name))
        (source / name / "src" / "lib.rs").write_text("")
    root = '[workspace]\nmembers = ["one", "two"]\ndefault-members = ["one"]\nresolver = "2"\n'
    (source / "Cargo.toml").write_text(root)
    subprocess.run(["cargo", "generate-lockfile", "--offline"], cwd=source, check=True, capture_output=True)
    return source


def found(source: Path) -> list[Finding]:
    folder = source.parent
    return clippy(
        source,
        target=folder / "target",
        env={},
        seconds=120,
        log=lambda _line: None,
        logfile=folder / "log",
    )  # fmt: skip


def test_a_clean_workspace_gives_no_finding(workspace: Path) -> None:
    assert found(workspace) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("two/src/lib.rs", "pub fn seven() -> u8 {\n    return 7;\n}\n"),
        ("two/tests/tests.rs", "#[test]\nfn seven() {\n    let _x = 7 as i32 as i32;\n    assert!(true);\n}\n"),
        ("one/src/lib.rs", '#[cfg(feature = "more")]\npub fn seven() -> u8 {\n    return 7;\n}\n'),
        ("two/src/lib.rs", "#[cfg(debug_assertions)]\npub fn seven() -> u8 {\n    return 7;\n}\n"),
    ],
)
def test_other_members_targets_and_features_are_looked_at(workspace: Path, path: str, text: str) -> None:
    (workspace / path).parent.mkdir(exist_ok=True)
    (workspace / path).write_text(text)
    said = errors(found(workspace))
    assert said
    assert all(message.startswith(f"clippy: {path}:") for message in said)


def test_what_a_release_build_compiled_of_third_parties_for_itself_is_not_compiled_again(workspace: Path) -> None:
    other = workspace.parent / "other"
    (other / "src").mkdir(parents=True)
    (other / "Cargo.toml").write_text(MEMBER.format("other") + "\n[lib]\nproc-macro = true\n\n[workspace]\n")
    (other / "src" / "lib.rs").write_text("")
    with (workspace / "one" / "Cargo.toml").open("a") as manifest:
        manifest.write('\n[dependencies]\nother = { path = "../../other" }\n')
    build = ["cargo", "build", "--release", "--target-dir", str(workspace.parent / "target")]
    environment = {**os.environ, "CARGO_INCREMENTAL": "0"}
    subprocess.run(build, cwd=workspace, env=environment, check=True, capture_output=True)
    assert found(workspace) == []
    said = (workspace.parent / "log").read_text()
    assert "Checking one" in said
    assert " other " not in said


def test_faults_in_two_members_are_both_found(workspace: Path) -> None:
    for name in ("one", "two"):
        (workspace / name / "src" / "lib.rs").write_text("pub fn seven() -> u8 {\n    return 7;\n}\n")
    said = " ".join(errors(found(workspace)))
    assert "one/src/lib.rs:2" in said
    assert "two/src/lib.rs:2" in said


def test_a_lockfile_that_is_out_of_date_is_no_fault_of_the_code(workspace: Path) -> None:
    cargo = workspace / "two" / "Cargo.toml"
    cargo.write_text(cargo.read_text().replace('version = "0.1.0"', 'version = "0.2.0"'))
    with pytest.raises(ToolError, match="--locked"):
        found(workspace)
