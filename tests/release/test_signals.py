"""Signals wait while something must not be left half done, and none is lost or handled twice."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tasker_release_pipeline.release.signals import signals_wait


@pytest.fixture
def handled() -> Iterator[list[int]]:
    """The signals that this process's own handler was given."""
    found: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: found.append(number))
    yield found
    signal.signal(signal.SIGTERM, before)


def test_a_signal_is_handled_when_the_block_asks_and_when_it_has_ended(handled: list[int]) -> None:
    with signals_wait() as go_on:
        signal.raise_signal(signal.SIGTERM)
        assert handled == []
        go_on()
        assert handled == [signal.SIGTERM]
        signal.raise_signal(signal.SIGTERM)
        assert handled == [signal.SIGTERM]
    assert handled == [signal.SIGTERM] * 2
    signal.raise_signal(signal.SIGTERM)
    assert handled == [signal.SIGTERM] * 3


def test_what_a_handler_raises_is_raised_where_the_block_asks() -> None:
    with signals_wait() as go_on:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            go_on()
        go_on()  # it was handled


def test_a_signal_without_a_handler_ends_the_process_when_the_block_asks() -> None:
    program = """
import signal
from tasker_release_pipeline.release.signals import signals_wait
with signals_wait() as go_on:
    signal.raise_signal(signal.SIGTERM)
    print("waited", flush=True)
    go_on()
    print("too late", flush=True)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert (ended.returncode, ended.stdout) == (-signal.SIGTERM, "waited\n")


def test_an_ignored_signal_stays_ignored_and_other_threads_hold_none() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_wait():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)

    def hold() -> None:
        with signals_wait() as go_on:
            go_on()

    handler = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=hold)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is handler
