"""DAGSTER_HOME: the folder whose dagster.yaml says where the history of runs is kept.

    python -m tasker_release_pipeline.steps.home FOLDER

Where DAGSTER_POSTGRES_URL is set that is Postgres, which any number of machines may share, else SQLite in the folder.
The same settings lie in config/, to be copied by hand.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from tasker_release_pipeline.release.errors import InputError, ReleaseError

VARIABLE = "DAGSTER_POSTGRES_URL"
SETTINGS = """\
telemetry:
  enabled: false
nux:
  enabled: false
python_logs:
  python_log_level: INFO
compute_logs:
  module: tasker_release_pipeline.orchestration.compute_logs
  class: StepLogs
"""
SHARED = f"""\
storage:
  custom:
    module: tasker_release_pipeline.orchestration.database
    class: Database
    config:
      postgres_url:
        env: {VARIABLE}
"""
_DEFAULT = ".tasker-release/dagster"


def dagster_home(environment: Mapping[str, str]) -> Path:
    """The home that the environment names, by default one in the working directory, with a dagster.yaml in it.

    Raises InputError where the file that is there keeps the history elsewhere than the environment wants it.
    """
    is_shared = bool(environment.get(VARIABLE))
    home = Path(environment.get("DAGSTER_HOME") or f"{_DEFAULT}{'-postgres' if is_shared else ''}").absolute()
    prepare(home, is_shared=is_shared)
    return home


def prepare(home: Path, *, is_shared: bool) -> None:
    """Make the folder and its dagster.yaml; one that is there stays, or raises InputError if it does not do."""
    home.mkdir(parents=True, exist_ok=True)
    file = home / "dagster.yaml"
    if not file.exists():
        file.write_text(SETTINGS + (SHARED if is_shared else ""))
    elif (VARIABLE in file.read_text()) != is_shared:
        raise InputError(
            f"{file}: {'does not read' if is_shared else 'reads'} {VARIABLE}, which is "
            f"{'set' if is_shared else 'not set'}: the history would go elsewhere; "
            f"{'unset' if is_shared else 'set'} it, or take the file away, or name another folder in DAGSTER_HOME"
        )


if __name__ == "__main__":
    try:
        prepare(Path(sys.argv[1]), is_shared=bool(os.environ.get(VARIABLE)))
    except ReleaseError as error:
        sys.exit(str(error))
