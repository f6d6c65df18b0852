"""On a terminal a run is one line that changes; elsewhere every line lasts."""

import os
import pty
import subprocess

from .conftest import entry_point

SCRIPT = """
from tasker_release_pipeline.cli.progress import Progress
with Progress() as progress:
    for line in (
        "01:02:03 crate_archives               $ cargo package",
        "01:02:04 crate_archives                  Compiling tasker-pgmq",
        "01:02:05 crate_archives               WARNING a licence is missing",
        "# Release v0.1.9: 9 of 9 packages published (live)",
    ):
        progress.line(line)
"""


def test_on_a_terminal_tools_pass_by_and_steps_warnings_and_the_summary_last() -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen([entry_point("python"), "-c", SCRIPT], stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        try:
            while read := os.read(ours, 4096):
                shown += read
        except OSError:  # the other end is closed
            pass
    os.close(ours)
    assert process.returncode == 0
    # What lasts is what stands between the last wipe of a line and its end.
    lasting = [line.rpartition("\r\x1b[K")[2].rstrip("\r") for line in shown.decode().split("\n")]
    assert lasting == [
        "01:02:03 \x1b[1mcrate_archives\x1b[0m",
        "\x1b[33m01:02:05 crate_archives               WARNING a licence is missing\x1b[0m",
        "# Release v0.1.9: 9 of 9 packages published (live)",
        "",
    ]
    assert "00:00  crate_archives  Compiling tasker-pgmq" in shown.decode()


def test_elsewhere_every_line_lasts_as_it_is() -> None:
    done = subprocess.run([entry_point("python"), "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1] == "01:02:04 crate_archives                  Compiling tasker-pgmq"
    assert len(done.stdout.splitlines()) == 4
    assert "\x1b" not in done.stdout
    assert "\r" not in done.stdout
