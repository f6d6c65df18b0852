"""The software bill of materials of a release, as CycloneDX 1.6 in JSON.

What is in it: every published file with its digests; and every package that the lockfiles of the released commit pin,
those for building and testing among them (lockfiles do not tell them apart). For Cargo.lock and uv.lock also which
package needs which.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, UUID, uuid5

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from tasker_release_pipeline.release.artifact import Artifact, ReleaseManifest
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.locked import Locked, Lockfiles
from tasker_release_pipeline.release.plan import PackagePlan, Plan

_KINDS = {
    RegistryName.CRATES_IO: "cargo",
    RegistryName.RUBYGEMS: "gem",
    RegistryName.PYPI: "pypi",
    RegistryName.NPM: "npm",
}


def sbom(plan: Plan, manifest: ReleaseManifest, lockfiles: Lockfiles, *, title: str, epoch: int) -> str:
    """The bill of materials; the same release gives the same text. `epoch`: the commit's time, in Unix seconds."""
    bom = Bom(serial_number=serial(manifest))
    bom.metadata.timestamp = datetime.fromtimestamp(epoch, UTC)
    bom.metadata.component = Component(
        type=ComponentType.APPLICATION, name=plan.manifest, version=title, bom_ref=f"release:{title}"
    )
    told = [Property(name="tasker:commit", value=manifest.commit)]
    told += [Property(name="tasker:lockfile", value=path) for path in lockfiles.packages]
    told += [Property(name="tasker:unread", value=f"{path}: {why}") for path, why in lockfiles.unread.items()]
    bom.metadata.properties.update(told)
    published = [_published(package, manifest.of_package(package.key)) for package in plan.packages if package.publish]
    components = {str(component.bom_ref.value): component for component in published}
    for packages in lockfiles.packages.values():
        for package in packages:
            component = _locked(package)
            # What is published stands there already, with its digests.
            components.setdefault(str(component.bom_ref.value), component)
    bom.components.update(components.values())
    bom.register_dependency(bom.metadata.component, published)
    for ref, needed in sorted(_needs(lockfiles.packages.values()).items()):
        bom.register_dependency(components[ref], [components[other] for other in sorted(needed)])
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def serial(manifest: ReleaseManifest) -> UUID:
    """What a bill of materials is known by: one for each release manifest."""
    return uuid5(NAMESPACE_URL, manifest.digest)


def _published(package: PackagePlan, files: Iterable[Artifact]) -> Component:
    purl = _purl(_KINDS[package.registry], package.name, package.version)
    return Component(
        type=ComponentType.LIBRARY,
        name=package.name,
        version=package.version,
        purl=purl,
        bom_ref=purl.to_string(),
        components=[
            Component(
                type=ComponentType.FILE,
                name=file.file,
                bom_ref=f"file:{file.file}",
                hashes=[HashType(alg=HashAlgorithm.SHA_256, content=file.sha256)],
            )
            for file in files
        ],
    )


def _locked(package: Locked) -> Component:
    purl = _purl(package.kind, package.name, package.version)
    digests = {HashAlgorithm.SHA_256: package.sha256, HashAlgorithm.SHA_512: package.sha512}
    return Component(
        type=ComponentType.LIBRARY,
        name=package.name,
        version=package.version,
        purl=purl,
        bom_ref=purl.to_string(),
        hashes=[HashType(alg=kind, content=digest) for kind, digest in digests.items() if digest],
    )


def _needs(lockfiles: Iterable[tuple[Locked, ...]]) -> Mapping[str, set[str]]:
    """Who needs whom, by package URL."""
    found: dict[str, set[str]] = {}
    for packages in lockfiles:
        refs = {_ref(package): package for package in packages}
        by_name: dict[str, list[str]] = {}
        for ref, package in refs.items():
            by_name.setdefault(package.name, []).append(ref)
            by_name.setdefault(f"{package.name} {package.version}", []).append(ref)
        for ref, package in refs.items():
            # A name alone means the only one of that name.
            found.setdefault(ref, set()).update(by_name[need][0] for need in package.needs if need in by_name)
    return found


def _ref(package: Locked) -> str:
    return _purl(package.kind, package.name, package.version).to_string()


def _purl(kind: str, name: str, version: str) -> PackageURL:
    group, _, own = name.rpartition("/")
    return PackageURL(type=kind, namespace=group or None, name=own, version=version)
