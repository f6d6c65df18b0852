"""Before the gate: may this release be recorded, and does anybody vouch for its commit?"""

import fnmatch
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

from tasker_release_pipeline.github.actions import in_actions
from tasker_release_pipeline.github.api import RefusedError
from tasker_release_pipeline.github.tags import standing
from tasker_release_pipeline.release.errors import ReleaseError, UnavailableError
from tasker_release_pipeline.release.git import GitError
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.steps.authority import ci_is_green, on_main
from tasker_release_pipeline.steps.github_target import github
from tasker_release_pipeline.steps.rights import Finding, Question, Right, State
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.toolchains.tools import search_path

WAIT_SECONDS = 5.0
NOBODYS_OBJECT = "0" * 40
_SOON = timedelta(days=7)


def recording_rights(
    run: ReleaseRun, plan: Plan, commit: str, *, only: Collection[str] | None = None
) -> tuple[Right, ...]:
    """Whether tags and release can be made (`commit`: the released one), and whether main and its CI vouch for it.

    `only`: the names of those to look at; RECORDING and AUTHORITY are such, which together are all.

    Asks GitHub and git; changes nothing. Never raises for what could not be asked: that is `unproven`, with the reason.
    """
    if not plan.publishes:
        return (Right("recording", State.OK, "nothing is published, so nothing is recorded"),)
    names = [name for name in _CHECKS if only is None or name in only]
    try:
        with github(run, WAIT_SECONDS) as api:
            asked = Question(run, plan, commit, api, api.get(""))
            if asked.repository is None:
                hint = "" if api.token else "; no token is at hand: set GITHUB_TOKEN"
                raise UnavailableError(f"{api.repository}: GitHub shows no such repository{hint}")
            with ThreadPoolExecutor(max_workers=8) as pool:
                return tuple(pool.map(lambda name: _settled(name, _CHECKS[name], asked), names))
    except ReleaseError as error:
        return tuple(Right(name, State.UNPROVEN, f"could not be asked: {error}") for name in names)


def _settled(name: str, check: Callable[[Question], Finding], asked: Question) -> Right:
    try:
        return Right(name, *check(asked))
    except (ReleaseError, GitError) as error:
        return Right(name, State.UNPROVEN, f"could not be asked: {error}")


def _may_write(asked: Question) -> Finding:
    api = asked.api
    if api.token is None:
        if in_actions(asked.run.environment):
            return State.UNPROVEN, "no token at hand; the jobs that publish need GITHUB_TOKEN, `contents: write`", {}
        return State.WARNING, "no token: set GITHUB_TOKEN, or tags and release have to be made by hand", {}
    is_jobs = asked.is_jobs_token
    push = bool((asked.repository.get("permissions") or {}).get("push"))
    evidence = {"token": "a job's" if is_jobs else "a person's", "permissions.push": str(push).lower()}
    if not is_jobs and not push:
        way_out = "give one that may, or let somebody else release"
        return State.ERROR, f"the token in GITHUB_TOKEN may not push to {api.repository}: {way_out}", evidence
    return _by_sight(asked, is_jobs, evidence) if asked.run.settings.dry_run else _tried(asked, is_jobs, evidence)


def _by_sight(asked: Question, is_jobs: bool, evidence: dict[str, str]) -> Finding:
    """Whether the token may write, without writing."""
    api = asked.api
    if asked.repository.get("archived"):
        return State.ERROR, f"{api.repository} is archived: nothing can be recorded there", evidence
    if is_jobs or str(api.token).startswith("github_pat_"):
        # GitHub shows no job's token what it may; and of a fine-grained token only what its owner may.
        return State.UNPROVEN, "what this token may is told by using it alone, which a dry run does not", evidence
    return State.OK, f"the token may push to {api.repository}", evidence


def _tried(asked: Question, is_jobs: bool, evidence: dict[str, str]) -> Finding:
    """Ask for a tag on an object that cannot be: who may write is refused for the object, others for the right."""
    try:
        asked.api.send("POST", "git/refs", {"ref": f"refs/tags/{asked.tags[0]}", "sha": NOBODYS_OBJECT})
    except RefusedError as error:
        evidence = {**evidence, "a tag on no object": f"HTTP {error.status}"}
        if error.status == 422:
            return State.OK, f"the token may write to {asked.api.repository}", evidence
        if is_jobs and in_actions(asked.run.environment):
            said = "this job's token may not write; whether that of the jobs that publish may, they alone can tell"
            return State.UNPROVEN, f"{said} (give them `contents: write`)", evidence
        return State.ERROR, f"the token in GITHUB_TOKEN may not write: {error}", evidence
    return State.UNPROVEN, "GitHub took a tag on no object, which says nothing", evidence


def _token_lasts(asked: Question) -> Finding:
    ends = asked.api.expires
    if not ends:
        return State.OK, "GitHub names no end of the token", {}
    try:
        left = datetime.strptime(ends, "%Y-%m-%d %H:%M:%S %Z").replace(tzinfo=UTC) - datetime.now(UTC)
    except ValueError:
        return State.UNPROVEN, f"the token ends at {ends!r}, which can't be read", {"expires": ends}
    if left < _SOON:
        return State.WARNING, f"the token in GITHUB_TOKEN ends on {ends}: make the next one now", {"expires": ends}
    return State.OK, f"the token lasts until {ends}", {"expires": ends}


