"""Which releases are being worked on: as this instance knows, and as the machine's locks say."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import dagster as dg

from tasker_release_pipeline.orchestration.partitions import PARTITION_TAG
from tasker_release_pipeline.release.settings import is_release_key
from tasker_release_pipeline.steps.run import work_folder
from tasker_release_pipeline.steps.run_lock import last_run, worked_on
from tasker_release_pipeline.store import ReleaseStore

DEAD_AFTER = timedelta(hours=12)
"""A run that was not ended by then, and of which this machine knows nothing, is taken for dead: none takes as long."""

_IN_PROGRESS = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def in_progress(instance: dg.DagsterInstance, environment: Mapping[str, str]) -> dict[str, str]:
    """The releases and rehearsals that runs work on, or are about to; each with the run, in words.

    A run that was killed stays in progress in the instance for ever: one whose lock is free again does not count.
    """
    found = {release: run.said for release, run in worked_on(environment).items()}
    for record in instance.get_run_records(dg.RunsFilter(statuses=_IN_PROGRESS)):
        run = record.dagster_run
        release = run.tags.get(PARTITION_TAG, "")
        if release in found or not is_release_key(release):
            continue
        last = last_run(ReleaseStore.of(release, environment), work_folder(environment) / release)
        was_killed = last is not None and last.run == run.run_id
        created = record.create_timestamp.astimezone(UTC)
        if not was_killed and datetime.now(UTC) - created < DEAD_AFTER:
            since = created.isoformat(timespec="seconds")
            found[release] = f"run {run.run_id} ({run.status.value.lower()}, since {since})"
    return found
