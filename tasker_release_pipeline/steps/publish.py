"""The publish step: one package of a release that has the gate's go, onto its registry."""

import random
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from tasker_release_pipeline.registries.publish import PublishStatus
from tasker_release_pipeline.release.errors import (
    ConflictError,
    GateError,
    NotVisibleError,
    ReleaseError,
    ToolError,
    TransientError,
    TryAgainError,
    UnavailableError,
    UntoldError,
)
from tasker_release_pipeline.release.outcome import Outcome, OutcomeKind
from tasker_release_pipeline.release.plan import PackagePlan, Plan
from tasker_release_pipeline.release.retries import Again, after_failure
from tasker_release_pipeline.release.settings import Mode, OnDuplicate
from tasker_release_pipeline.steps.gate import admit
from tasker_release_pipeline.steps.registry_sets import target
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.source import SourceTree
from tasker_release_pipeline.steps.uploads import upload_package
from tasker_release_pipeline.store import ReleaseStore

_KINDS = {
    ConflictError: OutcomeKind.CONFLICT,
    NotVisibleError: OutcomeKind.UPLOADED_NOT_VISIBLE,
    UnavailableError: OutcomeKind.UNKNOWN,
    UntoldError: OutcomeKind.UNKNOWN,
    GateError: OutcomeKind.NOT_ATTEMPTED,
}


def publish_package(run: ReleaseRun, key: str) -> Outcome | None:
    """Publish one package; None in a dry run, which uploads nothing.

    A failure's outcome is kept in the store before its error is raised: ReleaseError, of the kind that happened, or
    TryAgainError where it may pass within this run's limits.
    """
    if run.settings.dry_run:
        run.log(f"{key}: dry run, nothing is uploaded")
        return None
    plan = run.store.demand("plan.json", Plan, "run `detect_and_calculate` (or `release`) for this release first")
    package = plan.package(key)
    if not package.publish:
        return _outcome(run, package, OutcomeKind.UNCHANGED, detail="; ".join(package.reasons))
    log = _log(key)
    try:
        plan, manifest = admit(run)
        artifacts = manifest.of_package(key)
        tree = run.store.demand("source.json", SourceTree, "run `pre_flight_check` for this release first")
        # Written before anything is sent: killed in the middle, the next run knows that the version may be out.
        started = "the upload was started, and its end is not known; run again: it asks the registry first"
        run.store.write_outcome(_outcome(run, package, OutcomeKind.UNKNOWN, detail=started))
        with target(run) as registries:
            scratch = run.scratch(log)
            done = upload_package(run, package, artifacts, registries, plan=plan, tree=tree, scratch=scratch, log=log)
    except (TransientError, UnavailableError) as error:
        raise _again_or_not(run, package, error) from error
    except ReleaseError as error:
        run.store.write_outcome(_failure(run, package, error, str(error)))
        raise
    finally:
        run.keep_log(log)
    return _outcome(
        run,
        package,
        OutcomeKind.PUBLISHED if done.status is PublishStatus.PUBLISHED else OutcomeKind.ALREADY_PUBLISHED,
        files=artifacts,
        # A rehearsal's registries are gone by the time that anyone follows the link.
        page=done.page if run.mode is Mode.LIVE else "",
        seconds_upload=done.seconds_upload,
        seconds_propagation=done.seconds_propagation,
    )


def duplicate(run: ReleaseRun, outcome: Outcome) -> str:
    """What to warn of where a package was out already; empty where it was not, or nobody wants to know."""
    if outcome.kind is not OutcomeKind.ALREADY_PUBLISHED or run.settings.on_duplicate is OnDuplicate.SKIP:
        return ""
    return f"{outcome.package} {outcome.version}: is published already, with the same content"


def upload_log(store: ReleaseStore, key: str) -> str:
    """What the package's last upload printed, without secrets; empty where there was none."""
    with suppress(ReleaseError):  # nothing hangs on it
        return store.read_text(f"logs/{_log(key)}.log") or ""
    return ""


def _log(key: str) -> str:
    return f"publish_{key.replace('/', '_')}"


def _again_or_not(run: ReleaseRun, package: PackagePlan, error: TransientError | UnavailableError) -> ReleaseError:
    """Keep the outcome of a failure that may pass; the error to raise for it."""
    limits = run.manifest.registries[package.registry]
    # On the command line a run has no name of its own: what comes after this attempt was another's.
    earlier = [o for o in run.store.outcomes(package.key) if o.run == run.run and o.attempt < run.attempt]
    decided = after_failure(
        limits,
        attempt=run.attempt,
        waited=sum(outcome.seconds_wait for outcome in earlier),
        named=error.retry_after,
        now=datetime.now(UTC),
        jitter=random.random(),  # noqa: S311  # no secret hangs on it
    )
    if isinstance(decided, Again):
        detail = f"{decided.said}: {error}"
        run.store.write_outcome(_failure(run, package, error, detail, seconds_wait=decided.seconds))
        # The client's own lines, which may follow the first sentence, were printed when they came.
        in_short = str(error).partition("\n")[0].partition(". ")[0]
        return TryAgainError(f"{decided.said}: {in_short}", seconds=decided.seconds, attempts=limits.attempts)
    # The time first: what the client said may be many lines.
    detail = f"{decided.said}. {error}"
    run.store.write_outcome(_failure(run, package, error, detail))
    return type(error)(detail, error.retry_after)


def _failure(run: ReleaseRun, package: PackagePlan, error: ReleaseError, detail: str, **rest: Any) -> Outcome:
    kind = _KINDS.get(type(error), OutcomeKind.FAILED)
    earlier = {outcome.kind for outcome in run.store.outcomes(package.key) if outcome.version == package.version}
    # What the registry took once is out, though its index hides it and it refuses to take it again.
    if isinstance(error, ToolError) and (hidden := OutcomeKind.UPLOADED_NOT_VISIBLE) in earlier:
        kind, detail = hidden, f"uploaded before, and not visible yet; {detail}"
    return _outcome(run, package, kind, detail=detail, **rest)


def _outcome(run: ReleaseRun, package: PackagePlan, kind: OutcomeKind, **rest: Any) -> Outcome:
    return Outcome(
        package=package.key,
        kind=kind,
        version=package.version,
        registry=package.registry,
        mode=run.mode,
        run=run.run,
        attempt=run.attempt,
        at=datetime.now(UTC),
        **rest,
    )