def _tags_are_free(asked: Question) -> Finding:
    found = {tag: commit for tag in asked.tags if (commit := standing(asked.api, tag)) is not None}
    wrong = [f"{tag} stands on {at}" for tag, at in found.items() if at != asked.commit]
    if wrong:
        said = f"{'; '.join(wrong)}; this release is {asked.commit}: release under the next version, or delete the tag"
        return State.ERROR, f"{said} if nothing was published from there (git push origin :refs/tags/TAG)", found
    return State.OK, f"free, or on this commit: {', '.join(asked.tags)}", found


def _rulesets_allow(asked: Question) -> Finding:
    against, unknown, seen = [], [], {}
    for row in asked.api.pages("rulesets", targets="tag"):
        if row["enforcement"] != "active" or row["target"] != "tag":
            continue
        ruleset = asked.api.get(f"rulesets/{row['id']}") or {}
        kinds = {rule["type"] for rule in ruleset.get("rules", [])}
        hit = [tag for tag in asked.tags if _covers(ruleset, f"refs/tags/{tag}")]
        if not hit or not kinds & {"creation", "tag_name_pattern"}:
            continue
        seen[ruleset["name"]] = f"{', '.join(sorted(kinds))} of {', '.join(hit)}"
        bypass = ruleset.get("current_user_can_bypass")
        if "creation" in kinds and bypass == "never" and not in_actions(asked.run.environment):
            against.append(ruleset["name"])
        elif bypass != "always":
            unknown.append(ruleset["name"])
    if against:
        way_out = "add who releases to its bypass list, or exclude these tags from it"
        return State.ERROR, f"rulesets forbid the tags: {', '.join(against)}; {way_out}", seen
    if unknown:
        said = "whether they let the publishing jobs pass, only these can tell"
        return State.UNPROVEN, f"rulesets are about the tags: {', '.join(unknown)}; {said}", seen
    return State.OK, "no ruleset stands against the tags", seen


def _covers(ruleset: Mapping[str, Any], ref: str) -> bool:
    names = (ruleset.get("conditions") or {}).get("ref_name") or {}

    def listed(patterns: Iterable[str]) -> bool:
        return any(pattern == "~ALL" or fnmatch.fnmatchcase(ref, pattern) for pattern in patterns)

    return listed(names.get("include", [])) and not listed(names.get("exclude", []))


def _workflow_files(asked: Question) -> Finding:
    checkout = asked.run.checkout
    bases = {asked.plan.components[p.component].base.commit for p in asked.plan.packages if p.publish}
    changed = {
        path
        for base in bases
        if base is not None
        for path in checkout.changed_paths(base, asked.plan.commit)
        if path.startswith(".github/workflows/")
    }
    evidence = {"changed since the base": ", ".join(sorted(changed)) or "nothing"}
    head = (asked.api.get(f"branches/{asked.branch}") or {}).get("commit", {}).get("sha", "")
    if not asked.is_jobs_token:
        return State.OK, "a person's token may tag a commit whatever its workflow files", evidence
    if not head or checkout.commit_of(head) is None:
        said = f"{asked.branch} on GitHub ({head[:12] or 'unknown'}) is not in {checkout.path}: fetch it (git fetch)"
        return State.UNPROVEN, said, evidence
    paths = checkout.changed_paths(head, asked.plan.commit)
    if differ := [path for path in paths if path.startswith(".github/workflows/")]:
        return (
            State.ERROR,
            f"{', '.join(differ)}: not as on {asked.branch}, and a job's token may not tag such a commit; bring them "
            f"to {asked.branch} first, or give a token with the permission `workflows`, or push the tags by hand",
            evidence,
        )
    if changed:
        said = "changed since the base: a job's token may be refused the tags; then push them by hand, and run again"
        return State.WARNING, f"{', '.join(sorted(changed))}: {said}", evidence
    return State.OK, "no workflow file differs", evidence


def _notes_can_be_made(asked: Question) -> Finding:
    if shutil.which("git-cliff", path=search_path()):
        return State.OK, "git-cliff is there", {}
    hint = "pip install 'tasker-release-pipeline[tools]'"
    if in_actions(asked.run.environment):
        return State.UNPROVEN, f"git-cliff is not in this job; the one that makes the release needs it ({hint})", {}
    return State.WARNING, f"git-cliff is missing, so the GitHub Release gets no notes: {hint}", {}


_CHECKS: Mapping[str, Callable[[Question], Finding]] = {
    "token_may_write": _may_write,
    "token_lasts": _token_lasts,
    "tags_are_free": _tags_are_free,
    "rulesets_allow_tags": _rulesets_allow,
    "workflow_files": _workflow_files,
    "commit_is_on_main": on_main,
    "ci_is_green": ci_is_green,
    "notes_can_be_made": _notes_can_be_made,
}
AUTHORITY = ("commit_is_on_main", "ci_is_green")
RECORDING = tuple(name for name in _CHECKS if name not in AUTHORITY)
