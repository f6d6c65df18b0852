"""Several machines run the steps of one release: Celery hands each step to a worker that takes its queue."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

from tasker_release_pipeline.orchestration.engines import celery_config
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.gate import Gate
from tasker_release_pipeline.store import ReleaseStore
from tests.pipeline.conftest import example, git

from .conftest import Bucket
from .machine import Machine
from .redis import PASSWORD, running_redis

RELEASE = "rehearsal-20260301-0300"
HERE, BINDINGS = "here", "bindings"
QUEUES = {HERE: "release,build-crates_io,build-rubygems", BINDINGS: "build-pypi,build-npm"}


def test_steps_are_processes_of_this_machine_unless_somebody_says_otherwise() -> None:
    assert celery_config({}) is None
    assert celery_config({"TASKER_RELEASE_EXECUTOR": "processes"}) is None


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"TASKER_RELEASE_EXECUTOR": "k8s"}, r"TASKER_RELEASE_EXECUTOR=k8s: there are processes and celery"),
        ({"TASKER_RELEASE_EXECUTOR": "celery"}, r"DAGSTER_CELERY_BROKER_URL is not set"),
    ],
)
def test_a_choice_that_is_none_or_lacks_its_broker_is_refused(environment: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        celery_config(environment)


def test_an_installation_without_the_extra_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dagster_celery", None)
    with pytest.raises(InputError, match=r"dagster_celery is not installed: .*tasker-release-pipeline\[celery\]"):
        celery_config({"TASKER_RELEASE_EXECUTOR": "celery", "DAGSTER_CELERY_BROKER_URL": "redis://127.0.0.1/0"})


class Team:
    """Machines that share a database, a bucket and a broker. Each has a checkout of its own."""

    def __init__(self, folder: Path, database: str, bucket: Bucket, broker: str) -> None:
        self.folder, self.database, self.bucket, self.broker = folder, database, bucket, broker
        self.source = example(folder / "source")

    def machine(self, name: str, **more: str) -> Machine:
        folder = self.folder / name
        folder.mkdir()
        git(folder, "clone", "--quiet", str(self.source), "checkout")
        common = {
            "TASKER_RELEASE_SOURCE": str(folder / "checkout"),
            "TASKER_RELEASE_STORE": self.bucket.store,
            "DAGSTER_CELERY_BROKER_URL": self.broker,
        }
        return Machine(folder, self.database, {**common, **self.bucket.environment, **more})

    @contextmanager
    def worker(self, name: str) -> Iterator[Machine]:
        """A machine that takes the steps of its queues, until the block ends."""
        machine = self.machine(name)
        process = machine.start(
            *("celery", "-A", "tasker_release_pipeline.worker", "worker"),
            *("--hostname", name, "--queues", QUEUES[name], "--concurrency", "2", "--loglevel", "INFO"),
            *("--logfile", str(machine.folder / "worker.log")),
            kept=False,
        )
        try:
            yield machine
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


def workers_of_steps(instance: dg.DagsterInstance) -> dict[str, str]:
    """By step the worker that ran it."""
    (run,) = instance.get_runs()
    found = {}
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        metadata: dict[str, Any] = dict(entry.get_dagster_event().engine_event_data.metadata)
        if "Celery worker" in metadata:
            assert entry.step_key is not None
            found[entry.step_key] = metadata["Celery worker"].value.removeprefix("celery@")
    return found


@pytest.mark.slow
@pytest.mark.toolchain
@pytest.mark.timeout(1500)
def test_each_platform_is_built_by_the_worker_that_takes_its_queue(
    tmp_path: Path, database: str, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        team = Team(tmp_path, database, bucket, stack.enter_context(running_redis()))
        here = stack.enter_context(team.worker(HERE))
        bindings = stack.enter_context(team.worker(BINDINGS))
        run = team.machine("run", TASKER_RELEASE_EXECUTOR="celery")
        config = run.folder / "rehearsal.yaml"
        config.write_text(
            yaml.safe_dump({"resources": {"settings": {"config": {"dry_run": False, "registries": "rehearsal"}}}})
        )
        process = run.execute("release", RELEASE, "-m", "tasker_release_pipeline", "-c", str(config))
        output, _ = process.communicate(timeout=900)
    logs = {machine.folder.name: (machine.folder / "worker.log").read_text() for machine in (here, bindings)}
    assert process.returncode == 0, (output, logs)

    gate = ReleaseStore.of(RELEASE, os.environ | {"TASKER_RELEASE_STORE": bucket.store}).read("gate.json", Gate)
    assert gate is not None
    assert gate.verdict == "go"
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", database)
    with dg.DagsterInstance.from_config(str(run.folder / "dagster")) as instance:
        ran = workers_of_steps(instance)
    assert {step for step, worker in ran.items() if worker == BINDINGS} == {"wheels", "npm_tarball"}
    assert {worker for step, worker in ran.items() if step not in {"wheels", "npm_tarball"}} == {HERE}
    built = {
        machine.folder.name: {path.name for path in machine.folder.glob("work/*/out/*") if any(path.iterdir())}
        for machine in (here, bindings, run)
    }
    assert built == {HERE: {"crate_archives", "gem_archive"}, BINDINGS: {"wheels", "npm_tarball"}, "run": set()}

    assert not list(tmp_path.rglob("*.db"))
    assert PASSWORD not in output
    assert not [
        path for path in tmp_path.rglob("*") if path.is_file() and "target" not in path.parts
        if PASSWORD.encode() in path.read_bytes()
    ]  # fmt: skip
