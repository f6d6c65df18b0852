"""The processes of compose.yaml outside of containers: the same commands and health checks, on loopback."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.container.compose import health_check, services
from tests.shared.postgres import Postgres, free_port

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 180.0
RELEASE = "rehearsal-20260401-0300"


@dataclass
class Stack:
    """The services, and what of their environment is this machine's: addresses, ports, and where volumes lie."""

    folder: Path
    postgres: Postgres
    database: str
    source: Path
    code_port: int = field(default_factory=free_port)
    web_port: int = field(default_factory=free_port)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def environment(self, name: str) -> dict[str, str]:
        """What the service's process gets: as in the file, but for what a container has of its own."""
        given = {"POSTGRES_PASSWORD": "unused", "TASKER_SOURCE_URL": str(self.source)}
        service = services({**os.environ, **given})[name]
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("TASKER_", "RELEASE_", "GITHUB_", "DAGSTER_"))}
        own = {
            "PATH": f"{Path(sys.executable).parent}:{self.postgres.binaries}:{os.environ['PATH']}",
            "PYTHONDONTWRITEBYTECODE": "",
            "PGPORT": str(self.postgres.port),
            "DAGSTER_HOME": str(self.folder / "dagster"),
            "DAGSTER_POSTGRES_URL": self.database,
            "DAGSTER_CODE_SERVER_HOST": "127.0.0.1",
            "DAGSTER_CODE_SERVER_PORT": str(self.code_port),
            "DAGSTER_WEBSERVER_HOST": "127.0.0.1",
            "DAGSTER_WEBSERVER_PORT": str(self.web_port),
            "TASKER_RELEASE_SOURCE": str(self.folder / "source"),
            "TASKER_RELEASE_STORE": str(self.folder / "store"),
            "TASKER_RELEASE_WORK": str(self.folder / "work"),
            "TASKER_RELEASE_REHEARSAL_CRON": "0 0 29 2 *",  # none may start by itself while a test looks at the queue
        }
        return {**kept, **service["environment"], **own}

    def command(self, name: str) -> list[str]:
        """The service's command, as the file has it."""
        found: list[str] = services({**os.environ, "POSTGRES_PASSWORD": "-", "TASKER_SOURCE_URL": "-"})[name]["command"]
        return found

    def start(self, name: str, cwd: Path = ROOT, **more: str) -> subprocess.Popen[bytes]:
        """Start a service in a session of its own, as in a container nothing else is there to be hit."""
        home = self.folder / "dagster"
        home.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "config" / "dagster-postgres.yaml", home / "dagster.yaml")
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                self.command(name),
                cwd=cwd,
                env={**self.environment(name), **more},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.running[name] = process
        return process

    def is_healthy(self, name: str) -> bool:
        """What the service's own health check says."""
        check = health_check(services({**os.environ, "POSTGRES_PASSWORD": "-", "TASKER_SOURCE_URL": "-"})[name])
        asked = subprocess.run(
            check, cwd=ROOT, env=self.environment(name), capture_output=True, timeout=60, check=False
        )
        return asked.returncode == 0

    def become_healthy(self, *names: str) -> None:
        for name in names:
            wait(lambda name=name: self.is_healthy(name), lambda name=name: self.said(name), self.running.get(name))

    def said(self, name: str) -> str:
        """The end of the service's log."""
        log = self.folder / f"{name}.log"
        return log.read_text(errors="replace")[-4000:] if log.exists() else ""

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a service's own process, and wait for its end."""
        process = self.running.pop(name)
        process.send_signal(number)
        process.wait(60)

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Ask the web server, as the web UI does."""
        answer = httpx.post(
            f"http://127.0.0.1:{self.web_port}/graphql",
            json={"query": query, "variables": variables},
            timeout=60,
        )
        found: dict[str, Any] = answer.raise_for_status().json()
        assert "errors" not in found, found
        data: dict[str, Any] = found["data"]
        return data

    def launch(self, job: str, release: str = RELEASE, **settings: Any) -> str:
        """Start a job as the web UI's launchpad does; the run's ID."""
        given = {"source": str(self.source), "registries": "rehearsal", **settings}
        launched = self.ask(
            _LAUNCH,
            run={
                "selector": {
                    "repositoryLocationName": "tasker_release_pipeline",
                    "repositoryName": "__repository__",
                    "jobName": job,
                },
                "runConfigData": {"resources": {"settings": {"config": given}}},
                "executionMetadata": {"tags": [{"key": "dagster/partition", "value": release}]},
            },
        )["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run: str = launched["run"]["runId"]
        return run

    def status(self, run: str) -> str:
        found: str = self.ask("query ($run: ID!) { runOrError(runId: $run) { ... on Run { status } } }", run=run)[
            "runOrError"
        ]["status"]
        return found

    def ended(self, run: str) -> float:
        """When a run ended, in seconds of the epoch."""
        found: float = self.ask("query ($run: ID!) { runOrError(runId: $run) { ... on Run { endTime } } }", run=run)[
            "runOrError"
        ]["endTime"]
        return found

    def become(self, run: str, *statuses: str) -> str:
        """Wait until a run has one of these statuses, and no other end."""
        ends = {"SUCCESS", "FAILURE", "CANCELED"}
        seen: list[str] = []

        def is_there() -> bool:
            seen.append(self.status(run))
            return seen[-1] in {*statuses, *ends}

        wait(is_there, lambda: f"{run}: {seen[-1:]}\n{self.said('code')}\n{self.said('daemon')}", seconds=500)
        assert seen[-1] in statuses, f"{seen[-1]}\n{self.said('code')}"
        return seen[-1]


def wait(
    is_so: Callable[[], bool],
    otherwise: Callable[[], str],
    process: subprocess.Popen[bytes] | None = None,
    seconds: float = PATIENCE_SECONDS,
) -> None:
    """Wait until something is so, as long as the process lives that is to make it so."""
    limit = time.monotonic() + seconds
    while not is_so():
        assert process is None or process.poll() is None, otherwise()
        assert time.monotonic() < limit, otherwise()
        time.sleep(0.2)


@contextmanager
def stack(folder: Path, postgres: Postgres, source: Path, more: Mapping[str, Any] | None = None) -> Iterator[Stack]:
    """The services over a database of their own; whatever still runs is ended with the block."""
    made = Stack(folder, postgres, postgres.new_database(), source, **(more or {}))
    try:
        yield made
    finally:
        groups = {process.pid for process in made.running.values()}
        for number in (signal.SIGTERM, signal.SIGKILL):
            for group in groups:
                with suppress(ProcessLookupError):
                    os.killpg(group, number)
            for process in made.running.values():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(20)


_LAUNCH = """
mutation ($run: ExecutionParams!) {
  launchRun(executionParams: $run) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message stack }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}
"""
