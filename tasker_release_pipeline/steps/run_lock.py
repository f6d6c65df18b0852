"""One run at a time works on a release; and a run's steps end with it, however it ends."""

import fcntl
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.steps.run import ReleaseRun


@contextmanager
def sole_run(run: ReleaseRun) -> Iterator[None]:
    """Hold the release until the block ends, or this process does: the kernel frees the lock of a killed one.

    Raises InputError, and says who holds it, where another run does.
    """
    path = _path(run)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise InputError(
                f"release {run.release}: {_holder(file.read())} is working on it ({path}); "
                "wait for its end, or end it, and run again"
            ) from None
        file.truncate(0)
        json.dump({"run": run.run, "pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}, file)
        file.flush()
        yield


def end_with_the_run(run: ReleaseRun) -> None:
    """End this process, a step's, as soon as its run is dead: nobody would take its result, and the next run starts.

    A thread waits for the run's lock. Where no run holds it (a step that an engine of another machine runs), or this
    very process does (a run of few steps), it does not wait.
    """
    path = _path(run)
    if not path.exists() or _known(path.read_text(encoding="utf-8")).get("pid") == os.getpid():
        return
    file = open(path, "rb")  # noqa: SIM115  # the thread's, until the process ends
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        threading.Thread(target=_wait_and_end, args=(file.fileno(), file), name="end-with-the-run", daemon=True).start()
    else:
        file.close()


def _wait_and_end(descriptor: int, _kept_open: object) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    # No finalisers, which may wait for tools: the watchdog ends those.
    os._exit(1)


def _path(run: ReleaseRun) -> Path:
    # A remote store has no file that a kernel could lock; there the lock holds on this machine alone.
    return (run.store.local or run.work) / ".run.lock"


def _holder(text: str) -> str:
    match _known(text):
        case {"run": run, "pid": pid, "since": since}:
            return f"run {run} (process {pid}, since {since})"
    return "another run"


def _known(text: str) -> dict[str, Any]:
    try:
        known = json.loads(text)
    except ValueError:  # read before it was written whole
        return {}
    return known if isinstance(known, dict) else {}
