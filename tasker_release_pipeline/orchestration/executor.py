"""The executor: Dagster's own, with what has to happen before a run's first step and after its last.

Steps run beside each other, in a process each. Few of them run one after another in the run's own process: processes
for each, and the one that they are forked from, would cost more than the steps. Where Celery runs them, it runs all.
"""

import atexit
import gc
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import dagster as dg

# A step can be failed with a message alone, without an exception and its stack, only by this event data of Dagster's;
# nothing public makes one.
from dagster._core.execution.plan.objects import StepFailureData

from tasker_release_pipeline.orchestration.assets import GATE_STEP
from tasker_release_pipeline.orchestration.engines import celery_config
from tasker_release_pipeline.orchestration.failures import is_failed_check, why, why_again
from tasker_release_pipeline.orchestration.fork_server import start_fork_server
from tasker_release_pipeline.orchestration.migrations import read_migrations_once
from tasker_release_pipeline.orchestration.notifying import tell_end
from tasker_release_pipeline.orchestration.partitions import PARTITION_TAG, RELEASES
from tasker_release_pipeline.orchestration.sqlite import keep_connections
from tasker_release_pipeline.orchestration.step_loop import mend_step_loop
from tasker_release_pipeline.release.catalogue import BUILD_ASSETS
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError, ReleaseError
from tasker_release_pipeline.release.manifest import Manifest
from tasker_release_pipeline.release.record import is_recording
from tasker_release_pipeline.steps.dispatch import is_githubs
from tasker_release_pipeline.steps.inputs import check_inputs
from tasker_release_pipeline.steps.lease import leases
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.run_lock import sole_run
from tasker_release_pipeline.steps.summary import write_summary

_FEW_STEPS = 4
_WARM = ["tasker_release_pipeline.warm_up"]
_PLACES = 3


class ReleaseExecutor(dg.Executor):
    """Refuses bad input before the first step; after any end writes the summary, and tells who wants to be told.

    Hooks would do neither: they do not fire on signals, killed steps, resource failures and skips.
    """

    def __init__(self, side_by_side: dg.Executor, in_process: dg.Executor, manifest: Manifest) -> None:
        self._side_by_side = side_by_side
        self._in_process = in_process
        self._manifest = manifest

    @property
    def retries(self) -> Any:
        """As configured."""
        return self._side_by_side.retries

    @property
    def step_dependency_config(self) -> Any:
        """As configured."""
        return self._side_by_side.step_dependency_config

    def app_args(self) -> Any:
        """What dagster-celery asks of a run's executor: how Celery is reached."""
        engine: Any = self._side_by_side
        return engine.app_args()

    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[dg.DagsterEvent]:
        """Run the steps."""
        try:
            builds_here = celery_config(os.environ) is None
            run, config = _release_run(plan_context.dagster_run)
        except ReleaseError as error:
            yield _refused(plan_context, execution_plan, error)
            return
        # Each CI job may have an instance of its own, and all steps look the release up there.
        plan_context.instance.add_dynamic_partitions(RELEASES.name, [run.release])
        few = len(execution_plan.step_keys_to_execute) <= _FEW_STEPS
        if not few and builds_here:
            read_migrations_once(plan_context.instance)
            start_fork_server(_WARM)  # before anything that has a thread
        failures: dict[str, str] = {}
        with ExitStack() as stack:
            stack.push(_teller(plan_context, execution_plan, run, failures))
            try:
                run.store.check_writable()
                # First of all: a run that may not work on the release may not write its summary either.
                stack.enter_context(sole_run(run))
                stack.enter_context(leases(run, _uploads_from_here(run, config, execution_plan.step_keys_to_execute)))
                stack.callback(_summarise, run, failures)
                _check(run, self._manifest, execution_plan.step_keys_to_execute, builds_here=builds_here)
            except ReleaseError as error:
                failures["input"] = str(error)
                yield _refused(plan_context, execution_plan, error)
                return
            inner = self._in_process if few else self._side_by_side
            for event in inner.execute(plan_context, execution_plan):
                if (event.is_step_failure or event.is_step_up_for_retry) and event.step_key is not None:
                    failures[event.step_key] = _in_short(event)
                elif event.is_step_success and event.step_key in failures:
                    del failures[event.step_key]  # a later attempt went well
                yield event


def release_executor(manifest: Manifest) -> dg.ExecutorDefinition:
    """The executor for the asset graph of `manifest`."""

    def create(init_context: dg.InitExecutorContext) -> dg.Executor:
        mend_step_loop()
        keep_connections()
        # Python would look through all of Dagster for garbage, three times, before it ends: up to a second.
        atexit.register(gc.freeze)
        config = dict(init_context.executor_config)
        if celery := _celery(init_context, config["retries"]):
            return ReleaseExecutor(celery, celery, manifest)
        # Spawned processes would import Dagster again for every step.
        config.setdefault("start_method", {"forkserver": {"preload_modules": _WARM}})
        # Steps wait for registries, too: one more than two cores. Each further one takes 30 MB, and saves little.
        config["max_concurrent"] = config.get("max_concurrent") or max(_PLACES, os.cpu_count() or 0)
        side_by_side = _made(dg.multiprocess_executor, init_context, config)
        in_process = _made(dg.in_process_executor, init_context, {"retries": config["retries"]})
        return ReleaseExecutor(side_by_side, in_process, manifest)

    return dg.ExecutorDefinition(
        name="release",
        config_schema=dg.multiprocess_executor.config_schema,  # type: ignore[arg-type]  # Dagster takes it, and says less
        requirements=dg.multiple_process_executor_requirements(),
        executor_creation_fn=create,
    )


