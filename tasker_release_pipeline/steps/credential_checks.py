"""The checks of what a release is let in with: each registry's credentials, and the rights on GitHub."""

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from tasker_release_pipeline.registries.endpoints import TITLES
from tasker_release_pipeline.registries.token_check import is_known
from tasker_release_pipeline.release.catalogue import CREDENTIALS, RECORDING, checks_of
from tasker_release_pipeline.release.checks import CheckResult, Report
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.plan import Plan, Severity
from tasker_release_pipeline.release.probes import Access, Probed
from tasker_release_pipeline.release.settings import Registries
from tasker_release_pipeline.steps import recording_rights
from tasker_release_pipeline.steps.checking import run_checks
from tasker_release_pipeline.steps.credential_probe import probe, report
from tasker_release_pipeline.steps.registry_sets import RegistrySet, target
from tasker_release_pipeline.steps.rights import Right, State
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.source import released_commit

UNPROVEN = "unproven"


@dataclass(frozen=True)
class Tried:
    """What one asset of credentials holds, and its checks."""

    probed: Probed
    checks: list[CheckResult]


def try_credentials(run: ReleaseRun, plan: Plan, assets: Collection[str]) -> dict[str, Tried]:
    """Try what this run would be let in with, and run the checks of `assets` (`credentials/...`), at once.

    What a live release would be stopped by, a dry run says as warnings. Nothing is published, and no secret is told.
    """
    registries = {asset: registry for registry, asset in CREDENTIALS.items() if asset in assets}
    with target(run) as answering:
        looks: dict[str, Callable[[], Report]] = {
            asset: partial(accepted, run, registry, [p.name for p in plan.of_registry(registry)], answering)
            for asset, registry in registries.items()
        }
        if RECORDING in assets:
            looks[RECORDING] = lambda: recordable(run, plan)

        def tried(asset: str) -> Tried:
            (check,) = checks_of(asset)
            checks = run_checks(run, asset, plan.digest, {check.name: looks[asset]})
            return Tried(_probed(run, plan, asset, checks[0]), checks)

        with ThreadPoolExecutor(max_workers=len(looks)) as pool:
            return dict(zip(looks, pool.map(tried, looks), strict=True))


def accepted(run: ReleaseRun, registry: RegistryName, names: Sequence[str], answering: RegistrySet) -> Report:
    """Whether the registry would let in who is to publish packages of these names there."""
    if not names:
        return Report(seen=f"nothing is published on {TITLES[registry]}")
    if run.settings.registries is Registries.REHEARSAL:
        return _as_a_run_may(run, _loopback(registry, answering))
    return _as_a_run_may(run, report(probe(registry, names, run.environment, endpoints=answering.endpoints)))


def recordable(run: ReleaseRun, plan: Plan) -> Report:
    """Whether tags can be pushed, and the GitHub Release be made."""
    rights = recording_rights.recording_rights(run, plan, released_commit(run, plan), only=recording_rights.RECORDING)
    return _as_a_run_may(run, of_rights(rights, is_rehearsal=run.settings.registries is Registries.REHEARSAL))


def vouched_for(run: ReleaseRun, plan: Plan) -> Report:
    """Whether the commit is on the protected main branch, and that branch's CI was green."""
    if run.settings.registries is Registries.REHEARSAL:
        return Report(seen="a rehearsal, whose commit is nobody's branch and has no CI")
    rights = recording_rights.recording_rights(run, plan, plan.commit, only=recording_rights.AUTHORITY)
    return _as_a_run_may(run, of_rights(rights))


def of_rights(rights: Collection[Right], *, is_rehearsal: bool = False) -> Report:
    """What was found about rights as a report. What is unproven is a warning, in a rehearsal evidence alone.

    Several things that were found for the same reason are one message.
    """
    found: dict[tuple[State, str], list[str]] = {}
    for right in rights:
        found.setdefault((right.state, right.message), []).append(right.name.replace("_", " "))
    said = {state: [f"{', '.join(n)}: {m}" for (s, m), n in found.items() if s is state] for state in State}
    unproven = [f"{UNPROVEN}: {message}" for message in said[State.UNPROVEN]]
    evidence = {right.name: f"{right.state}: {right.message}" for right in rights}
    seen = {f"{right.name}, {what}": value for right in rights for what, value in right.evidence.items()}
    return Report.of(
        errors=said[State.ERROR],
        warnings=[*said[State.WARNING], *([] if is_rehearsal else unproven)],
        evidence={**evidence, **seen},
        seen="; ".join([*said[State.OK], *unproven]),
    )


def _loopback(registry: RegistryName, answering: RegistrySet) -> Report:
    """A rehearsal's registries make their own token: nothing of the environment is tried, or counts."""
    answer = is_known(registry, answering.credentials.needed(registry), answering.endpoints)
    whose = f"a rehearsal: {TITLES[registry]} on loopback, with its own token"
    if answer.known is False:
        return Report.of(errors=[f"{whose}, which it does not know: {answer.said}; take its folder away"])
    if answer.known is None and registry is not RegistryName.PYPI:  # which tells nobody
        return Report.of(warnings=[f"{UNPROVEN}: {whose}: {answer.said}"])
    return Report.of(evidence={"token": answer.said}, seen=whose)


def _as_a_run_may(run: ReleaseRun, found: Report) -> Report:
    if not run.settings.dry_run:
        return found
    errors = [finding.message for finding in found.findings if finding.severity is Severity.ERROR]
    warnings = [finding.message for finding in found.findings if finding.severity is not Severity.ERROR]
    return Report.of(
        warnings=[*(f"a release would stop here: {message}" for message in errors), *warnings],
        evidence=found.evidence,
        seen=found.seen,
    )


def _probed(run: ReleaseRun, plan: Plan, asset: str, found: CheckResult) -> Probed:
    name = asset.partition("/")[2]
    registries: Mapping[str, RegistryName] = {str(registry): registry for registry in RegistryName}
    wanted = plan.of_registry(registries[name]) if name in registries else [p for p in plan.packages if p.publish]
    messages = tuple(finding.message for finding in found.findings)
    if not wanted:
        access = Access.NOT_NEEDED
    elif found.stops or any(message.startswith("a release would stop here") for message in messages):
        access = Access.REFUSED
    else:
        access = Access.UNPROVEN if any(UNPROVEN in message for message in messages) else Access.ACCEPTED
    return Probed(
        target=name,
        plan=plan.digest,
        mode=run.mode,
        packages=tuple(package.key for package in wanted),
        access=access,
        told=messages or (found.seen,),
    )
