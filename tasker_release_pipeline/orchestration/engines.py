"""What runs the steps: processes of this machine, or Celery's workers, which may be on several.

TASKER_RELEASE_EXECUTOR says which. Broker and results have their addresses in the environment of the run and of every
worker: they hold passwords, and never go into a config, an argument or a message.
"""

from collections.abc import Mapping
from typing import Any

from tasker_release_pipeline.release.errors import InputError

EXECUTOR = "TASKER_RELEASE_EXECUTOR"
BROKER = "DAGSTER_CELERY_BROKER_URL"
RESULTS = "DAGSTER_CELERY_BACKEND_URL"
QUEUE_TAG = "dagster-celery/queue"
QUEUE = "release"
"""Where all steps go that have no queue of their own."""

_PROCESSES, _CELERY = "processes", "celery"
# Redis gives a message that a worker holds, and has not begun, to another one after this time: both would run the step.
_LONGEST_WAIT_SECONDS = 24 * 3600


def celery_config(environment: Mapping[str, str]) -> dict[str, Any] | None:
    """What `dagster_celery.celery_executor` is configured with; None where the steps are processes of this machine.

    Raises InputError for a choice that is none, or lacks something.
    """
    chosen = environment.get(EXECUTOR) or _PROCESSES
    if chosen not in (_PROCESSES, _CELERY):
        raise InputError(f"{EXECUTOR}={chosen}: there are {_PROCESSES} and {_CELERY}")
    if chosen == _PROCESSES:
        return None
    try:
        import dagster_celery  # noqa: F401, PLC0415  # an extra
    except ImportError as missing:
        raise InputError(
            f"{EXECUTOR}={_CELERY}, and {missing.name} is not installed: pip install "
            "'tasker-release-pipeline[celery]', or unset it to run the steps on this machine"
        ) from missing
    return workers_config(environment)


def workers_config(environment: Mapping[str, str]) -> dict[str, Any]:
    """The same, as the workers have it. Raises InputError where no broker is named."""
    broker = environment.get(BROKER, "")
    if not broker:
        raise InputError(
            f"{BROKER} is not set: name the broker that the run and its workers share, like redis://HOST/0"
        )
    return {
        "broker": broker,
        "backend": environment.get(RESULTS) or broker,
        "config_source": {
            "task_default_queue": QUEUE,
            "broker_transport_options": {"visibility_timeout": _LONGEST_WAIT_SECONDS},
            "broker_connection_retry_on_startup": True,
            # A worker that is busy takes no step that a free one could run.
            "worker_disable_prefetch": True,
            # A process for each step, as on one machine: it ends with its run, and nobody else's step with it.
            "worker_max_tasks_per_child": 1,
            # Dagster captures what a step prints by its file descriptors.
            "worker_redirect_stdouts": False,
        },
    }
