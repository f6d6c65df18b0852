"""The assets up to the gate. Each names its inputs, calls one function, and gives a typed value."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from tasker_release_pipeline.orchestration import metadata
from tasker_release_pipeline.orchestration.failures import failures_in_words
from tasker_release_pipeline.orchestration.partitions import RELEASES
from tasker_release_pipeline.orchestration.resources import SettingsResource
from tasker_release_pipeline.release.artifact import BuildResult, ReleaseManifest
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.steps.builds import BUILD_STEPS, build_packages
from tasker_release_pipeline.steps.gate import VERDICT, give_verdict
from tasker_release_pipeline.steps.plan import plan_release
from tasker_release_pipeline.steps.release_manifest import COMPLETE, list_files
from tasker_release_pipeline.steps.source import SourceTree, stamp_source
from tasker_release_pipeline.steps.staged_install import LOADS, install_from_staging

OWNERS = ["team:release"]
KINDS = {
    RegistryName.CRATES_IO: {"rust"},
    RegistryName.RUBYGEMS: {"ruby"},
    RegistryName.PYPI: {"python"},
    RegistryName.NPM: {"typescript", "npm"},
}
_BUILDS = {
    RegistryName.CRATES_IO: "The crates' archives, packaged by cargo and each compiled from its own archive.",
    RegistryName.RUBYGEMS: "The gem, after its native extension has compiled.",
    RegistryName.PYPI: "The wheels, one for each platform that the manifest states.",
    RegistryName.NPM: "The npm package's tarball.",
}

_GATE = "Go or no-go for exactly these files, in this mode. No upload starts without a go."
GATE_STEP = "give_verdict"

AssetResult = Iterator[dg.MaterializeResult[Any]]


@dg.asset(partitions_def=RELEASES, group_name="plan", owners=OWNERS, kinds={"git"})
def release_plan(context: dg.AssetExecutionContext, settings: SettingsResource) -> dg.MaterializeResult[Plan]:
    """What this release publishes, at which versions, and why: the source compared with what the registries hold."""
    with failures_in_words():
        plan = plan_release(settings.start(context))
    for finding in plan.findings:
        context.log.warning(finding.message)
    return dg.MaterializeResult(
        value=plan, metadata=metadata.of_plan(plan), data_version=dg.DataVersion(plan.digest[:16])
    )


@dg.asset(partitions_def=RELEASES, group_name="plan", owners=OWNERS, kinds={"git"})
def source_tree(
    context: dg.AssetExecutionContext, settings: SettingsResource, release_plan: Plan
) -> dg.MaterializeResult[SourceTree]:
    """The released commit with the plan's versions written into every place that carries one."""
    with failures_in_words():
        tree = stamp_source(settings.start(context), release_plan)
    return dg.MaterializeResult(
        value=tree,
        metadata={"commit": tree.commit, "stamped": "\n".join(tree.changed) or "nothing: the tree was prepared"},
        data_version=dg.DataVersion(tree.commit[:16]),
    )


def build_asset(registry: RegistryName) -> dg.AssetsDefinition:
    """The asset that builds what goes to `registry`."""

    @dg.asset(
        name=BUILD_STEPS[registry],
        description=_BUILDS[registry],
        partitions_def=RELEASES,
        group_name="build",
        owners=OWNERS,
        kinds=KINDS[registry],
    )
    def build(
        context: dg.AssetExecutionContext, settings: SettingsResource, release_plan: Plan, source_tree: SourceTree
    ) -> dg.MaterializeResult[BuildResult]:
        with failures_in_words():
            result = build_packages(settings.start(context), release_plan, source_tree, registry)
        versions = ", ".join(sorted({artifact.version for artifact in result.artifacts})) or "unchanged"
        return dg.MaterializeResult(
            value=result, metadata=metadata.of_build(result), data_version=dg.DataVersion(versions)
        )

    return build


def gate_assets(registries: tuple[RegistryName, ...]) -> list[dg.AssetsDefinition]:
    """The assets from the builds of these registries to the verdict."""
    builds = {BUILD_STEPS[registry]: dg.AssetIn(dagster_type=BuildResult) for registry in registries}

    @dg.asset(
        partitions_def=RELEASES,
        group_name="gate",
        owners=OWNERS,
        ins=builds,
        check_specs=[_blocking(LOADS, "Every package installs from registries, in a clean place, and loads.")],
    )
    def staged_install(
        context: dg.AssetExecutionContext,
        settings: SettingsResource,
        release_plan: Plan,
        source_tree: SourceTree,
        **builds: BuildResult,
    ) -> AssetResult:
        """All artifacts uploaded to throw-away loopback registries, and installed from there as a user would."""
        with failures_in_words():
            installed, check = install_from_staging(settings.start(context), release_plan, source_tree, builds.values())
        yield dg.MaterializeResult(
            value=installed,
            metadata={"reported": installed.reported, "seconds": round(installed.seconds, 1)},
            check_results=[metadata.of_check(check, context.log)],
        )

    @dg.asset(
        partitions_def=RELEASES,
        group_name="gate",
        owners=OWNERS,
        ins=builds,
        deps=[staged_install],
        check_specs=[
            _blocking(COMPLETE, "Every package of the plan is there, at the plan's version, from one commit.")
        ],
    )
    def release_manifest(
        context: dg.AssetExecutionContext,
        settings: SettingsResource,
        release_plan: Plan,
        source_tree: SourceTree,
        **builds: BuildResult,
    ) -> AssetResult:
        """The exact files that this release will upload, with their digests."""
        with failures_in_words():
            manifest, check = list_files(settings.start(context), release_plan, source_tree, builds.values())
        yield dg.MaterializeResult(
            value=manifest,
            metadata=metadata.of_manifest(manifest),
            data_version=dg.DataVersion(manifest.digest[:16]),
            check_results=[metadata.of_check(check, context.log)],
        )

    # An asset made of a named op: the job `gate` could not bear its name beside an op called `gate`.
    @dg.multi_asset(
        name=GATE_STEP,
        outs={"gate": dg.AssetOut(group_name="gate", owners=OWNERS, description=_GATE)},
        partitions_def=RELEASES,
        check_specs=[_blocking(VERDICT, "Nothing speaks against uploading these files.")],
    )
    def gate(
        context: dg.AssetExecutionContext,
        settings: SettingsResource,
        release_plan: Plan,
        release_manifest: ReleaseManifest,
    ) -> AssetResult:
        with failures_in_words():
            verdict, check = give_verdict(settings.start(context), release_plan, release_manifest)
        for finding in verdict.findings:
            context.log.warning(finding.message)
        yield dg.MaterializeResult(
            asset_key="gate",
            value=verdict,
            metadata=metadata.of_gate(verdict, release_manifest),
            data_version=dg.DataVersion(f"{verdict.verdict} {verdict.manifest[:12]}"),
            check_results=[metadata.of_check(check, context.log)],
        )

    return [staged_install, release_manifest, gate]


def _blocking(check: tuple[str, str], description: str) -> dg.AssetCheckSpec:
    asset, name = check
    return dg.AssetCheckSpec(name, asset=asset, description=description, blocking=True)
