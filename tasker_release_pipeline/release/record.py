"""What is recorded of a release, apart from publishing it: component tags and the GitHub Release."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict
from semver import Version

from tasker_release_pipeline.release.bases import BEGINNING, Base
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.git import Checkout
from tasker_release_pipeline.release.manifest import Manifest
from tasker_release_pipeline.release.outcome import Outcome
from tasker_release_pipeline.release.plan import PackagePlan, Plan
from tasker_release_pipeline.release.settings import Mode

GITHUB_RELEASE = "github_release"
RELEASE_STEP = "record_release"
"""The GitHub Release's step; its asset is `github_release`."""


def tag_subject(component: str) -> str:
    """The asset, and the record, of a component's tag."""
    return f"tags/{component}"


class RecordState(StrEnum):
    """How a record stands. `waits`: a draft that waits for packages of the plan; `unchanged`: nothing to record."""

    MADE = "made"
    THERE = "already there"
    WAITS = "draft"
    UNCHANGED = "unchanged"
    FAILED = "failed"


class Record(BaseModel):
    """One attempt to record something.

    `subject`: `tags/core` or `github_release`; `name`: the tag's or release's; `commit`: that it stands on; `url`: its
    page. `detail`: for a failure what happened and the way out; for a draft what it waits for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str
    state: RecordState
    name: str
    commit: str
    mode: Mode
    url: str = ""
    detail: str = ""
    run: str = ""
    attempt: int = 1
    at: AwareDatetime


def subjects(manifest: Manifest) -> tuple[str, ...]:
    """Everything that is recorded of a release, in its order."""
    return (*(tag_subject(component) for component in manifest.components), GITHUB_RELEASE)


def is_recording(step: str) -> bool:
    """Whether a step of the graph records, and publishes nothing."""
    return step.startswith(tag_subject("").replace("/", "__")) or step == RELEASE_STEP


def component_tag(plan: Plan, component: str) -> str:
    """`core-v0.1.9`: the version as SemVer has it, whatever the registry's style."""
    return f"{component}-v{plan.components[component].version}"


def core_of(plan: Plan) -> str | None:
    """The version of the crates, where this release publishes them."""
    return next((plan.components[p.component].version for p in plan.packages if p.phase and p.publish), None)


def release_tag(plan: Plan) -> str:
    """The GitHub Release's tag: `v0.1.9`; of a release without the core, which has no such version, its own key."""
    core = core_of(plan)
    return f"v{core}" if core is not None else plan.release


def release_title(plan: Plan) -> str:
    """The GitHub Release's title; of a release without the core, what it brings."""
    if core_of(plan) is not None:
        return release_tag(plan)
    return ", ".join(f"{package.name} {package.version}" for package in plan.packages if package.publish)


def is_prerelease(plan: Plan) -> bool:
    """Whether anything that is published is a pre-release."""
    return any(
        Version.parse(plan.components[package.component].version).prerelease is not None
        for package in plan.packages
        if package.publish
    )


def unpublished(packages: Iterable[PackagePlan], outcomes: Mapping[str, Outcome]) -> list[str]:
    """The packages of the plan that are not out at its version, each with what is known: `npm/tasker (failed)`.

    `outcomes`: the last one of each package.
    """
    missing = []
    for package in packages:
        outcome = outcomes.get(package.key)
        if not package.publish:
            continue
        if outcome is None:
            missing.append(f"{package.key} (not attempted)")
        elif not outcome.kind.good or outcome.version != package.version:
            missing.append(f"{package.key} ({outcome.kind.value})")
    return missing


def notes_base(plan: Plan, checkout: Checkout) -> Base:
    """The base that the notes start from: the oldest one of what is published, so that no change is left out.

    Raises InputError for a shallow clone, which lacks the history.
    """
    if checkout.shallow:
        raise InputError(
            f"source {checkout.path}: a shallow clone, which lacks the commits that the release's notes are made of; "
            "fetch the rest (git fetch --unshallow --tags; in GitHub Actions: fetch-depth: 0)"
        )
    bases = [plan.components[package.component].base for package in plan.packages if package.publish]
    oldest = bases[0] if bases else BEGINNING
    for base in bases:
        if base.commit is None:
            return base
        if oldest.commit is not None and checkout.is_ancestor(base.commit, oldest.commit):
            oldest = base
    return oldest
