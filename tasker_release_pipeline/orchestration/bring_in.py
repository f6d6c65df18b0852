"""Tells a Dagster instance what the release store holds of a release that ran elsewhere, with another database.

    python -m tasker_release_pipeline.orchestration.bring_in RELEASE

The release becomes a partition, and what it made runless events, with the metadata and data versions that the assets
give themselves. What did not come to be is an observation: the UI shows why, and the asset stays missing. Told twice,
nothing changes. Checks are not told: Dagster would show an old release's as the latest; the gate's findings have them.
"""

import sys
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeVar

import dagster as dg
from pydantic import BaseModel

from tasker_release_pipeline.orchestration import metadata
from tasker_release_pipeline.orchestration.partitions import RELEASES
from tasker_release_pipeline.release.artifact import BuildResult, ReleaseManifest
from tasker_release_pipeline.release.catalogue import (
    BUILD_ASSETS,
    CREDENTIALS,
    LINTS,
    RECORDING,
    RELEASE_MANIFEST,
    RELEASE_PLAN,
    SOURCE_TREE,
    STAGED_INSTALL,
)
from tasker_release_pipeline.release.errors import ReleaseError
from tasker_release_pipeline.release.gate import Gate
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.release.probes import Probed
from tasker_release_pipeline.release.record import GITHUB_RELEASE, RecordState, tag_subject
from tasker_release_pipeline.steps.publish import upload_log
from tasker_release_pipeline.steps.source import SourceTree
from tasker_release_pipeline.steps.staged_install import StagedInstall
from tasker_release_pipeline.store import ReleaseStore

Event = dg.AssetMaterialization | dg.AssetObservation
Model = TypeVar("Model", bound=BaseModel)
# As Dagster marks what an asset's own `data_version` gave.
_DATA_VERSION, _GIVEN = "dagster/data_version", "dagster/data_version_is_user_provided"


def bring_in(instance: dg.DagsterInstance, store: ReleaseStore, besides: Collection[str] = ()) -> list[Event]:
    """Tell the instance of the store's release; what was new to it. Raises InputError where nothing is planned.

    `besides`: the assets that somebody else tells of.
    """
    others = (event for event in events(store) if event.asset_key.to_user_string() not in besides)
    told = [event for event in others if not _is_known(instance, event)]
    instance.add_dynamic_partitions(str(RELEASES.name), [store.release])
    for event in told:
        instance.report_runless_asset_event(event)
    return told


def events(store: ReleaseStore) -> Iterator[Event]:
    """What an instance would know, had the release run there."""
    plan = store.demand(
        "plan.json", Plan, f"nothing is known of {store.release}; `tasker-release status` lists what is"
    )
    yield from _made(store, plan)
    for package in plan.packages:
        outcome = store.outcome(package.key)
        if outcome is not None:
            kind = dg.AssetMaterialization if outcome.kind.good else dg.AssetObservation
            shown = metadata.of_outcome(outcome, upload_log(store, package.key))
            yield _event(kind, store.release, package.key, shown, outcome.version)
    for subject in (*(tag_subject(component) for component in plan.components), GITHUB_RELEASE):
        record = store.record(subject)
        if record is not None:
            kind = dg.AssetObservation if record.state is RecordState.FAILED else dg.AssetMaterialization
            version = f"{record.name} {record.commit[:12]}".strip()
            yield _event(kind, store.release, subject, metadata.of_record(record), version)


def _made(store: ReleaseStore, plan: Plan) -> Iterator[dg.AssetMaterialization]:
    """The assets from the plan to the gate."""

    def made(asset: str, shown: Mapping[str, Any], version: str | None) -> dg.AssetMaterialization:
        event: dg.AssetMaterialization = _event(dg.AssetMaterialization, store.release, asset, shown, version)
        return event

    yield made(RELEASE_PLAN, metadata.of_plan(plan), plan.digest[:16])
    if tree := store.read("source.json", SourceTree):
        yield made(SOURCE_TREE, metadata.of_source(tree), tree.commit[:16])
        if (LINTS, tree.commit) in {(check.asset, check.subject) for check in store.checks().values()}:
            yield made(LINTS, metadata.of_lints(tree.commit), tree.commit[:16])
    for asset in BUILD_ASSETS.values():
        if built := store.read(f"builds/{asset}.json", BuildResult):
            versions = ", ".join(sorted({artifact.version for artifact in built.artifacts}))
            version = versions or ("failed" if built.problem else "unchanged")
            yield made(asset, metadata.of_build(built), version)
    for asset in (*CREDENTIALS.values(), RECORDING):
        if probed := store.read(f"{asset}.json", Probed):
            yield made(asset, metadata.of_probe(probed), f"{probed.access} ({probed.mode})")
    if installed := store.read("staged_install.json", StagedInstall):
        yield made(STAGED_INSTALL, metadata.of_staged(installed), None)
    if manifest := store.read("manifest.json", ReleaseManifest):
        yield made(RELEASE_MANIFEST, metadata.of_manifest(manifest), manifest.digest[:16])
        if gate := store.read("gate.json", Gate):
            yield made("gate", metadata.of_gate(gate, manifest), f"{gate.verdict} {gate.manifest[:12]}")


def _event(kind: Any, release: str, asset: str, shown: Mapping[str, Any], version: str | None) -> Any:
    tags = {_DATA_VERSION: version, _GIVEN: "true"} if version is not None else None
    return kind(asset_key=asset.split("/"), partition=release, metadata=shown, tags=tags)


def _is_known(instance: dg.DagsterInstance, event: Event) -> bool:
    """Whether the last thing that the instance knows of the asset says the same."""
    records = dg.AssetRecordsFilter(asset_key=event.asset_key, asset_partitions=[str(event.partition)])
    if isinstance(event, dg.AssetMaterialization):
        found = instance.fetch_materializations(records, limit=1).records
        known: Any = found[0].event_log_entry.asset_materialization if found else None
    else:
        found = instance.fetch_observations(records, limit=1).records
        known = found[0].event_log_entry.asset_observation if found else None
    return (
        known is not None
        and known.metadata == event.metadata
        and (event.tags or {}).items() <= (known.tags or {}).items()
    )


def main(release: str) -> None:
    """Bring a release into the instance of DAGSTER_HOME, and say what was new there."""
    with dg.DagsterInstance.get() as instance:
        told = bring_in(instance, ReleaseStore.of(release))
    for event in told:
        is_there = isinstance(event, dg.AssetMaterialization)
        print(f"{event.asset_key.to_user_string()}: {'there' if is_there else 'missing, with the reason'}")  # noqa: T201
    print(f"{release}: {len(told)} assets were news to the instance")  # noqa: T201


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except ReleaseError as error:
        sys.exit(f"Error: {error}")
