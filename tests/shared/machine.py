"""A machine that shares a database, a store, or both, with others."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tasker_release_pipeline.release.settings import Registries, Settings
from tasker_release_pipeline.steps.home import prepare
from tasker_release_pipeline.store import ReleaseStore
from tests.release.building import PGMQ, planned

ROOT = Path(__file__).parents[2]


@dataclass
class Machine:
    """A machine of its own, with a home of its own, that shares a database."""

    folder: Path
    database: str
    more: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TASKER_", "RELEASE_"))}
        return {
            **kept,
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONPATH": str(ROOT),
            "DAGSTER_HOME": str(self.folder / "dagster"),
            "DAGSTER_POSTGRES_URL": self.database,
            "TASKER_RELEASE_STORE": str(self.folder / "store"),
            "TASKER_RELEASE_WORK": str(self.folder / "work"),
            **self.more,
        }

    def start(self, *command: str, kept: bool = True) -> subprocess.Popen[str]:
        """Start one of Dagster's commands; what it prints is `kept` for `ended`."""
        prepare(self.folder / "dagster", is_shared=bool(self.database))
        return subprocess.Popen(
            [str(Path(sys.executable).with_name(command[0])), *command[1:]],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if kept else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def execute(self, job: str, release: str, *where: str) -> subprocess.Popen[str]:
        """`dagster job execute`; `where`: the file that has the job, by default the pipeline."""
        tags = json.dumps({"dagster/partition": release})
        return self.start(
            *("dagster", "job", "execute", *(where or ("-m", "tasker_release_pipeline")), "-j", job, "--tags", tags)
        )

    def plan(self, release: str) -> None:
        """Let the store have a planned release."""
        store = ReleaseStore.of(release, {"TASKER_RELEASE_STORE": self.environment["TASKER_RELEASE_STORE"]})
        store.write("plan.json", planned(PGMQ, release=release))
        store.write("settings.json", Settings(source=str(ROOT), dry_run=False, registries=Registries.REHEARSAL))


def ended(process: subprocess.Popen[str]) -> str:
    """What it printed, once it has ended well."""
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    return output
