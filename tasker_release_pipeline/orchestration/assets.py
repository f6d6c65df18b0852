"""The assets up to the gate. Each names its inputs, calls one function, and gives a typed value."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from tasker_release_pipeline.orchestration import metadata
from tasker_release_pipeline.orchestration.engines import QUEUE_TAG
from tasker_release_pipeline.orchestration.failures import failures_in_words
from tasker_release_pipeline.orchestration.partitions import RELEASES, partitioned_checks
from tasker_release_pipeline.orchestration.resources import SettingsResource
from tasker_release_pipeline.release.artifact import BuildResult, ReleaseManifest
from tasker_release_pipeline.release.catalogue import BUILD_ASSETS, CREDENTIALS, GO, LINTS, RECORDING, checks_of
from tasker_release_pipeline.release.checks import Check
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.steps.build_checks import check_build
from tasker_release_pipeline.steps.builds import build_packages
from tasker_release_pipeline.steps.gate import give_verdict
from tasker_release_pipeline.steps.lints import check_lints
from tasker_release_pipeline.steps.plan import plan_release
from tasker_release_pipeline.steps.plan_checks import check_plan
from tasker_release_pipeline.steps.release_manifest import list_files
from tasker_release_pipeline.steps.source import SourceTree, stamp_source
from tasker_release_pipeline.steps.source_checks import check_source
from tasker_release_pipeline.steps.staged_install import install_from_staging

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


def check_specs(asset: str) -> list[dg.AssetCheckSpec]:
    """An asset's checks, as the catalogue has them."""
    return [_check_spec(check) for check in checks_of(asset)]


def _check_spec(check: Check, *, blocking: bool = False) -> dg.AssetCheckSpec:
    key = dg.AssetKey(check.asset.split("/"))
    with partitioned_checks():
        return dg.AssetCheckSpec(
            check.name, asset=key, description=check.proves, blocking=blocking, partitions_def=RELEASES
        )


AssetResult = Iterator[dg.MaterializeResult[Any]]


@dg.asset(
    partitions_def=RELEASES, group_name="plan", owners=OWNERS, kinds={"git"}, check_specs=check_specs("release_plan")
)
def release_plan(context: dg.AssetExecutionContext, settings: SettingsResource) -> AssetResult:
    """What this release publishes, at which versions, and why: the source compared with what the registries hold."""
    with failures_in_words():
        run = settings.start(context)
        plan = plan_release(run)
        checks = check_plan(run, plan)
    for finding in plan.findings:
        context.log.warning(finding.message)
    yield dg.MaterializeResult(
        value=plan,
        metadata=metadata.of_plan(plan),
        data_version=dg.DataVersion(plan.digest[:16]),
        check_results=[metadata.of_check(check, context.log) for check in checks],
    )


@dg.asset(
    partitions_def=RELEASES, group_name="plan", owners=OWNERS, kinds={"git"}, check_specs=check_specs("source_tree")
)
def source_tree(context: dg.AssetExecutionContext, settings: SettingsResource, release_plan: Plan) -> AssetResult:
    """The released commit with the plan's versions written into every place that carries one."""
    with failures_in_words():
        run = settings.start(context)
        tree = stamp_source(run, release_plan)
        checks = check_source(run, release_plan, tree)
    yield dg.MaterializeResult(
        value=tree,
        metadata=metadata.of_source(tree),
        data_version=dg.DataVersion(tree.commit[:16]),
        check_results=[metadata.of_check(check, context.log) for check in checks],
    )


# The longest starts first, where there are more builds than cores: one that starts last leaves cores idle at the end.
_PRIORITY = {RegistryName.PYPI: 3, RegistryName.CRATES_IO: 2, RegistryName.NPM: 1, RegistryName.RUBYGEMS: 0}


