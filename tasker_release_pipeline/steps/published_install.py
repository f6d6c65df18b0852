"""After publishing: the packages install from the registry that they were published to, and load."""

from tasker_release_pipeline.release.artifact import ReleaseManifest
from tasker_release_pipeline.release.checks import CheckResult, Report
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.release.settings import Registries
from tasker_release_pipeline.steps.checking import result
from tasker_release_pipeline.steps.oldest import Oldest
from tasker_release_pipeline.steps.registry_sets import target
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.staged_install import install_all


def check_name(registry: RegistryName) -> str:
    """The check's name for one registry."""
    return f"installs_from_{registry}"


def install_from_target(run: ReleaseRun, registry: RegistryName) -> CheckResult:
    """Install what this release published to `registry` from there, in a clean place, and load it."""
    plan = run.store.demand("plan.json", Plan, "run `detect_and_calculate` (or `release`) for this release first")
    manifest = run.store.demand("manifest.json", ReleaseManifest, "run the `gate` job for this release first")
    with target(run) as registries:
        reported, problems = install_all(
            run, plan, registries.endpoints, "published", [registry], oldest=Oldest.at_hand(run, plan, [registry])
        )
    last = run.manifest.of_registry(registry)[-1]
    wrong = [f"{key}: {said}" for key, said in problems.items()]
    live = run.settings.registries is Registries.LIVE  # also where GitHub uploaded it, and the latch here is closed
    found = result(
        last.key,
        check_name(registry),
        manifest.digest,
        # What is out is out: on the public registries this informs, in a rehearsal it is what the rehearsal is for.
        Report.of(
            errors=[] if live else wrong,
            warnings=wrong if live else [],
            evidence=reported,
            seen="every package installs and loads" if reported else "nothing of this registry is part of this release",
        ),
    )
    run.store.write_check(found)
    return found
