"""The services of compose.yaml start by its commands, and become healthy by its health checks."""

import os
import signal
import subprocess

import httpx
import pytest

from tests.container.processes import ROOT, Stack

pytestmark = pytest.mark.service

PATH = {"PATH": os.environ["PATH"]}


_SCHEDULES = """
{
  schedulesOrError(
    repositorySelector: {repositoryName: "__repository__", repositoryLocationName: "tasker_release_pipeline"}
  ) {
    ... on Schedules { results { name scheduleState { status } } }
  }
}
"""


def packed(services: Stack) -> str:
    """The refs that a clone keeps in one file."""
    return (services.folder / "source" / ".git" / "packed-refs").read_text()


def test_the_services_start_and_become_healthy(services: Stack) -> None:
    assert services.is_healthy("postgres")
    # The source is cloned, and afterwards brought up to date.
    for tag in ("v7.7.7", "v8.8.8"):
        subprocess.run(["git", "tag", tag], cwd=services.source, check=True)
        clone = subprocess.run(
            services.command("source"),
            cwd=ROOT,
            env={**services.environment("source"), "TASKER_SOURCE_URL": str(services.source)},
            check=False,
        )
        assert clone.returncode == 0
        assert (services.folder / "source" / ".git" / "refs" / "tags" / tag).is_file() or tag in packed(services)
    assert (services.folder / "source" / "Cargo.toml").is_file()

    for name in ("code", "webserver", "daemon"):
        assert not services.is_healthy(name)
    services.start("code")
    services.become_healthy("code")
    services.start("webserver")
    services.start("daemon")
    services.become_healthy("webserver", "daemon")

    found = services.ask("{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }")
    assert found["workspaceOrError"]["locationEntries"] == [{"name": "tasker_release_pipeline", "loadStatus": "LOADED"}]
    daemons = services.ask("{ instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } } }")
    statuses = daemons["instance"]["daemonHealth"]["allDaemonStatuses"]
    assert all(status["healthy"] for status in statuses if status["required"])

    # The file's own switch is read by the code server: every night a rehearsal.
    schedules = services.ask(_SCHEDULES)["schedulesOrError"]["results"]
    assert {"name": "nightly_rehearsal", "scheduleState": {"status": "RUNNING"}} in schedules

    services.kill("webserver")
    assert not services.is_healthy("webserver")


def test_the_viewers_web_ui_starts_nothing(services: Stack) -> None:
    services.start("code")
    services.become_healthy("code")
    services.start("viewer")
    services.become_healthy("viewer")
    with pytest.raises(AssertionError, match="UnauthorizedError"):
        services.launch("release_summary")
    assert httpx.get(f"http://127.0.0.1:{services.web_port}/", timeout=30).status_code == 200


def test_a_backup_brings_the_history_back_and_an_upgrade_migrates_it(services: Stack) -> None:
    for name in ("code", "daemon", "webserver"):
        services.start(name)
    services.become_healthy("code", "daemon", "webserver")
    run = services.launch("release_summary")
    services.become(run, "SUCCESS")
    for name in ("webserver", "daemon", "code"):
        services.kill(name, signal.SIGTERM)

    # As docs/operating.md has it; the address stands for the container.
    dump = services.folder / "dagster.dump"
    with dump.open("wb") as file:
        subprocess.run(["pg_dump", "--format=custom", services.database], env=PATH, stdout=file, check=True)
    services.database = services.postgres.new_database()
    with dump.open("rb") as file:
        restore = ["pg_restore", "--clean", "--if-exists", "--no-owner", f"--dbname={services.database}"]
        subprocess.run(restore, env=PATH, stdin=file, check=True)
    migrate = ["dagster", "instance", "migrate"]
    migrated = subprocess.run(
        migrate, env=services.environment("code"), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert migrated.returncode == 0, migrated.stdout + migrated.stderr

    for name in ("code", "webserver"):
        services.start(name)
    services.become_healthy("code", "webserver")
    assert services.status(run) == "SUCCESS"
