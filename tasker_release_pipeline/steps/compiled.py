"""What cargo compiled, and keeps on this machine: third parties' code once for all rehearsals and dry runs."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from tasker_release_pipeline.release.settings import Mode
from tasker_release_pipeline.steps.run import ReleaseRun

_LOOK_SECONDS = 0.05


@contextmanager
def compiled(run: ReleaseRun, source: Path, *, is_uploaded: bool) -> Iterator[Path]:
    """cargo's folder for what is compiled from `source`. A live release has one of its own for what it uploads.

    cargo takes another checkout's crates for these where they have the same versions and were compiled after these
    files were written. So releases take turns: the steps of one may use the folder beside each other, and whose turn
    it is has files that are younger than all that is compiled.
    """
    folder = run.cache / "compiled"
    # On a machine's first release there is nothing to share but what this one has compiled.
    if run.mode is Mode.LIVE and (is_uploaded or not folder.exists()):
        yield run.work / "compiled"
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".turn").open("a+") as turn:
        waits = False
        while not _is_ours(turn, run):
            if not _take(turn, run, source):
                if not waits:
                    run.log(f"{folder}: another release compiles there, and this one waits until that is done")
                waits = True
                time.sleep(_LOOK_SECONDS)  # no lock tells when the last of several leaves
        yield folder


def _is_ours(turn: TextIO, run: ReleaseRun) -> bool:
    """Whether it is this release's turn, which it then stays for as long as the file is open."""
    fcntl.flock(turn, fcntl.LOCK_SH)
    turn.seek(0)
    return turn.read() == str(run.work)


def _take(turn: TextIO, run: ReleaseRun, source: Path) -> bool:
    """Take the turn, if no other release is at work."""
    fcntl.flock(turn, fcntl.LOCK_UN)
    try:
        fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    turn.truncate(0)
    for folder, _, files in os.walk(source):
        for name in files:
            with suppress(FileNotFoundError):  # other builds are at work in the same tree
                os.utime(Path(folder, name), follow_symlinks=False)
    turn.write(str(run.work))
    turn.flush()
    return True