def build_asset(registry: RegistryName) -> dg.AssetsDefinition:
    """The asset that builds what goes to `registry`."""

    @dg.asset(
        name=BUILD_ASSETS[registry],
        description=_BUILDS[registry],
        check_specs=check_specs(BUILD_ASSETS[registry]),
        partitions_def=RELEASES,
        group_name="build",
        owners=OWNERS,
        kinds=KINDS[registry],
        # Read by Celery alone: which workers may build it.
        op_tags={QUEUE_TAG: f"build-{registry}", "dagster/priority": str(_PRIORITY[registry])},
    )
    def build(
        context: dg.AssetExecutionContext, settings: SettingsResource, release_plan: Plan, source_tree: SourceTree
    ) -> AssetResult:
        with failures_in_words():
            run = settings.start(context)
            result = build_packages(run, release_plan, source_tree, registry)
            checks = check_build(run, release_plan, source_tree, registry, result)
        versions = ", ".join(sorted({artifact.version for artifact in result.artifacts}))
        yield dg.MaterializeResult(
            value=result,
            metadata=metadata.of_build(result),
            data_version=dg.DataVersion(versions or ("failed" if result.problem else "unchanged")),
            check_results=[metadata.of_check(check, context.log) for check in checks],
        )

    return build


def lints_asset(registries: tuple[RegistryName, ...]) -> dg.AssetsDefinition:
    """The asset that holds what lints say of the source; it follows the builds for these registries."""

    @dg.asset(
        name=LINTS,
        check_specs=check_specs(LINTS),
        partitions_def=RELEASES,
        group_name="gate",
        owners=OWNERS,
        kinds=KINDS[RegistryName.CRATES_IO],
        op_tags={QUEUE_TAG: f"build-{RegistryName.CRATES_IO}"},
        # It needs none of their files, but what they compile of third parties, in the same folder. They would have to
        # wait for it there; what is installed from staging meanwhile does not, and leaves a core idle.
        deps=[BUILD_ASSETS[registry] for registry in registries],
    )
    def lints(
        context: dg.AssetExecutionContext, settings: SettingsResource, release_plan: Plan, source_tree: SourceTree
    ) -> AssetResult:
        """The lints of the whole workspace."""
        with failures_in_words():
            checks = check_lints(settings.start(context), release_plan, source_tree)
        yield dg.MaterializeResult(
            metadata=metadata.of_lints(source_tree.commit),
            data_version=dg.DataVersion(source_tree.commit[:16]),
            check_results=[metadata.of_check(check, context.log) for check in checks],
        )

    return lints


def gate_assets(registries: tuple[RegistryName, ...]) -> list[dg.AssetsDefinition]:
    """The assets from the builds of these registries to the verdict."""
    credentials = [dg.AssetKey(CREDENTIALS[registry].split("/")) for registry in registries]
    lints = [lints_asset(registries)] if RegistryName.CRATES_IO in registries else []
    builds = {BUILD_ASSETS[registry]: dg.AssetIn(dagster_type=BuildResult) for registry in registries}

    @dg.asset(
        partitions_def=RELEASES,
        group_name="gate",
        owners=OWNERS,
        ins=builds,
        check_specs=check_specs("staged_install"),
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
            installed, checks = install_from_staging(
                settings.start(context), release_plan, source_tree, builds.values()
            )
        yield dg.MaterializeResult(
            value=installed,
            metadata=metadata.of_staged(installed),
            check_results=[metadata.of_check(check, context.log) for check in checks],
        )

    @dg.asset(
        partitions_def=RELEASES,
        group_name="gate",
        owners=OWNERS,
        ins=builds,
        deps=[staged_install],
        check_specs=check_specs("release_manifest"),
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
            manifest, checks = list_files(settings.start(context), release_plan, source_tree, builds.values())
        yield dg.MaterializeResult(
            value=manifest,
            metadata=metadata.of_manifest(manifest),
            data_version=dg.DataVersion(manifest.digest[:16]),
            check_results=[metadata.of_check(check, context.log) for check in checks],
        )

    # An asset made of a named op: the job `gate` could not bear its name beside an op called `gate`.
    @dg.multi_asset(
        name=GATE_STEP,
        deps=[*lints, *credentials, dg.AssetKey(RECORDING.split("/"))],
        outs={"gate": dg.AssetOut(group_name="gate", owners=OWNERS, description=_GATE)},
        partitions_def=RELEASES,
        # The one check that blocks: the others must not hide each other, and the gate demands them all.
        check_specs=[_check_spec(GO, blocking=True)],
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

    return [*lints, staged_install, release_manifest, gate]
