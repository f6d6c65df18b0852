"""The assets that record a release: a tag for each component, right after its packages, and the GitHub Release.

Each tag has a step of its own: it follows its own packages alone, and neither waits for another registry nor stops one.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from tasker_release_pipeline.orchestration import metadata
from tasker_release_pipeline.orchestration.assets import OWNERS
from tasker_release_pipeline.orchestration.failures import failures_in_words
from tasker_release_pipeline.orchestration.partitions import RELEASES
from tasker_release_pipeline.orchestration.publishing import asset_key, show_why
from tasker_release_pipeline.orchestration.resources import SettingsResource
from tasker_release_pipeline.release.errors import ReleaseError
from tasker_release_pipeline.release.manifest import Manifest
from tasker_release_pipeline.release.record import GITHUB_RELEASE, RELEASE_STEP, Record, tag_subject
from tasker_release_pipeline.steps.record import record_release, tag_component
from tasker_release_pipeline.steps.run import ReleaseRun

NOT_FATAL = "tasker/a-missing-tag-is-made-later"
"""The run tag of jobs that publish, and whose missing tags `github_release` makes: what waits for them goes on."""

Recorded = Iterator[dg.MaterializeResult[Any]]


def tag_key(component: str) -> dg.AssetKey:
    """`tags/core`."""
    return dg.AssetKey(tag_subject(component).split("/"))


def record_assets(manifest: Manifest) -> list[dg.AssetsDefinition]:
    """The components' tags, and the GitHub Release."""
    return [*(_tag_asset(manifest, component) for component in manifest.components), _release_asset(manifest)]


def _tag_asset(manifest: Manifest, component: str) -> dg.AssetsDefinition:
    # `output_required=False`: a dry run yields nothing here, so that what was not tagged never looks tagged.
    @dg.asset(
        key=tag_key(component),
        description=f"The tag {component}-vX on the released commit. A dry run leaves it missing.",
        partitions_def=RELEASES,
        group_name="record",
        owners=OWNERS,
        kinds={"git", "github"},
        deps=[asset_key(package) for package in manifest.of_component(component)],
        output_required=False,
    )
    def tag(context: dg.AssetExecutionContext, settings: SettingsResource) -> Recorded:
        with failures_in_words():
            run = settings.start(context)
            try:
                record = tag_component(run, component)
            except ReleaseError as error:
                _show_why(context, run, tag_subject(component))
                if NOT_FATAL not in context.run.tags:
                    raise
                context.log.error(f"{error}; the packages are published: `github_release` tries the tag again")
                return
        if record is not None:
            yield _materialized(record)

    return tag


def _release_asset(manifest: Manifest) -> dg.AssetsDefinition:
    # An asset made of a named op: the job `github_release` could not bear its name beside an op of that name.
    @dg.multi_asset(
        name=RELEASE_STEP,
        outs={
            GITHUB_RELEASE: dg.AssetOut(
                description="The GitHub Release: notes, files, sums, SBOM. A draft until all of the plan is published.",
                group_name="record",
                owners=OWNERS,
                kinds={"github"},
                is_required=False,
            )
        },
        partitions_def=RELEASES,
        deps=[
            *(asset_key(package) for package in manifest.packages),
            *(tag_key(component) for component in manifest.components),
        ],
    )
    def github_release(context: dg.AssetExecutionContext, settings: SettingsResource) -> Recorded:
        with failures_in_words():
            run = settings.start(context)
            try:
                record = record_release(run)
            except ReleaseError:
                _show_why(context, run, GITHUB_RELEASE)
                raise
        if record is not None:
            yield _materialized(record)

    return github_release


def _show_why(context: dg.AssetExecutionContext, run: ReleaseRun, subject: str) -> None:
    record = run.store.record(subject)
    if record is not None and record.run == run.run:
        show_why(context, subject, metadata.of_record(record))


def _materialized(record: Record) -> dg.MaterializeResult[Any]:
    return dg.MaterializeResult(
        asset_key=record.subject.split("/"),
        metadata=metadata.of_record(record),
        data_version=dg.DataVersion(f"{record.name} {record.commit[:12]}".strip()),
    )
