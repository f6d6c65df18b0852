"""What every step's process is forked from."""

import pytest

from tasker_release_pipeline import warm_up


def test_warming_up_works_and_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    # Where it fails the steps go on without it, only slower: nobody else would notice.
    warm_up.materialise_once()
    warm_up.ask_once()
    assert capfd.readouterr() == ("", "")
