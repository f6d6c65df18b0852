"""Dagster's values are the release store's files."""

from typing import Any

import dagster as dg

from tasker_release_pipeline.orchestration.failures import failures_in_words
from tasker_release_pipeline.release.catalogue import BUILD_ASSETS, CREDENTIALS, RECORDING
from tasker_release_pipeline.release.outcome import Outcome
from tasker_release_pipeline.steps.builds import stored_build
from tasker_release_pipeline.store import ReleaseStore

_FILES = {
    "release_plan": "plan.json",
    "source_tree": "source.json",
    "staged_install": "staged_install.json",
    "release_manifest": "manifest.json",
    "gate": "gate.json",
    **{asset: f"{asset}.json" for asset in (*CREDENTIALS.values(), RECORDING)},
    **{asset: f"builds/{asset}.json" for asset in BUILD_ASSETS.values()},
}
_BUILDS = {asset: registry for registry, asset in BUILD_ASSETS.items()}


class StoreIOManager(dg.ConfigurableIOManager):
    """Reads and writes the typed values of assets as JSON in the release store."""

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Write an asset's value."""
        store = ReleaseStore.of(context.partition_key)
        with failures_in_words():  # a full disk, say
            if isinstance(obj, Outcome):
                store.write_outcome(obj)
            else:
                store.write(_FILES[context.asset_key.to_user_string()], obj)

    def load_input(self, context: dg.InputContext) -> Any:
        """Read an asset's value."""
        asset = context.asset_key.to_user_string()
        store = ReleaseStore.of(context.partition_key)
        with failures_in_words():  # a job before its time
            if asset in _BUILDS:
                return stored_build(store, _BUILDS[asset])
            return store.demand(_FILES[asset], context.dagster_type.typing_type, f"run the job that has {asset} first")
