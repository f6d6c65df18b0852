"""Which components a release publishes, and at which versions: a pure function of what is known."""

from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict
from semver import Version

from tasker_release_pipeline.release.bases import Base, BaseKind
from tasker_release_pipeline.release.changes import Changes
from tasker_release_pipeline.release.manifest import Manifest
from tasker_release_pipeline.release.versions import next_patch


class Published(BaseModel):
    """What the registries hold of a component: by package key its versions, or None where they could not be asked."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    packages: Mapping[str, tuple[Version, ...] | None]

    @property
    def complete(self) -> set[Version]:
        """The versions that every package is known to be published at."""
        return _common(self.packages.values())

    @property
    def taken(self) -> set[Version]:
        """The versions that any package is known to be published at."""
        return set[Version]().union(*(versions or () for versions in self.packages.values()))

    @property
    def latest(self) -> Version | None:
        """The last version that the whole component is published at.

        A package that never was published is new, and says nothing about the others' last version.
        """
        return max(_common(held for held in self.packages.values() if held != ()), default=None)

    @property
    def asked(self) -> bool:
        """Whether every registry answered."""
        return None not in self.packages.values()


class Facts(BaseModel):
    """What is known of one component.

    `tree`: the version in the released commit. `at_base`: that at the base; None where there is no base, or no version
    at it. `changes`: what differs from the base.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    tree: Version
    base: Base
    at_base: Version | None
    published: Published
    changes: Changes


class Decision(BaseModel):
    """What a release does with one component.

    `version`: the one to publish, or for an unchanged component the one that it stays at. `reasons`: in words.
    `prepared`: the tree has that version already.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    component: str
    publish: bool
    version: str
    tree: str
    prepared: bool
    base: Base
    reasons: tuple[str, ...]


def decide(
    manifest: Manifest, facts: Mapping[str, Facts], release: str, *, tagged: bool = False
) -> dict[str, Decision]:
    """Apply the rules of changes and versions to each component, the core first.

    `facts` has one entry for each. `tagged`: the release's tag stands on the released commit.
    """
    named = tagged or (manifest.core is not None and release == f"v{facts[manifest.core].tree}")
    decisions: dict[str, Decision] = {}
    if manifest.core is not None:
        known = facts[manifest.core]
        reasons = _core_reasons(known.changes)
        decisions[manifest.core] = _decision(manifest.core, known, reasons, _bumped(known), named)
    for component in manifest.components:
        if component in decisions:
            continue
        known = facts[component]
        own = [key for key in known.changes.packages if manifest.package(key).component == component]
        reasons = [f"{key} changed ({_some(known.changes.packages[key])})" for key in own]
        version = _bumped(known)
        if known.changes.ffi_core:
            reasons.append("the FFI core changed")
            if manifest.core is not None:
                version = max(version, Version.parse(decisions[manifest.core].version))
        decisions[component] = _decision(component, known, reasons, version, named)
    return decisions


def _decision(component: str, known: Facts, reasons: list[str], bumped: Version, named: bool) -> Decision:
    prepared = _is_prepared(known, named)
    if not reasons and (left := _left_behind(known)):
        reasons, prepared = [f"{known.tree} is not published yet ({', '.join(left)})"], True
    if not reasons:
        # Its own published version, where it has one: the last may be another branch's, or a pre-release.
        stays = known.tree if known.tree in known.published.complete else known.published.latest or known.tree
        reasons = [f"no change since {known.base.ref}"]
        return _result(component, known, False, stays, reasons, prepared=stays == known.tree)
    return _result(component, known, True, known.tree if prepared else bumped, reasons, prepared=prepared)


def _is_prepared(known: Facts, named: bool) -> bool:
    newer = known.at_base is not None and known.tree > known.at_base
    is_out = known.tree in known.published.complete
    # A release's tag on the commit, or a `v*` key that names its version, says that the tree is prepared. Where all of
    # it is out by then, this is that release run again: its content decides. Where part of it is out, the rest follows.
    return (newer or known.at_base is None or not is_out) if named else (newer and not is_out)


def _left_behind(known: Facts) -> list[str]:
    """The packages that lack the tree's version though it is none of the past: tagged once, or published in part.

    Its changes lie before the base, and must not be lost.
    """
    held, latest = known.published, known.published.latest
    if known.base.kind is BaseKind.FROM_REF or latest is None or known.tree < latest:
        return []
    return [key for key, versions in held.packages.items() if known.tree not in (versions or ())]


def _result(
    component: str, known: Facts, publish: bool, version: Version, reasons: list[str], *, prepared: bool
) -> Decision:
    return Decision(
        component=component,
        publish=publish,
        version=str(version),
        tree=str(known.tree),
        prepared=prepared,
        base=known.base,
        reasons=tuple(reasons),
    )


def _current(known: Facts) -> Version:
    # A published pre-release may be another branch's; the next patch is a release in any case, so none can collide. And
    # only what the whole component is published at: one package's name may be a stranger's, with numbers of its own.
    return max([known.tree, *(version for version in known.published.complete if version.prerelease is None)])


def _bumped(known: Facts) -> Version:
    version = next_patch(_current(known))
    while version in known.published.taken:
        version = next_patch(version)
    return version


def _common(held: Iterable[tuple[Version, ...] | None]) -> set[Version]:
    sets = [set(versions or ()) for versions in held]
    return set.intersection(*sets) if sets else set()


def _core_reasons(changes: Changes) -> list[str]:
    parts = {"FFI core": changes.ffi_core, "server core": changes.server_core}
    return [f"the {part} changed" for part, changed in parts.items() if changed]


def _some(paths: Iterable[str]) -> str:
    first, *others = paths
    return f"{first} and {len(others)} more" if others else first
