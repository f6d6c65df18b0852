"""Recording a release, apart from publishing it: component tags and the GitHub Release."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tasker_release_pipeline.github.api import GitHub
from tasker_release_pipeline.github.changelog import changelog
from tasker_release_pipeline.github.releases import WantedRelease, ensure_release
from tasker_release_pipeline.github.tags import ensure_tag
from tasker_release_pipeline.release import record as told
from tasker_release_pipeline.release.artifact import ReleaseManifest
from tasker_release_pipeline.release.errors import InputError, ReleaseError
from tasker_release_pipeline.release.git import git
from tasker_release_pipeline.release.locked import READERS, Lockfiles
from tasker_release_pipeline.release.notes import notes
from tasker_release_pipeline.release.outcome import Outcome
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.release.record import Record, RecordState
from tasker_release_pipeline.release.sbom import sbom, serial
from tasker_release_pipeline.release.stamping import Tree
from tasker_release_pipeline.release.sums import asset_name, sha256, sums
from tasker_release_pipeline.steps.github_target import github
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.source import SourceTree, worktree

SBOM = "sbom.cdx.json"
_PLAN_FIRST = "run `detect_and_calculate` (or `release`) for this release first"


def tag_component(run: ReleaseRun, component: str) -> Record | None:
    """Put the component's tag on the released commit, where this release published it; None in a dry run.

    Done again it changes nothing. A failure is kept as a record before its error is raised: ReleaseError.
    """
    if run.settings.dry_run:
        run.log(f"{component}: dry run, nothing is tagged")
        return None
    plan = run.store.demand("plan.json", Plan, _PLAN_FIRST)
    packages = [package for package in plan.packages if package.component == component]
    tag = told.component_tag(plan, component)
    subject = told.tag_subject(component)
    if not any(package.publish for package in packages):
        return _keep(run, subject, RecordState.UNCHANGED, tag, "")
    with _kept_failure(run, subject, tag, plan):
        if missing := told.unpublished(packages, _outcomes(run, plan)):
            raise InputError(f"tag {tag}: not published yet: {', '.join(missing)}; publish that, then run this again")
        manifest = _manifest(run)
        with _reachable(run, plan, manifest), github(run) as api:
            made = ensure_tag(api, tag, manifest.commit)
    run.log(f"{tag} {'put' if made else 'stands'} on {manifest.commit[:12]}")
    return _keep(run, subject, RecordState.MADE if made else RecordState.THERE, tag, manifest.commit)


def record_release(run: ReleaseRun) -> Record | None:
    """Make the GitHub Release, or mend it, and the component tags that are missing; None in a dry run.

    A draft until everything of the plan is published. Done again it changes nothing. A failure, and a draft that waits,
    is kept as a record before its error is raised: ReleaseError.
    """
    if run.settings.dry_run:
        run.log("dry run, no GitHub Release is made")
        return None
    plan = run.store.demand("plan.json", Plan, _PLAN_FIRST)
    tag = told.release_tag(plan)
    if not plan.publishes:
        return _keep(run, told.GITHUB_RELEASE, RecordState.UNCHANGED, tag, "")
    with _kept_failure(run, told.GITHUB_RELEASE, tag, plan):
        manifest, outcomes = _manifest(run), _outcomes(run, plan)
        missing = told.unpublished(plan.packages, outcomes)
        with _reachable(run, plan, manifest):
            wanted = _wanted(run, plan, manifest, outcomes, draft=bool(missing))
            with github(run) as api:
                _tag_the_rest(run, api, plan, manifest, outcomes)
                if not missing:
                    ensure_tag(api, tag, manifest.commit)
                before = api.changes
                row = ensure_release(api, wanted)
                made = api.changes > before
    if missing:
        waits = f"a draft until everything of the plan is published; missing: {', '.join(missing)}"
        _keep(run, told.GITHUB_RELEASE, RecordState.WAITS, tag, manifest.commit, url=row["html_url"], detail=waits)
        raise InputError(f"GitHub Release {tag}: {waits}; publish that, then run `github_release` again")
    state = RecordState.MADE if made else RecordState.THERE
    return _keep(run, told.GITHUB_RELEASE, state, tag, manifest.commit, url=row["html_url"])


def _tag_the_rest(
    run: ReleaseRun, api: GitHub, plan: Plan, manifest: ReleaseManifest, outcomes: Mapping[str, Outcome]
) -> None:
    """The tags that a publish job could not make: the last chance to, and a repair."""
    for component in plan.components:
        packages = [package for package in plan.packages if package.component == component]
        if not any(package.publish for package in packages) or told.unpublished(packages, outcomes):
            continue
        tag, subject = told.component_tag(plan, component), told.tag_subject(component)
        with _kept_failure(run, subject, tag, plan):
            made = ensure_tag(api, tag, manifest.commit)
        known = run.store.record(subject)
        if made or known is None or known.state is RecordState.FAILED:
            _keep(run, subject, RecordState.MADE if made else RecordState.THERE, tag, manifest.commit)


def _wanted(
    run: ReleaseRun, plan: Plan, manifest: ReleaseManifest, outcomes: Mapping[str, Outcome], *, draft: bool
) -> WantedRelease:
    """What the GitHub Release has to be; its own files are kept in the store below `github/`."""
    scratch = run.scratch("github_release")
    base = told.notes_base(plan, run.checkout)
    log = "github_release"
    try:
        changes = changelog(
            run.checkout.path, base.commit, plan.commit, scratch=scratch, log=run.log, logfile=run.logfile(log)
        )
    finally:
        run.keep_log(log)
    title = told.release_title(plan)
    files = {asset_name(a.file): run.store.get_artifact(a, scratch / "files") for a in manifest.artifacts}
    own = {SBOM: _sbom(run, plan, manifest, title)}
    digests = {asset_name(a.file): a.sha256 for a in manifest.artifacts}
    own["SHA256SUMS"] = sums(digests | {name: sha256(text.encode()) for name, text in own.items()})
    body = notes(plan, manifest, outcomes, base=base, changes=changes)
    for name, text in {**own, "notes.md": body}.items():
        run.store.write_bytes(f"github/{name}", text.encode())
    for name, text in own.items():
        files[name] = scratch / name
        files[name].write_text(text, encoding="utf-8")
    return WantedRelease(
        tag=told.release_tag(plan),
        commit=manifest.commit,
        title=title,
        notes=body,
        prerelease=told.is_prerelease(plan),
        draft=draft,
        files=files,
    )


def _sbom(run: ReleaseRun, plan: Plan, manifest: ReleaseManifest, title: str) -> str:
    """The bill of materials, as first written: another version of the library could write the same differently."""
    kept = run.store.read_text(f"github/{SBOM}")
    if kept is not None and str(serial(manifest)) in kept:
        return kept
    epoch = int(git(run.checkout.path, "show", "-s", "--no-show-signature", "--format=%ct", manifest.commit))
    return sbom(plan, manifest, _lockfiles(run, manifest), title=title, epoch=epoch)


def _lockfiles(run: ReleaseRun, manifest: ReleaseManifest) -> Lockfiles:
    tree = Tree.of(run.checkout, manifest.commit)
    paths = sorted(path for name in READERS for path in tree.named(name))
    return Lockfiles.of({path: tree.read(path) or "" for path in paths})


@contextmanager
def _reachable(run: ReleaseRun, plan: Plan, manifest: ReleaseManifest) -> Iterator[Path]:
    """The released commit, in this checkout: a rehearsal's, which was never pushed, is stamped again where it lacks."""
    if run.checkout.commit_of(manifest.commit) is not None:
        yield run.checkout.path
        return
    tree = run.store.demand("source.json", SourceTree, "run `pre_flight_check` for this release first")
    with worktree(run, plan, tree) as folder:
        yield folder


@contextmanager
def _kept_failure(run: ReleaseRun, subject: str, name: str, plan: Plan) -> Iterator[None]:
    try:
        yield
    except ReleaseError as error:
        _keep(run, subject, RecordState.FAILED, name, plan.commit, detail=str(error))
        raise


def _keep(run: ReleaseRun, subject: str, state: RecordState, name: str, commit: str, **rest: Any) -> Record:
    record = Record(
        subject=subject,
        state=state,
        name=name,
        commit=commit,
        mode=run.mode,
        run=run.run,
        attempt=run.attempt,
        at=datetime.now(UTC),
        **rest,
    )
    run.store.write_record(record)
    return record


def _manifest(run: ReleaseRun) -> ReleaseManifest:
    return run.store.demand("manifest.json", ReleaseManifest, "run the `gate` job for this release first")


def _outcomes(run: ReleaseRun, plan: Plan) -> dict[str, Outcome]:
    return {p.key: outcome for p in plan.packages if (outcome := run.store.outcome(p.key)) is not None}
