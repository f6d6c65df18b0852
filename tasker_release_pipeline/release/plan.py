"""The plan: what a release will publish, and why. A value that can be printed, stored and compared."""

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum

from pydantic import BaseModel, ConfigDict
from semver import Version

from tasker_release_pipeline.release.bases import BaseKind
from tasker_release_pipeline.release.decisions import Decision, Facts, decide
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.manifest import Manifest, Package
from tasker_release_pipeline.release.settings import Settings
from tasker_release_pipeline.release.versions import REGISTRY_STYLE, render


class Severity(StrEnum):
    """An error stops a release; a warning is for a person to decide on."""

    ERROR = "error"
    WARNING = "warning"


class Finding(BaseModel):
    """Something about a release that a person has to know: what, and the way out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    severity: Severity
    message: str


class PackagePlan(BaseModel):
    """What the release does with one package.

    `version` is written as the package's registry writes it. `dist_tag`: npm alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    name: str
    registry: RegistryName
    component: str
    phase: int | None
    publish: bool
    version: str
    reasons: tuple[str, ...]
    dist_tag: str | None = None


class Plan(BaseModel):
    """What a release will publish and why.

    `commit`: of the source, before stamping. `unreachable`: by package key, why its registry could not be asked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    release: str
    commit: str
    manifest: str
    manifest_digest: str
    settings: Settings
    components: dict[str, Decision]
    packages: tuple[PackagePlan, ...]
    findings: tuple[Finding, ...]
    unreachable: dict[str, str] = {}

    @property
    def digest(self) -> str:
        """SHA-256 of what is to be done; findings and settings are no part of it."""
        done = [self.commit, self.manifest_digest, *(package.model_dump_json() for package in self.packages)]
        return hashlib.sha256("\n".join(done).encode()).hexdigest()

    def package(self, key: str) -> PackagePlan:
        """The plan of one package. Raises KeyError."""
        return {package.key: package for package in self.packages}[key]

    def of_registry(self, registry: RegistryName) -> tuple[PackagePlan, ...]:
        """The packages of a registry that this release publishes, in publishing order."""
        return tuple(p for p in self.packages if p.registry is registry and p.publish)

    @property
    def publishes(self) -> bool:
        """Whether there is anything to publish at all."""
        return any(package.publish for package in self.packages)

    @property
    def versions(self) -> dict[str, Version]:
        """The version that each component has in the stamped tree."""
        return {name: Version.parse(decision.version) for name, decision in self.components.items()}


def make_plan(
    manifest: Manifest,
    settings: Settings,
    *,
    release: str,
    commit: str,
    facts: Mapping[str, Facts],
    unreachable: Mapping[str, str],
    tagged: bool = False,
) -> Plan:
    """Plan a release, whose tag stands on the commit if it is `tagged`.

    Raises InputError where a `v*` tag does not name the core version, or a version can't be written for a registry.
    """
    components = decide(manifest, facts, release, tagged=tagged)
    _check_planned(manifest, components, release)
    findings = [Finding(severity=Severity.WARNING, message=message) for message in _unclassified(facts.values())]
    return Plan(
        release=release,
        commit=commit,
        manifest=manifest.name,
        manifest_digest=manifest.digest,
        settings=settings,
        components=components,
        packages=tuple(_package(package, components) for package in (*manifest.crates, *manifest.bindings)),
        findings=tuple(findings),
        unreachable=dict(unreachable),
    )


def _package(package: Package, components: Mapping[str, Decision]) -> PackagePlan:
    decision = components[package.component]
    version = Version.parse(decision.version)
    return PackagePlan(
        key=package.key,
        name=package.name,
        registry=package.registry,
        component=package.component,
        phase=package.phase,
        publish=decision.publish,
        version=render(version, REGISTRY_STYLE[package.registry]),
        reasons=decision.reasons,
        dist_tag=package.dist_tags.tag(version) if package.registry is RegistryName.NPM else None,
    )


def check_tag(manifest: Manifest, release: str, tree: Mapping[str, Version]) -> None:
    """Refuse a `v*` tag on a tree of another core version. `tree`: each component's version. Raises InputError."""
    if not release.startswith("v") or manifest.core is None or release == f"v{tree[manifest.core]}":
        return
    says, carrier = tree[manifest.core], manifest.components[manifest.core].carriers[0].path
    raise InputError(
        f"tag {release} on a tree of {says}: {carrier} says {says}; "
        f"tag v{says}, or set {carrier} and the other carriers to {release[1:]} in a commit and tag that"
    )


def _check_planned(manifest: Manifest, components: Mapping[str, Decision], release: str) -> None:
    if not release.startswith("v") or manifest.core is None:
        return
    core = components[manifest.core]
    if core.version == release[1:]:
        return
    check_tag(manifest, release, {manifest.core: Version.parse(core.tree)})
    if not core.publish:
        raise InputError(
            f"tag {release}: the core did not change since {core.base.ref}, and stays at {core.version}, which is "
            f"published: {core.tree} would not be; " + _instead(core)
        )
    raise InputError(
        f"tag {release}: {core.tree} was published before, and the core changed since {core.base.ref}; "
        f"prepare {core.version} in a commit and tag it v{core.version}"
    )


def _instead(core: Decision) -> str:
    if core.base.kind is BaseKind.FROM_REF:
        return "leave from_ref empty, or name an older base"
    return f"tag v{core.version} or release-YYYYMMDD, or raise the core's version past {core.version} and tag that"


def _unclassified(facts: Iterable[Facts]) -> list[str]:
    # From the beginning everything is a change, and everything is released.
    based = [known for known in facts if known.base.kind is not BaseKind.BEGINNING]
    paths = sorted({path for known in based for path in known.changes.unclassified})
    return [f"{path} changed: no package counts it as a change, though packages ship it or are built with it; "
            "if it matters to what is published, release with an older from_ref or touch the package"
            for path in paths]  # fmt: skip
