"""One run at a time works on a release; and a run's steps end with it, however it ends."""

import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.steps.run import ReleaseRun, work_folder
from tasker_release_pipeline.store import ReleaseStore

_NAME = ".run.lock"
_LOOK_SECONDS = 0.5


@contextmanager
def sole_run(run: ReleaseRun) -> Iterator[None]:
    """Hold the release until the block ends, or this process does: the kernel frees the lock of a killed one.

    Raises InputError, and says who holds it, where another run does.
    """
    path = _path(run.store, run.work)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="utf-8") as file:
        # Who only looks whether a run is busy holds the lock for a moment, too.
        until = time.monotonic() + _LOOK_SECONDS
        while not _locked(file, fcntl.LOCK_EX):
            if time.monotonic() > until:
                file.seek(0)
                raise InputError(
                    f"release {run.release}: {_holder(file.read())} is working on it ({path}); "
                    "wait for its end, or end it, and run again"
                )
            time.sleep(0.02)
        file.truncate(0)
        json.dump({"run": run.run, "pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}, file)
        file.flush()
        yield


def end_with_the_run(run: ReleaseRun) -> None:
    """End this process, a step's, as soon as its run is dead: nobody would take its result, and the next run starts.

    A thread waits for the run's lock. Where no run holds it (a step that an engine of another machine runs), or this
    very process does (a run of few steps), it does not wait.
    """
    path = _path(run.store, run.work)
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


@dataclass(frozen=True)
class LastRun:
    """The last run that worked on a release on this machine. `alive`: it still does; `said`: its name, in words."""

    run: str
    alive: bool
    said: str


def last_run(store: ReleaseStore, work: Path) -> LastRun | None:
    """Whose run works on a release, or last did; None where nobody's did. `work`: the release's work folder."""
    with _opened(_path(store, work)) as file:
        if file is None:
            return None
        alive = not _locked(file, fcntl.LOCK_SH)
        text = file.read()
    return LastRun(run=str(_known(text).get("run", "")), alive=alive, said=_holder(text))


@contextmanager
def kept_from_runs(store: ReleaseStore, work: Path) -> Iterator[bool]:
    """Let no run work on a release until the block ends; gives False where one does."""
    with _opened(_path(store, work)) as file:
        yield file is None or _locked(file, fcntl.LOCK_EX)


def worked_on(environment: Mapping[str, str]) -> dict[str, LastRun]:
    """The releases with which runs are busy on this machine, whichever database knows of them."""
    store, work = ReleaseStore.of("", environment), work_folder(environment)
    local = Path(store.root.path) if store.local is not None else work
    releases = sorted(path.parent.name for path in local.glob(f"*/{_NAME}"))
    runs = {name: last_run(ReleaseStore(store.root, name), work / name) for name in releases}
    return {name: run for name, run in runs.items() if run is not None and run.alive}


def _path(store: ReleaseStore, work: Path) -> Path:
    # A remote store has no file that a kernel could lock; there the lock holds on this machine alone.
    return (store.local or work) / _NAME


@contextmanager
def _opened(path: Path) -> Iterator[IO[str] | None]:
    try:
        file = path.open(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        yield None
        return
    with file:
        yield file


def _locked(file: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


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
