"""The process that a run's steps are forked from, as a fork of the run itself.

Dagster would start it anew: two seconds until it has loaded all that the run has in memory, and that memory once more.
"""

import gc
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import forkserver, resource_tracker, util
from pathlib import Path
from typing import Any


def start_fork_server(preload: Sequence[str]) -> None:
    """Start multiprocessing's fork server as a copy of this process; where that is not safe, leave it to Dagster.

    It is safe on Linux, and as long as there is no other thread: a lock that it held would be held in each copy.
    `preload`: the modules that it imports while the run goes on.
    """
    if sys.platform != "linux" or len(list(Path("/proc/self/task").iterdir())) > 1:
        return
    forkserver.set_forkserver_preload([*preload])
    resource_tracker.ensure_running()  # by itself: else it would be a copy, too
    spawn = util.spawnv_passfds
    util.spawnv_passfds = _fork
    try:
        forkserver.ensure_running()
    finally:
        util.spawnv_passfds = spawn


def _fork(
    path: bytes,  # noqa: ARG001  # nothing is looked up there
    args: Sequence[Any],
    passfds: Sequence[int],
) -> int:
    """What a new interpreter would do with `args`, `-c` and its program, in a copy of this one; its process id.

    `passfds`: the ends that it is given of pipes, of which it may have no other.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    gc.freeze()  # looking for garbage in what both share would copy it
    pid = os.fork()
    if pid:
        return pid
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _close_other_ends(set(passfds))
        exec(args[-1], {})  # noqa: S102  # multiprocessing's own program, as it would be given to Python
    except SystemExit:
        pass
    except BaseException:  # the end of this process, as of one that was started anew
        traceback.print_exc()
    os._exit(0)


def _close_other_ends(passed: set[int]) -> None:
    """Close the ends of the passed pipes that the run keeps: by them the fork server learns that the run has ended."""
    inodes = {os.fstat(descriptor).st_ino for descriptor in passed}
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        with suppress(OSError):  # the listing's own is closed by now
            if descriptor not in passed and os.fstat(descriptor).st_ino in inodes:
                os.close(descriptor)
