"""Publishing one registry's packages outside of a graph: which release, in which order, and what stops it."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import count

from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError, ReleaseError, TryAgainError
from tasker_release_pipeline.release.outcome import Outcome, OutcomeKind
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.release.settings import OnDuplicate
from tasker_release_pipeline.steps.inputs import check_inputs
from tasker_release_pipeline.steps.lease import leases
from tasker_release_pipeline.steps.publish import duplicate, publish_package
from tasker_release_pipeline.steps.published_install import install_from_target
from tasker_release_pipeline.steps.record import tag_component
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.run_lock import sole_run
from tasker_release_pipeline.steps.status import Presence, look_up
from tasker_release_pipeline.steps.summary import write_summary


def publish_registry(run: ReleaseRun, registry: RegistryName) -> list[Outcome]:
    """Publish the release's packages of a registry in their order, and see them install from there.

    Stops at the first failure, and says what is out. Raises ReleaseError.
    """
    failures: dict[str, str] = {}
    run.store.check_writable()
    with sole_run(run), leases(run, {registry}), _summarised(run, failures):
        try:
            check_inputs(run, plans=False, builds=(), publishes={registry}, gates=False)
            plan = run.store.demand("plan.json", Plan, "run the release up to its gate first")
            _check_crates(run, plan, registry)
            _check_duplicates(run, registry)
        except ReleaseError as error:
            failures["input"] = str(error)
            raise
        outcomes: list[Outcome] = []
        for package in run.manifest.of_registry(registry):
            try:
                outcomes += _publish(run, package.key)
            except ReleaseError as error:
                failures[package.key.replace("/", "__")] = str(error)
                raise ReleaseError(f"{error}. {_so_far(run, plan, registry)}") from error
        if any(outcome.kind is not OutcomeKind.UNCHANGED for outcome in outcomes):
            _tag(run, registry)
            check = install_from_target(run, registry)
            run.log(f"{check.name}: {check.message}")
            if check.stops:
                failures[check.asset.replace("/", "__")] = check.message
                raise ReleaseError(f"{check.asset}: {check.name}: {check.message}. {_so_far(run, plan, registry)}")
        return outcomes


def _publish(run: ReleaseRun, key: str) -> Iterator[Outcome]:
    """Attempt after attempt, as long as the failure may pass within the registry's limits."""
    for attempt in count(run.attempt):
        try:
            outcome = publish_package(replace(run, attempt=attempt), key)
        except TryAgainError as later:
            run.log(f"{key}: {later}")
            time.sleep(later.seconds)
            continue
        if outcome is not None:
            run.store.write_outcome(outcome)
            if said := duplicate(run, outcome):
                run.log(f"warning: {said}")
            yield outcome
        return


def _tag(run: ReleaseRun, registry: RegistryName) -> None:
    """Tag the components whose last package this was. For want of a tag nothing fails that is published."""
    for component in run.manifest.components:
        if run.manifest.of_component(component)[-1].registry is registry:
            try:
                tag_component(run, component)
            except ReleaseError as error:
                run.log(f"warning: {error}; the packages are published: the job github_release tries the tag again")


def _check_duplicates(run: ReleaseRun, registry: RegistryName) -> None:
    """Where no package may be out already, none is: asked before the first upload. Raises InputError."""
    if run.settings.on_duplicate is not OnDuplicate.FAIL:
        return
    packages = [package for package in look_up(run, [registry]).packages if package.publish]
    if unknown := [f"{p.name}: {p.detail}" for p in packages if p.presence is Presence.UNKNOWN]:
        raise InputError(f"on_duplicate is fail, and it is unknown what is out: {'; '.join(unknown)}; run it again")
    if out := [f"{p.name} {p.version}" for p in packages if p.presence is Presence.PUBLISHED]:
        raise InputError(
            f"published already, with the same content: {', '.join(out)}; on_duplicate is fail: give "
            "--on-duplicate skip or warn to go on"
        )


def _check_crates(run: ReleaseRun, plan: Plan, registry: RegistryName) -> None:
    """Bindings are compiled against the published crates: those of this release have to be out. Raises InputError."""
    if registry is RegistryName.CRATES_IO or not plan.of_registry(RegistryName.CRATES_IO) or run.settings.dry_run:
        return
    status = look_up(run, [RegistryName.CRATES_IO])
    if wrong := [
        f"{p.name} {p.version} is {p.presence}" for p in status.packages if p.presence is not Presence.PUBLISHED
    ]:
        raise InputError(f"{registry} follows the crates, of which {', '.join(wrong)}: publish-crates first")


def _so_far(run: ReleaseRun, plan: Plan, registry: RegistryName) -> str:
    outcomes = [outcome for p in plan.of_registry(registry) if (outcome := run.store.outcome(p.key)) is not None]
    out = [f"{outcome.package} {outcome.version}" for outcome in outcomes if outcome.kind.good]
    return f"Out so far: {', '.join(out) or 'nothing'}"


@contextmanager
def _summarised(run: ReleaseRun, failures: Mapping[str, str]) -> Iterator[None]:
    try:
        yield
    finally:
        write_summary(run, failures)
