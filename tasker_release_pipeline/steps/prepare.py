"""The local release manager: from what is checked out to a commit that has the next release's versions, and its tag."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.git import Checkout, GitError
from tasker_release_pipeline.release.manifest import Manifest
from tasker_release_pipeline.release.next_release import NextRelease
from tasker_release_pipeline.release.plan import Finding, Plan, Severity, make_plan
from tasker_release_pipeline.release.preparing import advance, left_by_an_interrupted_one, modified
from tasker_release_pipeline.release.settings import Settings
from tasker_release_pipeline.release.stamping import stamped_commit
from tasker_release_pipeline.steps.published import ask_target
from tasker_release_pipeline.toolchains.cargo_metadata import check_manifest, metadata
from tasker_release_pipeline.toolchains.tools import check_tools


@dataclass(frozen=True)
class Preparation:
    """What preparing would do, or finds done.

    `plan`: under the release's tag. `prepared`: the commit that the tag belongs on; `changed`: the files in which it
    differs from what is checked out. `done`: tag and commit are there. `findings`: what speaks against it.
    """

    checkout: Checkout
    branch: str
    plan: Plan
    prepared: str
    changed: tuple[str, ...]
    done: bool
    findings: tuple[Finding, ...]

    @property
    def tag(self) -> str:
        """The release's tag, which is its key."""
        return self.plan.release

    @property
    def push(self) -> str:
        """The command that publishes commit and tag together: it starts the release."""
        remote = _configured(self.checkout, f"branch.{self.branch}.remote") or "origin"
        upstream = _configured(self.checkout, f"branch.{self.branch}.merge").removeprefix("refs/heads/")
        branch = self.branch if upstream in ("", self.branch) else f"{self.branch}:{upstream}"
        where = [] if self.checkout.path.resolve() == Path.cwd().resolve() else ["-C", str(self.checkout.path)]
        return shlex.join(["git", *where, "push", "--atomic", remote, branch, self.tag])

    def carry_out(self) -> None:
        """Move the branch, and set the tag. Raises InputError where something speaks against it."""
        if against := [finding.message for finding in self.findings if finding.severity is Severity.ERROR]:
            raise InputError("; ".join(against))
        if not self.done:
            advance(self.checkout, self.branch, self.prepared, self.tag, self.changed)


def look(settings: Settings, checkout: Checkout, manifest: Manifest, environment: dict[str, str]) -> Preparation | None:
    """Plan the next release of what is checked out; None where nothing changed since the last one.

    Raises InputError, UnavailableError, ToolError.
    """
    published = ask_target(settings, manifest, environment)
    upcoming = NextRelease.of(checkout, manifest, settings.from_ref, published)
    decisions = upcoming.decisions(manifest)
    releases = {name: decision.version for name, decision in decisions.items() if decision.publish}
    if not releases:
        return None
    core = releases.get(manifest.core or "")
    plan = make_plan(
        manifest,
        settings,
        release="next",
        commit=upcoming.commit,
        facts=upcoming.facts,
        unreachable={},
        tagged=bool(upcoming.tags),
    )
    prepared, changed = stamped_commit(checkout, upcoming.commit, manifest, plan.versions)
    tag = f"v{core}" if core else _binding_tag(upcoming.tags if not changed else ())
    plan = plan.model_copy(update={"release": tag})
    tags = checkout.tags()
    done = tags.get(tag) == prepared == upcoming.commit and not modified(checkout)
    branch = _branch(checkout)
    problems = [] if done else list(_against(checkout, manifest, branch, prepared, changed))
    if tags.get(tag, prepared) != prepared:
        problems.append(
            f"tag {tag} stands on {tags[tag][:12]}, the release would be {prepared[:12]}; if it was never pushed take "
            f"it back (git tag -d {tag}), else release under the next number: update-versions, commit, and run again"
        )
    missing = [] if done else check_tools(manifest, {package.registry for package in plan.packages}).problems
    findings = (
        *(Finding(severity=Severity.ERROR, message=problem) for problem in problems),
        *plan.findings,
        # What is prepared here may well be built elsewhere.
        *(Finding(severity=Severity.WARNING, message=f"to build it here: {problem}") for problem in missing),
    )
    return Preparation(checkout, branch, plan, prepared, changed, done, findings)


def _against(
    checkout: Checkout, manifest: Manifest, branch: str, prepared: str, changed: tuple[str, ...]
) -> Iterator[str]:
    if not branch:
        yield f"{checkout.path}: no branch is checked out; git switch to the one to release from"
    elif behind := _behind(checkout):
        yield f"{branch} is behind its upstream by {behind} (as of the last fetch); git pull first"
    if (files := modified(checkout)) and not left_by_an_interrupted_one(checkout, prepared, changed):
        yield f"{checkout.path}: uncommitted changes in {', '.join(files)}; commit them, or git stash"
    if manifest.crates:
        for problem in check_manifest(manifest, metadata(checkout.path)):
            yield f"manifest {manifest.name}: {problem}"


def _branch(checkout: Checkout) -> str:
    try:
        return checkout.run("symbolic-ref", "--quiet", "--short", "HEAD").strip()
    except GitError:
        return ""


def _behind(checkout: Checkout) -> int:
    try:
        return int(checkout.run("rev-list", "--count", "HEAD..@{upstream}"))
    except GitError:  # a branch without an upstream is not behind it
        return 0


def _configured(checkout: Checkout, name: str) -> str:
    try:
        return checkout.run("config", "--get", name).strip()
    except GitError:
        return ""


def _binding_tag(present: tuple[str, ...]) -> str:
    """The name of a release without crates: that which it has already, else by the time."""
    named = sorted(tag for tag in present if tag.startswith("release-"))
    return named[-1] if named else f"release-{datetime.now(UTC):%Y%m%d-%H%M}"
