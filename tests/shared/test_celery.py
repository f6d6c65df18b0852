"""Several machines run the steps of one release: Celery hands each step to a worker that takes its queue."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._grpc.types import ExecuteStepArgs
from dagster_shared.serdes import pack_value

from tasker_release_pipeline.orchestration.engines import celery_config
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.gate import Gate
from tasker_release_pipeline.store import ReleaseStore
from tests.pipeline.conftest import NINE, example, git

from .conftest import Bucket
from .machine import Machine, ended
from .redis import PASSWORD, running_redis
from .test_whole_release import held

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


@dg.job
def _nothing() -> None: ...


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED])
def test_a_step_that_waited_longer_than_its_run_is_left_out(
    status: dg.DagsterRunStatus, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DAGSTER_CELERY_BROKER_URL", "redis://127.0.0.1:1/0")
    from tasker_release_pipeline.worker import execute_plan  # noqa: PLC0415  # reads the environment

    with dg.instance_for_test() as instance:
        run = instance.add_run(dg.DagsterRun(job_name="release", status=status))
        origin = dg.reconstructable(_nothing).get_python_origin()
        message = pack_value(ExecuteStepArgs(origin, run.run_id, ["release_plan"], instance.get_ref()))
        assert execute_plan(execute_step_args_packed=message, executable_dict={}) == []
    assert f"run {run.run_id} is over" in caplog.text


class Team:
    """Machines that share a database, a store and a broker. Each has a checkout of its own."""

    def __init__(self, folder: Path, database: str, broker: str, **store: str) -> None:
        self.folder, self.database, self.broker, self.store = folder, database, broker, store
        self.source = example(folder / "source")

    def machine(self, name: str, **more: str) -> Machine:
        folder = self.folder / name
        folder.mkdir()
        git(folder, "clone", "--quiet", str(self.source), "checkout")
        common = {
            "TASKER_RELEASE_SOURCE": str(folder / "checkout"),
            "TASKER_RELEASE_REHEARSAL_REGISTRIES": str(folder / "registries"),
            "DAGSTER_CELERY_BROKER_URL": self.broker,
        }
        return Machine(folder, self.database, {**common, **self.store, **more})

    def run(self) -> tuple[Machine, subprocess.Popen[str]]:
        """A machine that has begun a rehearsal, and runs no step itself."""
        machine = self.machine("run", TASKER_RELEASE_EXECUTOR="celery")
        settings = {"dry_run": False, "registries": "rehearsal"}
        config = machine.folder / "rehearsal.yaml"
        config.write_text(yaml.safe_dump({"resources": {"settings": {"config": settings}}}))
        return machine, machine.execute("release", RELEASE, "-m", "tasker_release_pipeline", "-c", str(config))

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
    """By step of the last run the worker that ran it."""
    run, *_ = instance.get_runs()
    found = {}
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        metadata: dict[str, Any] = dict(entry.get_dagster_event().engine_event_data.metadata)
        if "Celery worker" in metadata:
            assert entry.step_key is not None
            found[entry.step_key] = metadata["Celery worker"].value.removeprefix("celery@")
    return found


@pytest.mark.service
@pytest.mark.toolchain
@pytest.mark.timeout(1500)
def test_each_platform_is_built_by_the_worker_that_takes_its_queue(
    tmp_path: Path, database: str, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared_store = {"TASKER_RELEASE_STORE": bucket.store, **bucket.environment}
    with ExitStack() as stack:
        team = Team(tmp_path, database, stack.enter_context(running_redis()), **shared_store)
        here = stack.enter_context(team.worker(HERE))
        bindings = stack.enter_context(team.worker(BINDINGS))
        run, process = team.run()
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

    assert set(held(here.folder / "registries")) == NINE
    assert not (bindings.folder / "registries").exists()

    assert not (run.folder / "dagster" / "storage").exists()  # its home is its own
    assert not list(tmp_path.rglob("*.db"))
    assert PASSWORD not in output
    assert not [
        path for path in tmp_path.rglob("*") if path.is_file() and "target" not in path.parts
        if PASSWORD.encode() in path.read_bytes()
    ]  # fmt: skip


@pytest.mark.service
@pytest.mark.toolchain
def test_a_step_ends_with_its_killed_run_and_its_worker_goes_on(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        team = Team(
            tmp_path,
            database,
            stack.enter_context(running_redis()),
            # A disk that all see, so that the kernel tells the step of its run's end.
            TASKER_RELEASE_STORE=str(tmp_path / "store"),
        )
        here = stack.enter_context(team.worker(HERE))
        run, process = team.run()
        log = here.folder / "worker.log"
        _until((here.folder / "work" / RELEASE / "out" / "crate_archives").exists, process)
        process.kill()
        process.communicate()
        _until(lambda: "WorkerLostError" in log.read_text())
        ended(run.execute("release_summary", RELEASE))
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", database)
    with dg.DagsterInstance.from_config(str(run.folder / "dagster")) as instance:
        assert workers_of_steps(instance) == {"summarize": HERE}


def _until(condition: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    limit = time.monotonic() + 200
    while not condition():
        assert process is None or process.poll() is None
        assert time.monotonic() < limit
        time.sleep(0.05)
