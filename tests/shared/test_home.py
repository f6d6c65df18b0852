"""Where the history of runs is kept: one variable decides."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.steps.home import SETTINGS, SHARED, VARIABLE, dagster_home

from .conftest import ROOT

URL = "postgresql://tasker:secret@db.example.invalid/dagster"


@pytest.mark.parametrize(("file", "settings"), [("dagster", SETTINGS), ("dagster-postgres", SETTINGS + SHARED)])
def test_the_files_to_copy_say_the_same_as_those_that_are_written(file: str, settings: str) -> None:
    assert yaml.safe_load((ROOT / "config" / f"{file}.yaml").read_text()) == yaml.safe_load(settings)


def test_without_the_variable_there_is_nothing_to_configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert dagster_home({VARIABLE: ""}) == tmp_path / ".tasker-release" / "dagster"
    assert "storage" not in (tmp_path / ".tasker-release" / "dagster" / "dagster.yaml").read_text()


def test_the_variables_value_is_not_written_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    home = dagster_home({VARIABLE: URL})
    assert home != dagster_home({})  # beside the history that was kept here so far
    assert "secret" not in (home / "dagster.yaml").read_text()


@pytest.mark.parametrize(("before", "now", "word"), [({}, {VARIABLE: URL}, "set"), ({VARIABLE: URL}, {}, "not set")])
def test_a_history_that_would_go_elsewhere_is_refused(
    tmp_path: Path, before: dict[str, str], now: dict[str, str], word: str
) -> None:
    here = {"DAGSTER_HOME": str(tmp_path)}
    assert dagster_home(here | before) == tmp_path
    with pytest.raises(InputError, match=rf"dagster\.yaml: .*{VARIABLE}, which is {word}: .*DAGSTER_HOME") as raised:
        dagster_home(here | now)
    assert "secret" not in str(raised.value)


def test_a_file_of_ones_own_stays(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text("nux: {enabled: true}\n")
    dagster_home({"DAGSTER_HOME": str(tmp_path)})
    assert (tmp_path / "dagster.yaml").read_text() == "nux: {enabled: true}\n"


def test_a_shell_prepares_it_by_a_command(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tasker_release_pipeline.steps.home", str(tmp_path / "home")]
    subprocess.run(command, env={**os.environ, VARIABLE: URL}, check=True)
    assert VARIABLE in (tmp_path / "home" / "dagster.yaml").read_text()
    again = subprocess.run(
        command, env={**os.environ, VARIABLE: ""}, check=False, capture_output=True, text=True
    )  # fmt: skip
    assert again.returncode == 1
    assert "Traceback" not in again.stderr
