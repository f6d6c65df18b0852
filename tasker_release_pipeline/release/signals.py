"""A few moments in which nothing may be left half done."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def signals_wait() -> Iterator[Callable[[], None]]:
    """Let signals that would end this process wait until the block has ended, or calls what this gives.

    Only the main thread can hold them. A handler that raises is safe at such a moment alone: in the middle of whatever
    Python does, its exception can leave a lock locked, or get lost (what is raised within a weak reference's callback,
    as SQLAlchemy has them, Python prints and forgets).
    """
    before: dict[signal.Signals, Any] = {}
    came: list[signal.Signals] = []

    def hold(number: int, _frame: object) -> None:
        came.append(signal.Signals(number))

    def go_on() -> None:
        while came:
            number = came.pop(0)
            signal.signal(number, before[number])
            try:
                signal.raise_signal(number)
            finally:
                signal.signal(number, hold)

    if threading.current_thread() is threading.main_thread():
        # One that is ignored is left alone: programs that are started meanwhile are to ignore it, too.
        held = [number for number in _HELD if signal.getsignal(number) not in (signal.SIG_IGN, None)]
        before.update({number: signal.signal(number, hold) for number in held})
    try:
        yield go_on
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        while came:
            signal.raise_signal(came.pop(0))
