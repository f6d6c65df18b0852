"""What a registry's own rate limits will make this release wait for, told at the gate."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from tasker_release_pipeline.registries.client import client
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import ReleaseError
from tasker_release_pipeline.release.manifest import Rate, Registry
from tasker_release_pipeline.release.plan import Finding, PackagePlan, Plan, Severity
from tasker_release_pipeline.release.retries import in_words
from tasker_release_pipeline.release.settings import Mode
from tasker_release_pipeline.steps.registry_sets import RegistrySet
from tasker_release_pipeline.steps.run import ReleaseRun


def rate_forecast(run: ReleaseRun, plan: Plan, registries: RegistrySet) -> Iterator[Finding]:
    """A warning for each limit that this release goes beyond, or perhaps does."""
    rehearsed = "; in a rehearsal only where it is ordered as a fault" if run.mode is Mode.REHEARSAL else ""
    for registry, limits in run.manifest.registries.items():
        packages = plan.of_registry(registry)
        if not any(rate and len(packages) > rate.burst for rate in (limits.new_names, limits.new_versions)):
            continue  # whatever of it is new
        try:
            names, versions = _new(packages, registries)
        except ReleaseError as error:
            message = f"{registry}: unknown whether its rate limits make {len(packages)} packages wait: {error}"
            yield Finding(severity=Severity.WARNING, message=message)
            continue
        for what, rate, those in (
            ("new names", limits.new_names, names),
            ("new versions of known names", limits.new_versions, versions),
        ):
            if rate and len(those) > rate.burst:
                message = foretold(registry, limits, rate, what, those) + rehearsed
                yield Finding(severity=Severity.WARNING, message=message)


def foretold(registry: RegistryName, limits: Registry, rate: Rate, what: str, those: Sequence[PackagePlan]) -> str:
    """How long `those` packages, more than the burst of `rate`, will take, where nothing else has used it up."""
    late = those[rate.burst :]
    # The packages of one phase ask at the same moment, so that the last of them is sent away for each of the others.
    turns = max(Counter(package.phase for package in late).values())
    said = (
        f"{registry}: {len(those)} {what}; it lets {rate.burst} through at once, then one every "
        f"{in_words(rate.seconds)}: expect about {in_words(len(late) * rate.seconds)} of waiting"
    )
    if turns * rate.seconds <= limits.wait_seconds and turns < limits.attempts:
        return f"{said}, which the run does by itself"
    return (
        f"{said}; that is more than a run waits for a package ({in_words(limits.wait_seconds)}, attempts: "
        f"{limits.attempts}): it will end, say when to go on, and has to be run again"
    )


def _new(packages: Sequence[PackagePlan], registries: RegistrySet) -> tuple[list[PackagePlan], list[PackagePlan]]:
    """Those whose names the registry does not know, and those that it only lacks this version of."""
    asked = client(packages[0].registry, registries.endpoints)
    with ThreadPoolExecutor(max_workers=8) as pool:
        held = dict(
            zip(packages, pool.map(lambda package: asked.holdings(package.name).versions, packages), strict=True)
        )
    names = [package for package in packages if not held[package]]
    return names, [p for p in packages if held[p] and p.version not in held[p]]
