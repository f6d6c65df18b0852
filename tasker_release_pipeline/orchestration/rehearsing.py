"""What the instance does by itself about rehearsals: one each night, and none kept for ever."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from tasker_release_pipeline.orchestration.failures import failures_in_words, ticks_in_words
from tasker_release_pipeline.orchestration.in_progress import in_progress
from tasker_release_pipeline.orchestration.notifying import tell_not_started
from tasker_release_pipeline.orchestration.partitions import RELEASES
from tasker_release_pipeline.release.errors import InputError, ReleaseError
from tasker_release_pipeline.release.rehearsals import rehearsal_key
from tasker_release_pipeline.release.settings import Registries
from tasker_release_pipeline.steps.pruning import prune
from tasker_release_pipeline.steps.upstream import fetch

SWITCH = "TASKER_RELEASE_REHEARSALS"
CRON = "TASKER_RELEASE_REHEARSAL_CRON"
TIMEZONE = "TASKER_RELEASE_REHEARSAL_TIMEZONE"
DEFAULT_CRON, DEFAULT_TIMEZONE = "0 3 * * *", "UTC"

_NIGHTLY = "Rehearses a release of the source's main branch, to registries on loopback."
_PRUNING = "Removes what is kept of old rehearsals, in the store and in the work folders."


def run_config(source: str, registries: Registries) -> dict[str, Any]:
    """A run for real from the checkout `source`, as config/rehearsal.yaml and config/live.yaml have it."""
    settings = {"source": source, "dry_run": False, "registries": registries.value}
    return {
        "resources": {"settings": {"config": settings}},
        "loggers": {"console": {"config": {"log_level": "INFO"}}},
    }


def is_on(environment: Mapping[str, str], name: str) -> bool:
    """Whether a switch of the environment is on."""
    return environment.get(name, "").strip().lower() in ("on", "true", "1", "yes")


@dg.op(description=_PRUNING)
def prune_old_rehearsals(context: dg.OpExecutionContext) -> None:
    """Remove what is kept of old rehearsals."""
    with failures_in_words():
        running = in_progress(context.instance, os.environ)
        pruned = prune(os.environ, datetime.now(UTC), running)
    for files in pruned.removed:
        context.log.info(f"removed {files.release} ({files.place.name.lower()}, {files.size} bytes)")
    for problem in pruned.problems:
        context.log.warning(problem)
    if RELEASES.name:
        # Nothing can be materialised for them any more; what happened stays in the history.
        for release in pruned.releases:
            context.instance.delete_dynamic_partition(RELEASES.name, release)
    context.add_output_metadata({"removed": len(pruned.removed), "bytes": pruned.size})


@dg.job(description=_PRUNING, executor_def=dg.in_process_executor)
def prune_rehearsals() -> None:
    """Prune by hand, or by its schedule."""
    prune_old_rehearsals()


def schedules(environment: Mapping[str, str]) -> list[dg.ScheduleDefinition]:
    """The two schedules, running where the environment switches them on."""
    timing, problem = _timing(environment)
    status = dg.DefaultScheduleStatus.RUNNING if is_on(environment, SWITCH) else dg.DefaultScheduleStatus.STOPPED
    shared: dict[str, Any] = {**timing, "default_status": status}

    @dg.schedule(job_name="release", description=f"{problem} {_NIGHTLY}".strip(), **shared)
    def nightly_rehearsal(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        key = rehearsal_key(context.scheduled_execution_time)
        with ticks_in_words():
            if problem:
                raise InputError(problem)
            if busy := in_progress(context.instance, os.environ):
                others = "; ".join(f"{release} is in progress, by {run}" for release, run in busy.items())
                return dg.SkipReason(f"{key} is not rehearsed: {others}")
            try:
                upstream = fetch(os.environ)
                source = upstream.checkout(key, upstream.main)
            except ReleaseError as error:
                tell_not_started(key, error, os.environ, context.log)
                raise
        context.instance.add_dynamic_partitions(str(RELEASES.name), [key])
        return dg.RunRequest(run_key=key, partition_key=key, run_config=run_config(str(source), Registries.REHEARSAL))

    @dg.schedule(job=prune_rehearsals, description=_PRUNING, **shared)
    def nightly_pruning() -> dg.RunRequest:
        return dg.RunRequest()

    return [nightly_rehearsal, nightly_pruning]


def _timing(environment: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Cron and time zone, and what is wrong with those that the environment names: then it is the default's."""
    default = {"cron_schedule": DEFAULT_CRON, "execution_timezone": DEFAULT_TIMEZONE}
    cron = environment.get(CRON, "").strip() or DEFAULT_CRON
    zone = environment.get(TIMEZONE, "").strip() or DEFAULT_TIMEZONE
    try:
        dg.ScheduleDefinition(name="tried", job_name="release", cron_schedule=cron, execution_timezone=zone)
    except dg.DagsterInvalidDefinitionError:
        # The tick says so; an import that fails would take releases away as well.
        return default, (
            f"{CRON} {cron!r} or {TIMEZONE} {zone!r} can't be read: a cron of five fields (0 3 * * *) and a zone like "
            "Europe/Berlin are meant; correct it and start again."
        )
    return {"cron_schedule": cron, "execution_timezone": zone}, ""
