"""Finding the Python, Ruby or Node of a release line, wherever it lies."""

from pathlib import Path

from tasker_release_pipeline.toolchains.runtimes import find


def program(path: Path, says: str, status: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {status}\n")
    path.chmod(0o755)
    return path


def test_the_one_with_its_number_in_the_name_comes_first(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "ruby", "ruby 3.3.1p55 (2024-04-23) [x86_64-linux]")
    old = program(tmp_path / "bin" / "ruby3.0", "ruby 3.0.6p216 (2023-03-30) [x86_64-linux]")
    found = find("ruby", "3.0", {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)})
    assert found is not None
    assert (found.program, found.version, found.folder) == (old, "3.0.6", tmp_path / "bin")


def test_what_a_version_manager_keeps_is_found(tmp_path: Path) -> None:
    kept = program(tmp_path / "nvm" / "versions" / "node" / "v18.20.4" / "bin" / "node", "v18.20.4")
    environment = {"PATH": str(tmp_path / "none"), "HOME": str(tmp_path), "NVM_DIR": str(tmp_path / "nvm")}
    found = find("node", "18", environment)
    assert found is not None
    assert found.program == kept
    assert find("node", "1", environment) is None


def test_a_shim_that_does_not_run_and_a_longer_number_are_not_taken(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "python3.1", "pyenv: python3.1: command not found", status=127)
    program(tmp_path / ".pyenv" / "versions" / "3.12.1" / "bin" / "python", "Python 3.12.1")
    assert find("python", "3.1", {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}) is None
