"""How a release stands: what the store records of it, and what the registries say now."""

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from tasker_release_pipeline.registries.client import client
from tasker_release_pipeline.registries.compare import Verdict as Found
from tasker_release_pipeline.registries.compare import files_of, same_version
from tasker_release_pipeline.release.artifact import Artifact, ReleaseManifest
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName
from tasker_release_pipeline.release.errors import ConflictError, RegistryError, UnavailableError
from tasker_release_pipeline.release.gate import Gate, Verdict
from tasker_release_pipeline.release.outcome import OutcomeKind
from tasker_release_pipeline.release.plan import PackagePlan, Plan
from tasker_release_pipeline.release.settings import Mode, Registries
from tasker_release_pipeline.steps.known_releases import releases
from tasker_release_pipeline.steps.registry_sets import rehearsal_folder, target
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.uploads import asked


class Presence(StrEnum):
    """What a registry has of a version now.

    published: all our files. in part: some of them, and no others. other content: the version is taken.
    """

    PUBLISHED = "published"
    IN_PART = "in part"
    MISSING = "missing"
    OTHER_CONTENT = "other content"
    UNKNOWN = "unknown"


_PRESENCE = {
    Found.SAME: Presence.PUBLISHED,
    Found.MISSING: Presence.IN_PART,
    Found.ABSENT: Presence.MISSING,
    Found.UNKNOWN: Presence.UNKNOWN,
}


class Seen(NamedTuple):
    """What was seen, and what is to be said of it."""

    presence: Presence
    detail: str = ""


class PackageStatus(BaseModel):
    """One package of a release. `publish`: whether the plan publishes it. `outcome`, `at`: its last, and when."""

    model_config = ConfigDict(frozen=True)

    package: str
    name: str
    registry: RegistryName
    version: str
    publish: bool
    outcome: OutcomeKind | None
    at: datetime | None
    presence: Presence
    detail: str


class ReleaseStatus(BaseModel):
    """A release. `files`: whether all is built and listed; `verdict`: the gate's on that, in `mode`."""

    model_config = ConfigDict(frozen=True)

    release: str
    commit: str
    registries: Registries
    files: bool
    verdict: Verdict | None
    mode: Mode | None
    packages: tuple[PackageStatus, ...]


def look_up(run: ReleaseRun, registries: Collection[RegistryName] = tuple(RegistryName)) -> ReleaseStatus:
    """How the packages of these registries stand. Nothing is written. Raises InputError where nothing is planned."""
    known = ", ".join(releases(run.environment)) or "none"
    plan = run.store.demand("plan.json", Plan, f"nothing is planned under this key; the store has {known}")
    manifest, gate = run.store.read("manifest.json", ReleaseManifest), run.store.read("gate.json", Gate)
    if manifest is not None and manifest.plan != plan.digest:
        manifest = None  # of an older plan
    if manifest is None or gate is None or gate.manifest != manifest.digest:
        gate = None
    packages = [package for package in plan.packages if package.registry in registries]
    with _endpoints(run) as endpoints, ThreadPoolExecutor(max_workers=8) as pool:
        files = [manifest.of_package(package.key) if manifest is not None else () for package in packages]
        seen = list(pool.map(lambda p, f: _presence(run, p, f, endpoints), packages, files))
    return ReleaseStatus(
        release=run.release,
        commit=plan.commit,
        registries=run.settings.registries,
        files=manifest is not None,
        verdict=gate.verdict if gate is not None else None,
        mode=gate.mode if gate is not None else None,
        packages=tuple(_status(run, package, found) for package, found in zip(packages, seen, strict=True)),
    )


def _status(run: ReleaseRun, package: PackagePlan, found: Seen) -> PackageStatus:
    outcome = run.store.outcome(package.key)
    return PackageStatus(
        package=package.key,
        name=package.name,
        registry=package.registry,
        version=package.version,
        publish=package.publish,
        outcome=outcome.kind if outcome is not None else None,
        at=outcome.at if outcome is not None else None,
        presence=found.presence,
        detail=found.detail or (outcome.detail if outcome is not None and not outcome.kind.good else ""),
    )


@contextmanager
def _endpoints(run: ReleaseRun) -> Iterator[Endpoints | None]:
    """Where to ask; None where a rehearsal has published nothing yet, so that looking makes no folder."""
    if run.settings.registries is Registries.REHEARSAL and not rehearsal_folder(run).is_dir():
        yield None
        return
    with target(run) as registries:
        yield registries.endpoints


def _presence(run: ReleaseRun, package: PackagePlan, files: tuple[Artifact, ...], endpoints: Endpoints | None) -> Seen:
    if endpoints is None:
        return Seen(Presence.MISSING)
    try:
        if not files:
            return _by_version(package, endpoints)
        answer = asked(run, package, files, endpoints).look()
    except ConflictError as error:
        return Seen(Presence.OTHER_CONTENT, str(error))
    except (UnavailableError, RegistryError) as error:
        return Seen(Presence.UNKNOWN, str(error))
    missing = answer.comparison.missing
    detail = "; ".join(answer.doubts) or (f"without {', '.join(missing)}" if answer.same and missing else "")
    return Seen(_PRESENCE[answer.verdict], detail)


def _by_version(package: PackagePlan, endpoints: Endpoints) -> Seen:
    """Where no files of ours are known to compare with: the version is there, or it is not."""
    holdings = client(package.registry, endpoints).holdings(package.name)
    if files_of(holdings, package.version, package.registry):
        return Seen(
            Presence.PUBLISHED, "" if not package.publish else "by its number: nothing is built to compare with"
        )
    if any(same_version(package.registry, version, package.version) for version in holdings.versions):
        return Seen(Presence.OTHER_CONTENT, "the number is used up, and no file is left")
    return Seen(Presence.MISSING)
