"""A process of its own that ends our tools when we are killed outright, and can end nothing ourselves.

It holds one end of a pipe. We tell it the process groups that we start and that have ended; when the pipe closes,
which the kernel does however we end, it kills the groups that are left. `PR_SET_PDEATHSIG` reaches a tool's own process
alone; this reaches the compilers that cargo starts, too. The module is also the program that it runs, so it needs the
standard library only.
"""

import os
import signal
import sys
import threading
from contextlib import suppress

_lock = threading.Lock()
_pipe: int | None = None
_owner = 0


def watch(group: int) -> None:
    """Have `group` (a process group's id) killed should this process die before `unwatch`."""
    _tell(f"+{group}\n")


def unwatch(group: int) -> None:
    """Forget a group that has ended."""
    _tell(f"-{group}\n")


def _tell(line: str) -> None:
    global _pipe, _owner  # one watchdog for each process
    with _lock:
        if _pipe is None or _owner != os.getpid():
            _pipe, _owner = _start(), os.getpid()
        with suppress(BrokenPipeError):  # somebody ended the watchdog: as good as none
            os.write(_pipe, line.encode())


def _start() -> int:
    """Start the watchdog, in a session of its own, where no Ctrl-C reaches it; the end of the pipe to tell it by."""
    read, write = os.pipe()
    # Not subprocess: nobody waits for this process, it ends after us.
    os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", __file__],
        {"PATH": os.defpath},
        file_actions=[(os.POSIX_SPAWN_DUP2, read, 0)],
        setsid=True,
    )
    os.close(read)
    return write


def _serve() -> None:
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    for group in groups:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    _serve()
