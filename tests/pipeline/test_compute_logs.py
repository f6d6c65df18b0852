"""What a step prints is on the terminal and in the web UI's files, whoever prints it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.conftest import ROOT

SCRIPT = """
import os, subprocess, sys
from pathlib import Path
import dagster as dg

with dg.DagsterInstance.from_config(sys.argv[1]) as instance:
    for turn in range(20):
        print("before", turn)
        with instance.compute_log_manager.capture_logs(["run", "compute_logs", f"step{turn}"]):
            print("printed", turn)
            os.write(1, b"written\\n")
            subprocess.run(["sh", "-c", "echo told by a tool; echo complaint >&2"], check=True)
            print("last word", turn, file=sys.stderr)
            children = [p.read_text() for p in Path("/proc/self/task").glob("*/children")]
            assert not "".join(children).split(), children
        assert instance.compute_log_manager.is_capture_complete(["run", "compute_logs", f"step{turn}"])
"""


def run(folder: Path, command: str, **options: int) -> subprocess.CompletedProcess[str]:
    (folder / "dagster.yaml").write_text((ROOT / "config" / "dagster.yaml").read_text())
    (folder / "script.py").write_text(SCRIPT)
    words = ["bash", "-c", command, "bash", sys.executable, str(folder / "script.py"), str(folder)]
    return subprocess.run(words, text=True, timeout=100, check=False, **(options or {"stdout": -1, "stderr": -1}))


def kept(folder: Path, turn: int, kind: str) -> str:
    return (folder / "storage" / "run" / "compute_logs" / f"step{turn}.{kind}").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the process's children")
def test_all_that_a_step_prints_is_shown_once_and_in_its_files(tmp_path: Path) -> None:
    done = run(tmp_path, 'exec "$@"')
    assert done.returncode == 0, done.stderr
    lines = [f"before {turn}\nprinted {turn}\nwritten\ntold by a tool\n" for turn in range(20)]
    # What Python itself keeps back comes later, as always where no terminal is.
    assert sorted(done.stdout.splitlines()) == sorted("".join(lines).splitlines())
    assert done.stderr == "".join(f"complaint\nlast word {turn}\n" for turn in range(20))
    for turn in range(20):
        assert sorted(kept(tmp_path, turn, "out").splitlines()) == sorted(
            [f"printed {turn}", "told by a tool", "written"]
        )
        assert kept(tmp_path, turn, "err") == f"complaint\nlast word {turn}\n"


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the process's children")
def test_a_terminal_that_is_gone_ends_no_step(tmp_path: Path) -> None:
    done = run(tmp_path, '"$@" | head -n 1; exit "${PIPESTATUS[0]}"')
    assert "last word 0" in done.stderr
    assert kept(tmp_path, 0, "out").count("written") == 1
    assert "Exception in thread" not in done.stderr
