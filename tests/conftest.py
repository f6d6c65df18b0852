"""What holds for all tests."""

import signal

import pytest


@pytest.fixture(scope="session", autouse=True)
def _hears_ctrl_c() -> None:
    """A shell starts what runs in its background deaf to Ctrl-C, and all that this starts inherits it.

    Dagster would make it deaf to SIGTERM as well: it treats that as it finds Ctrl-C treated.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
