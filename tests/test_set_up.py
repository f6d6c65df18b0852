"""The set-up names what it can't install, before it does anything."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def set_up(path: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shutil.which("bash") or "bash", str(ROOT / ".ci" / "setup")],
        env={"PATH": path, "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_is_missing_and_cannot_be_installed_is_named_with_how_to_get_it(tmp_path: Path) -> None:
    # A machine with neither the tools nor a package manager.
    for tool in ("bash", "dirname", "git", "make", "cat"):
        where = shutil.which(tool)
        assert where is not None
        (tmp_path / tool).symlink_to(where)
    before = (ROOT / ".venv" / ".set-up").stat().st_mtime_ns
    ended = set_up(str(tmp_path))
    assert ended.returncode == 1
    lines = ended.stderr.splitlines()
    for tool in ("ruby", "bundle", "rake", "protoc", "cargo", "node", "npm", "Python 3.11 to 3.14"):
        (line,) = [line for line in lines if line.startswith(f"set-up: {tool} ")]
        assert "install" in line or "comes with" in line
    assert not any("creating" in line or "installing from" in line for line in lines)
    assert (ROOT / ".venv" / ".set-up").stat().st_mtime_ns == before


@pytest.mark.toolchain
def test_a_finished_set_up_starts_within_three_seconds() -> None:
    started = time.monotonic()
    ended = subprocess.run([str(ROOT / ".ci" / "setup"), "tests"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert time.monotonic() - started < 3
