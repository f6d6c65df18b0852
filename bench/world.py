"""A world to measure in: the example workspace, a store, a home of Dagster; and commands that are timed in it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import dagster as dg
import yaml

from tasker_release_pipeline.orchestration.partitions import RELEASES

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
RELEASE = "rehearsal-20260101-0000"
LIMIT_SECONDS = 600
_SHOWN_CHARACTERS = 3000
_SETTINGS = ("TASKER_", "RELEASE_", "GITHUB_", "DAGSTER_", "BENCH_")


class BenchError(Exception):
    """A command that is measured failed: its last words."""


@dataclass(frozen=True)
class World:
    """Everything that runs read and write, below one folder."""

    folder: Path

    @classmethod
    def example(cls, folder: Path) -> "World":
        """A world whose source is the example workspace."""
        world = cls(folder)
        world.home.mkdir(parents=True)
        shutil.copy(ROOT / "config" / "dagster.yaml", world.home)
        world.run([sys.executable, str(ROOT / "examples" / "repository.py"), str(world.source)])
        return world

    @property
    def source(self) -> Path:
        """The checkout."""
        return self.folder / "source"

    @property
    def home(self) -> Path:
        """Dagster's."""
        return self.folder / "dagster"

    def register(self) -> None:
        """Make RELEASE known to Dagster, which the pipeline's own executor does by itself."""
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            instance.add_dynamic_partitions(RELEASES.name, [RELEASE])

    def job(self, module: str, job: str, execution: dict[str, Any] | None = None, **settings: Any) -> list[str]:
        """The command that executes a job for RELEASE, a rehearsal. `execution`: the executor's config."""
        given = {"source": str(self.source), "registries": "rehearsal", **settings}
        config: dict[str, Any] = {"resources": {"settings": {"config": given}}}
        if execution is not None:
            config["execution"] = {"config": execution}
        path = self.folder / f"{job}.yaml"
        path.write_text(yaml.safe_dump(config))
        tags = f'{{"dagster/partition": "{RELEASE}"}}'
        return [str(BIN / "dagster"), "job", "execute", "-m", module, "-j", job, "-c", str(path), "--tags", tags]

    def run(
        self,
        command: list[str],
        beside: Callable[[int], AbstractContextManager[Any]] = lambda _: nullcontext(),
        **environment: str,
    ) -> float:
        """Run a command to its end; its seconds. `beside` is entered with its process id. Raises BenchError."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_SETTINGS)}
        env = {
            **kept,
            "PYTHONPATH": str(ROOT),
            # Each process would compile Dagster anew.
            "PYTHONDONTWRITEBYTECODE": "",
            "DAGSTER_HOME": str(self.home),
            "TASKER_RELEASE_STORE": str(self.folder / "store"),
            "TASKER_RELEASE_WORK": str(self.folder / "work"),
            "TASKER_RELEASE_REHEARSAL_REGISTRIES": str(self.folder / "registries"),
            **environment,
        }
        started = time.monotonic()
        with TemporaryFile() as output:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                with beside(process.pid):
                    status = process.wait(LIMIT_SECONDS)
            except subprocess.TimeoutExpired:
                raise BenchError(f"{' '.join(command)}: not done after {LIMIT_SECONDS} s") from None
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGTERM)
                    process.wait()
            seconds = time.monotonic() - started
            if status:
                output.seek(0)
                said = output.read().decode(errors="replace")[-_SHOWN_CHARACTERS:]
                raise BenchError(f"{' '.join(command)}: ended with {status}\n{said}")
        return seconds
