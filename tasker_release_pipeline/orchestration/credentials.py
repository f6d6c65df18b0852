"""The assets that hold whether a release would be let in: by each registry, and by GitHub.

One step tries them all; a job may take any of them alone, as an identity is that of a job and its environment.
"""

import dagster as dg

from tasker_release_pipeline.orchestration import metadata
from tasker_release_pipeline.orchestration.assets import KINDS, OWNERS, AssetResult, check_specs
from tasker_release_pipeline.orchestration.failures import failures_in_words
from tasker_release_pipeline.orchestration.partitions import RELEASES
from tasker_release_pipeline.orchestration.resources import SettingsResource
from tasker_release_pipeline.registries.endpoints import TITLES
from tasker_release_pipeline.release.catalogue import CREDENTIALS, RECORDING
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.steps.credential_checks import try_credentials


def credential_assets(registries: tuple[RegistryName, ...]) -> dg.AssetsDefinition:
    """The assets, as one step."""
    described = {
        **{CREDENTIALS[r]: (f"Whether {TITLES[r]} would let this release in.", KINDS[r]) for r in registries},
        RECORDING: ("Whether this release may be recorded: tags, and the GitHub Release.", {"github"}),
    }
    outs = {
        asset.replace("/", "_"): dg.AssetOut(
            key=_key(asset), description=text, group_name="gate", owners=OWNERS, kinds=kinds, is_required=False
        )
        for asset, (text, kinds) in described.items()
    }

    @dg.multi_asset(
        name="credentials",
        outs=outs,
        partitions_def=RELEASES,
        can_subset=True,
        check_specs=[spec for asset in described for spec in check_specs(asset)],
    )
    def credentials(context: dg.AssetExecutionContext, settings: SettingsResource, release_plan: Plan) -> AssetResult:
        chosen = {key.to_user_string() for key in context.selected_asset_keys}
        with failures_in_words():
            tried = try_credentials(settings.start(context), release_plan, chosen)
        for asset, found in tried.items():
            yield dg.MaterializeResult(
                asset_key=_key(asset),
                value=found.probed,
                metadata=metadata.of_probe(found.probed),
                data_version=dg.DataVersion(f"{found.probed.access} ({found.probed.mode})"),
                check_results=[metadata.of_check(check, context.log) for check in found.checks],
            )

    return credentials


def _key(asset: str) -> dg.AssetKey:
    return dg.AssetKey(asset.split("/"))
