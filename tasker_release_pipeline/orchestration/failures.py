"""Failed steps in words: what the pipeline raises on purpose comes as one message, without a stack."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from tasker_release_pipeline.release.errors import ReleaseError

_INTERRUPTED = "interrupted; run it again"
_ENDED = {
    "DagsterExecutionInterruptedError": _INTERRUPTED,
    "KeyboardInterrupt": _INTERRUPTED,
    "ChildProcessCrashException": "its process was killed, by hand or for want of memory; run it again",
}
_CHECK_FAILED = "DagsterAssetCheckFailedError"


@contextmanager
def failures_in_words() -> Iterator[None]:
    """Turn what the pipeline raises on purpose into a failed step that says why, and is not tried again."""
    try:
        yield
    except ReleaseError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from None


@contextmanager
def ticks_in_words() -> Iterator[None]:
    """The same for the tick of a schedule or a sensor: it fails, and its error is the message."""
    try:
        yield
    except ReleaseError as error:
        # Of all else that is raised Dagster shows first that something was.
        raise dg.DagsterError(str(error)) from None


def is_failed_check(event: dg.DagsterEvent) -> bool:
    """Whether a step failed because a blocking check of its asset did not pass."""
    error = event.step_failure_data.error
    return error is not None and error.cls_name == _CHECK_FAILED


def why_again(event: dg.DagsterEvent | None) -> str | None:
    """Why a step waits for its next attempt; None for all other events."""
    if event is None or not event.is_step_up_for_retry:
        return None
    cause = event.step_retry_data.error.cause if event.step_retry_data.error else None
    # Dagster puts the name of the class before the message.
    return cause.message.partition(": ")[2].strip() if cause else event.message


def why(event: dg.DagsterEvent | None) -> str | None:
    """Why a step failed, where it did so on purpose, or refused bad input; None for all that nobody foresaw."""
    if event is None or not event.is_step_failure:
        return None
    data = event.step_failure_data
    if data.user_failure_data and data.user_failure_data.description:
        return str(data.user_failure_data.description)
    if data.error is None:
        return event.message
    if data.error.cls_name in _ENDED:
        return _ENDED[data.error.cls_name]
    if data.error.cls_name == _CHECK_FAILED:
        return "a blocking check did not pass: " + " ".join(data.error.message.split("\n")[1:]).strip()
    return None
