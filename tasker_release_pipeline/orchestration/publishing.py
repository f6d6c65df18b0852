"""The publish assets and their checks, made from the manifest's rows."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from tasker_release_pipeline.orchestration import metadata
from tasker_release_pipeline.orchestration.assets import KINDS, OWNERS
from tasker_release_pipeline.orchestration.bring_in import bring_in
from tasker_release_pipeline.orchestration.failures import failures_in_words
from tasker_release_pipeline.orchestration.partitions import RELEASES, partitioned_checks
from tasker_release_pipeline.orchestration.resources import SettingsResource
from tasker_release_pipeline.registries.endpoints import TITLES
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import ReleaseError, TryAgainError
from tasker_release_pipeline.release.manifest import Manifest, Package
from tasker_release_pipeline.release.outcome import Outcome
from tasker_release_pipeline.steps.dispatch import publish_on_github
from tasker_release_pipeline.steps.publish import duplicate, publish_package, upload_log
from tasker_release_pipeline.steps.published_install import check_name, install_from_target
from tasker_release_pipeline.steps.run import ReleaseRun


def asset_key(package: Package) -> dg.AssetKey:
    """`crates_io/tasker-pgmq`."""
    return dg.AssetKey(package.key.split("/"))


def publish_assets(manifest: Manifest) -> list[dg.AssetsDefinition]:
    """One asset for each package. A crate follows all of the phase before; the bindings follow the last phase."""
    phases = sorted({crate.phase for crate in manifest.crates if crate.phase is not None})
    peers = {phase: [crate for crate in manifest.crates if crate.phase == phase] for phase in phases}
    before = dict(zip(phases[1:], phases, strict=False))
    assets = [_publish_asset(crate, peers.get(before.get(crate.phase or 0, 0), [])) for crate in manifest.crates]
    last = peers[phases[-1]] if phases else []
    return assets + [_publish_asset(binding, last) for binding in manifest.bindings]


# Where more could run than there are cores: the gem first, whose install check compiles it.
_PRIORITY = {RegistryName.RUBYGEMS: 1}


def _publish_asset(package: Package, follows: list[Package]) -> dg.AssetsDefinition:
    own = {asset_key(package).to_user_string()}

    # `output_required=False`: a dry run yields nothing here, so that what was not published never looks published.
    @dg.asset(
        key=asset_key(package),
        description=(
            f"{package.name} on {TITLES[package.registry]}. Where it failed, mend what its metadata names and press "
            "*Materialize* for that release: the files that were proven are sent, nothing is built anew, and what is "
            "published stays as it is. A dry run leaves it missing."
        ),
        partitions_def=RELEASES,
        group_name="publish",
        owners=OWNERS,
        kinds=KINDS[package.registry],
        deps=["gate", *(asset_key(other) for other in follows)],
        output_required=False,
        op_tags={"dagster/priority": str(_PRIORITY.get(package.registry, 0))},
    )
    def publish(context: dg.AssetExecutionContext, settings: SettingsResource) -> Iterator[dg.MaterializeResult[Any]]:
        with failures_in_words():
            run = settings.start(context)
            before = run.store.outcome(package.key)
            try:
                if settings.is_githubs(run):
                    outcome: Outcome | None = publish_on_github(run, package.key)
                    # The workflow did more: what it recorded is told to the UI as well.
                    bring_in(context.instance, run.store, besides=own)
                else:
                    outcome = publish_package(run, package.key)
            except TryAgainError as later:
                # The event that follows has a stack, and the terminal does not show it; this line says all.
                context.log.warning(str(later))
                raise dg.RetryRequested(max_retries=later.attempts - 1, seconds_to_wait=later.seconds) from dg.Failure(
                    str(later)
                )
            except ReleaseError:
                after = run.store.outcome(package.key)
                if after is not None and after != before:
                    show_why(context, package.key, _shown(run, after))
                raise
        if outcome is not None:
            if said := duplicate(run, outcome):
                context.log.warning(said)
            yield dg.MaterializeResult(
                value=outcome,
                metadata=_shown(run, outcome),
                data_version=dg.DataVersion(outcome.version),
            )

    return publish


def _shown(run: ReleaseRun, outcome: Outcome) -> dict[str, Any]:
    return metadata.of_outcome(outcome, upload_log(run.store, outcome.package))


def show_why(context: dg.AssetExecutionContext, asset: str, shown: dict[str, Any]) -> None:
    """Put what went wrong on the asset's page, which otherwise says only that a run failed; the asset stays missing."""
    context.log_event(dg.AssetObservation(asset.split("/"), partition=context.partition_key, metadata=shown))


def install_checks(manifest: Manifest) -> list[dg.AssetChecksDefinition]:
    """One check for each registry: what was published installs from there in a clean place, and loads."""
    with partitioned_checks():
        return [
            _install_check(registry, manifest.of_registry(registry))
            for registry in RegistryName
            if manifest.of_registry(registry)
        ]


def _install_check(registry: RegistryName, packages: tuple[Package, ...]) -> dg.AssetChecksDefinition:
    # The last crate stands for all: the consumer that is built depends on every one of them.
    *others, last = packages

    @dg.asset_check(  # type: ignore[arg-type]  # generators are fine, only the annotation leaves them out
        asset=asset_key(last),
        name=check_name(registry),
        description="What was published installs from the registry in a clean place, loads, and reports its version.",
        additional_deps=[asset_key(other) for other in others],
        partitions_def=RELEASES,
    )
    def installs(context: dg.AssetCheckExecutionContext, settings: SettingsResource) -> Iterator[dg.AssetCheckResult]:
        with failures_in_words():
            result = install_from_target(settings.start(context), registry)
        yield metadata.of_check(result, context.log)
        if result.stops:
            # The publish stands; it is the run that must not look green.
            raise dg.Failure(description=result.message, allow_retries=False)

    return installs
