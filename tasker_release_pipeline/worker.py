"""A worker, which runs the steps of other machines' runs:

    celery -A tasker_release_pipeline.worker worker --queues release,build-npm

Never imported by the definitions.
"""

import logging
import os
from typing import Any

import dagster as dg
from celery import Task  # type: ignore[import-untyped]
from dagster._grpc.types import ExecuteStepArgs  # what dagster-celery's message is made of
from dagster_celery.executor import CeleryExecutor
from dagster_celery.make_app import make_app
from dagster_celery.tasks import create_task
from dagster_shared.record import replace
from dagster_shared.serdes import pack_value, unpack_value

from tasker_release_pipeline.orchestration.engines import workers_config

_log = logging.getLogger(__name__)


class Step(Task):  # type: ignore[misc]
    """Runs with this machine's instance: that of the run may lie in a folder that is not here.

    Does nothing for a run that is over: a step may have waited for its worker longer than the run did.
    """

    def __call__(self, execute_step_args_packed: dict[str, Any], executable_dict: dict[str, Any]) -> Any:
        """Run the step; its events, serialised."""
        arguments = unpack_value(execute_step_args_packed, ExecuteStepArgs)
        with dg.DagsterInstance.get() as instance:
            run = instance.get_run_by_id(arguments.run_id)
            if run is not None and run.is_finished:
                _log.warning(f"run {run.run_id} is over ({run.status.value.lower()}): its step is left out")
                return []
            own = pack_value(replace(arguments, instance_ref=instance.get_ref()))
            return super().__call__(execute_step_args_packed=own, executable_dict=executable_dict)


_config = workers_config(os.environ)
_executor = CeleryExecutor.for_cli(  # type: ignore[no-untyped-call]
    **_config,
    # What every step would import is imported once, by the process that all of them are forked from.
    include=["tasker_release_pipeline.warm_up"],
)
app = make_app(_executor.app_args())  # type: ignore[no-untyped-call]
execute_plan = create_task(app, base=Step)  # type: ignore[no-untyped-call]