def _celery(init_context: dg.InitExecutorContext, retries: Any) -> dg.Executor | None:
    try:
        config = celery_config(os.environ)
    except InputError:
        return None  # the run refuses it, in words
    if config is None:
        return None
    from dagster_celery import celery_executor  # noqa: PLC0415  # an extra

    return _made(celery_executor, init_context, {**config, "retries": retries})


def _made(kind: dg.ExecutorDefinition, init_context: dg.InitExecutorContext, config: dict[str, Any]) -> dg.Executor:
    create = kind.executor_creation_fn
    assert create is not None  # noqa: S101  # it is Dagster's own definition
    return create(init_context._replace(executor_config=config))


def _refused(plan_context: Any, execution_plan: Any, error: ReleaseError) -> dg.DagsterEvent:
    """A failure of the first step, which did not start."""
    first = plan_context.for_step(execution_plan.get_steps_to_execute_in_topo_order()[0])
    data = StepFailureData(error=None, user_failure_data=None)  # type: ignore[no-untyped-call]
    return dg.DagsterEvent.step_failure_event(first, data, message=str(error))


def _teller(plan_context: Any, execution_plan: Any, run: ReleaseRun, failures: dict[str, str]) -> Callable[..., None]:
    """What tells people how the run ended, when all else of it is done; called with what interrupts it, if anything."""
    steps = set(execution_plan.step_keys_to_execute)

    def tell(kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            failures.setdefault("run", "interrupted; run it again")
        publishes = bool(_uploads_to(steps)) or any(is_recording(step) for step in steps)
        tell_end(run, failures, job=plan_context.dagster_run.job_name, publishes=publishes, log=plan_context.log)

    return tell


def _summarise(run: ReleaseRun, failures: Mapping[str, str]) -> None:
    try:
        text = write_summary(run, failures)
    except (OSError, ReleaseError) as error:  # a store that can't be written has been named already
        text = f"No summary of {run.release}: {error}"
    print(text, flush=True)  # noqa: T201  # the terminal is where CI's people look


def _release_run(dagster_run: dg.DagsterRun) -> tuple[ReleaseRun, Mapping[str, Any]]:
    """What the run works with, and what its config says of a release's settings."""
    release = dagster_run.tags.get(PARTITION_TAG)
    if not release:
        raise InputError(
            'no release is named: add --tags \'{"dagster/partition": "v0.1.9"}\' to the command, '
            "or choose one partition in the web UI"
        )
    resources: Any = dagster_run.run_config.get("resources") or {}
    config: Mapping[str, Any] = (resources.get("settings") or {}).get("config") or {}
    return ReleaseRun.of(release, config, log=lambda _: None, run=dagster_run.run_id), config


def _check(run: ReleaseRun, graph: Manifest, steps: Iterable[str], *, builds_here: bool) -> None:
    chosen = set(steps)
    if chosen == {"summarize"}:
        return
    check_inputs(
        run,
        plans="release_plan" in chosen,
        builds={registry for registry, step in BUILD_ASSETS.items() if builds_here and step in chosen},
        publishes=_uploads_to(chosen),
        gates=GATE_STEP in chosen,
    )
    if run.manifest.shape != graph.shape:
        raise InputError(
            f"manifest {run.settings.manifest}: has other packages or phases than {graph.name}, which the asset graph "
            f"was made from; set TASKER_RELEASE_MANIFEST={run.settings.manifest} for the Dagster process as well"
        )


def _uploads_to(steps: Iterable[str]) -> set[RegistryName]:
    """The registries that these steps upload to."""
    return {registry for registry in RegistryName for step in steps if step.startswith(f"{registry}__")}


def _uploads_from_here(run: ReleaseRun, config: Mapping[str, Any], steps: Iterable[str]) -> set[RegistryName]:
    """As `_uploads_to`; none where GitHub's workflow uploads, which takes its own leases."""
    given = {name: value for name, value in config.items() if name != "publish_from"}
    return set() if is_githubs(run, given, config.get("publish_from")) else _uploads_to(steps)


def _in_short(event: dg.DagsterEvent) -> str:
    if event.is_step_up_for_retry:  # for a run that is ended while this waits
        return f"interrupted before it was tried again; run it again. What it waited for: {why_again(event)}"
    if event.step_key == GATE_STEP and is_failed_check(event):
        return "the gate says no-go, for the errors below"
    return why(event) or "an error that nobody foresaw; its stack is in the log"
