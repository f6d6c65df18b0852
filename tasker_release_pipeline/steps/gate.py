"""The gate step: everything that is known about a release, judged; and its word for later runs and processes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from tasker_release_pipeline.registries.compare import Verdict as Found
from tasker_release_pipeline.release.artifact import ReleaseManifest, digest_of, subject_of
from tasker_release_pipeline.release.catalogue import (
    BUILD_ASSETS,
    CREDENTIALS,
    GO,
    LINTS,
    RECORDING,
    RELEASE_MANIFEST,
    RELEASE_PLAN,
    SOURCE_TREE,
    STAGED_INSTALL,
    catalogue,
)
from tasker_release_pipeline.release.checks import CheckResult, Report
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import ConflictError, GateError, ReleaseError
from tasker_release_pipeline.release.gate import Gate, judge
from tasker_release_pipeline.release.plan import Finding, PackagePlan, Plan, Severity
from tasker_release_pipeline.release.settings import OnDuplicate
from tasker_release_pipeline.steps.checking import result
from tasker_release_pipeline.steps.rate_forecast import rate_forecast
from tasker_release_pipeline.steps.registry_sets import RegistrySet, target
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.uploads import asked


def give_verdict(run: ReleaseRun, plan: Plan, manifest: ReleaseManifest) -> tuple[Gate, CheckResult]:
    """Judge the release; the check passes with a go."""
    findings = list(plan.findings)
    with target(run) as registries:
        findings += rate_forecast(run, plan, registries)
        with ThreadPoolExecutor(max_workers=8) as pool:
            wanted = [package for package in plan.packages if manifest.of_package(package.key)]

            def look(package: PackagePlan) -> list[Finding]:
                return list(_already_there(run, package, manifest, registries, said=package.key in plan.unreachable))

            for found in pool.map(look, wanted):
                findings += found
    gate = judge(manifest, run.mode, run.store.checks(), _expected(run, plan, manifest), tuple(findings))
    against = [finding.message for finding in gate.findings if finding.severity is Severity.ERROR]
    report = Report.of(
        errors=against,
        evidence={finding.message: finding.severity for finding in gate.findings},
        seen=f"{len(manifest.artifacts)} files may be uploaded ({run.mode})",
    )
    check = result(GO.asset, GO.name, manifest.digest, report)
    run.store.write_check(check)
    return gate, check


def admit(run: ReleaseRun) -> tuple[Plan, ReleaseManifest]:
    """The plan and the files that may be uploaded now. Raises GateError, or InputError where the store lacks them."""
    way_out = "run the jobs up to `gate` (or `release`) for this release first"
    plan = run.store.demand("plan.json", Plan, way_out)
    manifest = run.store.demand("manifest.json", ReleaseManifest, way_out)
    gate = run.store.demand("gate.json", Gate, way_out)
    if manifest.plan != plan.digest:
        raise GateError(f"release {run.release}: planned anew since its files were listed; {way_out}")
    gate.admit(manifest, run.mode)
    # An older go may lie there, from before a check that has failed since: the same judgement, on what is known now.
    expected = _expected(run, plan, manifest)
    judge(manifest, run.mode, run.store.checks(), expected, gate.findings).admit(manifest, run.mode)
    return plan, manifest


def _expected(run: ReleaseRun, plan: Plan, manifest: ReleaseManifest) -> dict[tuple[str, str], str]:
    """The checks that have to be there, and the digest that each must have looked at."""
    files = digest_of(manifest.artifacts)
    subjects = {
        **dict.fromkeys([RELEASE_PLAN, RECORDING, *CREDENTIALS.values()], plan.digest),
        **dict.fromkeys([SOURCE_TREE, LINTS], manifest.commit),
        **{
            asset: subject_of(manifest.commit, manifest.of_registry(registry))
            for registry, asset in BUILD_ASSETS.items()
        },
        STAGED_INSTALL: files,
        RELEASE_MANIFEST: files,
    }
    # A registry that the release leaves alone need not have been built for.
    registries = [registry for registry in RegistryName if plan.of_registry(registry)]
    return {
        (check.asset, check.name): check.subject(subjects[check.asset], run.mode) for check in catalogue(registries)
    }


def _already_there(
    run: ReleaseRun, package: PackagePlan, manifest: ReleaseManifest, registries: RegistrySet, *, said: bool
) -> Iterator[Finding]:
    """`said`: that the registry did not answer is among the plan's checks already."""
    try:
        found = asked(run, package, manifest.of_package(package.key), registries.endpoints).answer()
    except ConflictError as error:
        yield Finding(severity=Severity.ERROR, message=str(error))
        return
    except ReleaseError as error:
        unknown = Severity.WARNING if run.settings.dry_run else Severity.ERROR
        if not said:
            yield Finding(severity=unknown, message=f"{package.key}: unknown what is published: {error}")
        return
    if found.verdict is Found.SAME and run.settings.on_duplicate is not OnDuplicate.SKIP:
        fails = run.settings.on_duplicate is OnDuplicate.FAIL
        yield Finding(
            severity=Severity.ERROR if fails else Severity.WARNING,
            message=f"{package.key} {package.version}: is published already, with the same content ({found.how})"
            + ("; on_duplicate is fail: set skip or warn to go on" if fails else ""),
        )
