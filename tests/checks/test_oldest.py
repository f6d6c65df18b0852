"""What is said of the oldest Python, Ruby and Node, at hand or not."""

from pathlib import Path

from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.steps.oldest import Oldest
from tasker_release_pipeline.toolchains.runtimes import Runtime
from tests.checks.archives import warnings

STATED = {RegistryName.PYPI: "3.11", RegistryName.RUBYGEMS: "3.0"}
PYTHON = Runtime(Path("/opt/python3.11/bin/python"), "3.11.7")


def test_what_was_installed_with_the_oldest_is_evidence() -> None:
    report = Oldest({RegistryName.PYPI: "3.11"}, {RegistryName.PYPI: PYTHON}).report(["pypi/tasker-py"])
    assert report.findings == ()
    assert report.evidence == {"pypi": "/opt/python3.11/bin/python (3.11.7)"}


def test_an_oldest_that_is_not_at_hand_is_a_warning_that_names_it() -> None:
    report = Oldest(STATED, {RegistryName.PYPI: PYTHON}).report(["pypi/tasker-py", "rubygems/tasker-rb"])
    (said,) = warnings(list(report.findings))
    assert said.startswith("rubygems: Ruby 3.0, the oldest that the manifest states, is not at hand")


def test_what_was_not_installed_at_all_is_no_evidence() -> None:
    assert Oldest(STATED, {RegistryName.PYPI: PYTHON}).report([]).evidence == {}
