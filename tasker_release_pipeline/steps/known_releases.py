"""The releases that a store knows: which there are, how each stands by its records, which has a certain version."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, ConfigDict
from semver import Version

from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.gate import Gate, Verdict
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.release.settings import Registries, Settings
from tasker_release_pipeline.store import ReleaseStore, os_errors


class ReleaseRow(BaseModel):
    """A release in a list. `published` of `packages` that its plan publishes; `at`: of its last outcome."""

    model_config = ConfigDict(frozen=True)

    release: str
    registries: Registries
    packages: int
    published: int
    verdict: Verdict | None
    at: datetime | None


def releases(environment: Mapping[str, str]) -> list[str]:
    """The releases that the store knows, by name. Raises InputError where it can't be read."""
    root = ReleaseStore.of("", environment).root
    try:
        with os_errors():
            return sorted(place.name for place in root.iterdir() if (place / "settings.json").exists())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(
            f"store {root}: cannot be read ({error.strerror or error}); name another with --store"
        ) from None


def row(release: str, environment: Mapping[str, str]) -> ReleaseRow:
    """What the store alone says of a release. Raises InputError."""
    store = ReleaseStore.of(release, environment)
    plan, gate = store.read("plan.json", Plan), store.read("gate.json", Gate)
    settings = store.read("settings.json", Settings) or Settings()
    wanted = [package.key for package in plan.packages if package.publish] if plan is not None else []
    outcomes = [outcome for key in wanted if (outcome := store.outcome(key)) is not None]
    return ReleaseRow(
        release=release,
        registries=settings.registries,
        packages=len(wanted),
        published=sum(outcome.kind.good for outcome in outcomes),
        verdict=gate.verdict if gate is not None else None,
        at=max((outcome.at for outcome in outcomes), default=None),
    )


def release_of(
    registry: RegistryName, version: Version, registries: Registries, environment: Mapping[str, str]
) -> str | None:
    """The release in the store that publishes `version` to `registry`; None without one.

    Of several `v<version>`, else the one that has the gate's go. Raises InputError where that is not one.
    """
    found = [key for key in releases(environment) if _publishes(key, registry, version, registries, environment)]
    if len(found) > 1:
        found = (
            [key for key in found if key == f"v{version}"]
            or [key for key in found if _has_a_go(ReleaseStore.of(key, environment))]
            or found
        )
    if len(found) > 1:
        raise InputError(f"{version}: {', '.join(found)} publish it to {registry}; say which with --release")
    return found[0] if found else None


def planned_version(plan: Plan, registry: RegistryName) -> Version | None:
    """The version that a plan has for the packages of a registry; None without any."""
    components = {package.component for package in plan.packages if package.registry is registry}
    versions = [plan.versions[component] for component in sorted(components)]
    return versions[0] if versions else None


def _publishes(
    key: str, registry: RegistryName, version: Version, registries: Registries, environment: Mapping[str, str]
) -> bool:
    plan = ReleaseStore.of(key, environment).read("plan.json", Plan)
    return (
        plan is not None
        and plan.settings.registries is registries
        and bool(plan.of_registry(registry))
        and planned_version(plan, registry) == version
    )


def _has_a_go(store: ReleaseStore) -> bool:
    gate = store.read("gate.json", Gate)
    return gate is not None and gate.verdict is Verdict.GO
