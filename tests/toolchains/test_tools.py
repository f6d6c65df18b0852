"""Which tools are needed, found, missing, too old."""

import shutil
import time
from pathlib import Path

import pytest

from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.manifest import load
from tasker_release_pipeline.toolchains import tools
from tasker_release_pipeline.toolchains.runner import run
from tasker_release_pipeline.toolchains.tools import check_tools, needed, search_path

from .conftest import silent


def script(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.fixture
def own_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that takes the place of the environment's PATH."""
    # The runner looks up its wrapper once, and keeps it for the tests that come later: with the real PATH.
    run(["true"], cwd=tmp_path, seconds=10, log=silent)
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_the_manifests_commands_and_the_registrys_clients_are_needed() -> None:
    manifest = load("tasker")
    assert needed(manifest, [RegistryName.NPM]) == ("bun", "git", "node", "npm")
    assert needed(manifest, [RegistryName.CRATES_IO]) == ("cargo", "git", "protoc")
    assert needed(manifest, [RegistryName.RUBYGEMS]) == ("bundle", "cargo", "gem", "git", "protoc", "ruby")
    assert needed(manifest, [RegistryName.PYPI]) == ("cargo", "git", "maturin", "protoc", "uv")
    assert needed(manifest, []) == ("git",)


def test_who_uploads_stored_files_needs_the_client_and_what_an_install_compiles_with() -> None:
    manifest = load("tasker")
    assert needed(manifest, [], [RegistryName.NPM]) == ("git", "node", "npm")
    assert needed(manifest, [], [RegistryName.CRATES_IO]) == ("cargo", "git", "protoc")
    assert needed(manifest, [], [RegistryName.RUBYGEMS]) == ("cargo", "gem", "git", "protoc", "ruby")
    assert needed(manifest, [], [RegistryName.PYPI]) == ("git", "uv")


def test_a_script_of_the_workspace_is_no_tool() -> None:
    rows = load("tasker").model_dump(mode="json")
    rows["registries"]["npm"]["build"]["commands"] = [{"run": ["./build.sh"], "seconds": 1}]
    manifest = type(load("tasker")).model_validate(rows)
    assert needed(manifest, [RegistryName.NPM]) == ("git", "node", "npm")


@pytest.mark.toolchain
def test_all_tools_are_there_and_are_asked_at_once() -> None:
    started = time.monotonic()
    found = check_tools(load("tasker"), list(RegistryName))
    assert found.problems == []
    assert set(found.versions) == set(needed(load("tasker"), list(RegistryName)))
    assert found.versions["cargo"].count(".") == 2
    assert time.monotonic() - started < 10


@pytest.mark.toolchain
def test_missing_tools_are_named_in_one_line_each(own_path: Path) -> None:
    script(own_path, "git", "echo git version 2.39.5")
    found = check_tools(load("tasker"), [RegistryName.RUBYGEMS])
    assert found.versions == {"git": "2.39.5"}
    assert [problem.split(" is missing: ")[0] for problem in found.problems] == [
        "bundle", "cargo", "gem", "protoc", "ruby"
    ]  # fmt: skip
    assert all("\n" not in problem and problem.endswith("(or `make set-up`)") for problem in found.problems)


@pytest.mark.toolchain
def test_a_tool_that_is_too_old_is_named_with_both_versions(own_path: Path) -> None:
    script(own_path, "git", "echo git version 2.39.5")
    script(own_path, "node", "echo v20.11.0")
    script(own_path, "npm", "echo 9.11.2")
    found = check_tools(load("tasker"), [RegistryName.NPM])
    assert [p for p in found.problems if not p.startswith("bun")] == [
        "npm 9.11.2 is too old: the manifest tasker needs 10.0 or newer; update it, or put a newer one first in PATH"
    ]


@pytest.mark.toolchain
def test_a_tool_that_does_not_answer_is_named(own_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sleep = shutil.which("sleep", path="/usr/bin:/bin")
    monkeypatch.setattr(tools, "ANSWER_SECONDS", 1.0)
    script(own_path, "git", f"exec {sleep} 600")
    (problem,) = check_tools(load("tasker"), []).problems
    assert problem.startswith("git --version in ")
    assert "1 s, its time limit" in problem
    assert "\n" not in problem


@pytest.mark.toolchain
def test_a_tool_that_says_no_version_is_named(own_path: Path) -> None:
    script(own_path, "git", "echo who knows")
    assert check_tools(load("tasker"), []).problems == ["git --version says no version: 'who knows'"]


def test_pythons_own_folder_comes_before_the_environments(own_path: Path) -> None:
    folders = search_path().split(":")
    assert (Path(folders[0]) / "python").exists()
    assert folders[-1] == str(own_path)
