"""A worker, which runs the steps of other machines' runs:

    celery -A tasker_release_pipeline.worker worker --queues release,build-npm

Never imported by the definitions.
"""

import os
from typing import Any

import dagster as dg
from celery import Task  # type: ignore[import-untyped]
from dagster_celery.executor import CeleryExecutor
from dagster_celery.make_app import make_app
from dagster_celery.tasks import create_task
from dagster_shared.serdes import pack_value

from tasker_release_pipeline.orchestration.engines import workers_config


class Step(Task):  # type: ignore[misc]
    """Runs with this machine's instance: that of the run may lie in a folder that is not here."""

    def __call__(self, execute_step_args_packed: dict[str, Any], executable_dict: dict[str, Any]) -> Any:
        """Run the step."""
        with dg.DagsterInstance.get() as instance:
            own = {**execute_step_args_packed, "instance_ref": pack_value(instance.get_ref())}
            return super().__call__(execute_step_args_packed=own, executable_dict=executable_dict)


_config = workers_config(os.environ)
_executor = CeleryExecutor.for_cli(  # type: ignore[no-untyped-call]
    **_config,
    # What every step would import is imported once, by the process that all of them are forked from.
    include=["tasker_release_pipeline.warm_up"],
)
app = make_app(_executor.app_args())  # type: ignore[no-untyped-call]
execute_plan = create_task(app, base=Step)  # type: ignore[no-untyped-call]
