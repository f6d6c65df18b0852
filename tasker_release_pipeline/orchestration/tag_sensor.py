"""Releases by tag, where no CI does that: each new tag of the source becomes one run."""

import json
import os
from collections.abc import Mapping

import dagster as dg

from tasker_release_pipeline.orchestration.failures import ticks_in_words
from tasker_release_pipeline.orchestration.in_progress import in_progress
from tasker_release_pipeline.orchestration.partitions import RELEASES
from tasker_release_pipeline.orchestration.rehearsing import is_on, run_config
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.settings import Registries, Settings, check_release_key, is_rehearsal
from tasker_release_pipeline.steps.upstream import fetch

SWITCH = "TASKER_RELEASE_TAGS"
INTERVAL_SECONDS = 60


def tag_sensor(environment: Mapping[str, str]) -> dg.SensorDefinition:
    """The sensor, running where the environment switches it on.

    Its cursor holds the tags that it has seen: those that were there when it first looked, and those it started a run
    for. A tag that is moved, or taken back and pushed again, is no new one.
    """

    @dg.sensor(
        job_name="release",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING if is_on(environment, SWITCH) else dg.DefaultSensorStatus.STOPPED,
        description="Starts a release for each new tag release-* or v* of the source; a dry run while the latch holds.",
    )
    def release_tags(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        with ticks_in_words():
            upstream = fetch(os.environ)
            tags = [tag for tag in upstream.tags() if _names_a_release(tag)]
            if context.cursor is None:
                said = f"{len(tags)} tags are there already, and are not released; from now on new ones are"
                return dg.SensorResult(skip_reason=said, cursor=json.dumps(sorted(tags)))
            seen = set(json.loads(context.cursor))
            new = [tag for tag in tags if tag not in seen]
            if not new:
                return dg.SkipReason("no new tag")
            busy = in_progress(context.instance, os.environ)
            if releases := [f"{release}, by {run}" for release, run in busy.items() if not is_rehearsal(release)]:
                return dg.SkipReason(f"{', '.join(new)} waits for the end of {'; '.join(releases)}")
            # One at a time, the oldest first: of two tags on one commit the second finds everything published.
            tag = new[0]
            source = upstream.checkout(tag, f"refs/tags/{tag}")
        return dg.SensorResult(
            run_requests=[
                dg.RunRequest(run_key=tag, partition_key=tag, run_config=run_config(str(source), Registries.LIVE))
            ],
            dynamic_partitions_requests=[RELEASES.build_add_request([tag])],
            cursor=json.dumps(sorted({*seen, tag})),
        )

    return release_tags


def _names_a_release(tag: str) -> bool:
    try:
        check_release_key(tag, Settings())
    except InputError:  # `vendor-2`, or a rehearsal's
        return False
    return True
