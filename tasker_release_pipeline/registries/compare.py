"""Is what should be published already there? Decided on content, by each registry's own rules. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_version,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion
from packaging.version import Version as Pep440

from tasker_release_pipeline.registries.endpoints import TITLES
from tasker_release_pipeline.registries.model import Holdings, RegistryFile
from tasker_release_pipeline.release.artifact import Artifact
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import ConflictError


class Verdict(StrEnum):
    """What a registry has of a version.

    absent: nothing. missing: some files, all of them ours; others are not there yet. same: all files, all ours.
    conflict: the version, or a file of it, is taken by other content. unknown: the registry states no digest of a file,
    or one that its own file contradicts.
    """

    ABSENT = "absent"
    MISSING = "missing"
    SAME = "same"
    CONFLICT = "conflict"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Difference:
    """One file with two contents. `theirs` is empty where the number is used up but no file is left."""

    file: str
    ours: str
    theirs: str
    url: str


@dataclass(frozen=True)
class Comparison:
    """`missing`: our files that are not there. `conflicts`: files with other content. `unknown`: without a digest.

    `extra`: files of that version on the registry that are none of ours (another build's platform, say).
    """

    verdict: Verdict
    missing: tuple[str, ...] = ()
    conflicts: tuple[Difference, ...] = ()
    unknown: tuple[RegistryFile, ...] = ()
    extra: tuple[str, ...] = ()


def compare(artifacts: Sequence[Artifact], holdings: Holdings, version: str, registry: RegistryName) -> Comparison:
    """Compare the files that should be published as `version` with what the registry has of it."""
    theirs = {identity(registry, f.file): f for f in files_of(holdings, version, registry)}
    ours = {identity(registry, artifact.file): artifact for artifact in artifacts}
    missing, conflicts, unknown = [], [], []
    for key, artifact in ours.items():
        if (published := theirs.get(key)) is None:
            missing.append(artifact.file)
        elif (their_digest := stated(published, registry)) is None:
            unknown.append(published)
        elif their_digest != digest(artifact, registry):
            conflicts.append(
                Difference(file=artifact.file, ours=digest(artifact, registry), theirs=their_digest, url=published.url)
            )
    extra = tuple(published.file for key, published in theirs.items() if key not in ours)
    if _used_up(holdings, version, registry) and not theirs:
        conflicts = [Difference(a.file, digest(a, registry), "", "") for a in artifacts]
    if conflicts:
        verdict = Verdict.CONFLICT
    elif unknown:
        verdict = Verdict.UNKNOWN
    elif missing:
        verdict = Verdict.MISSING if theirs else Verdict.ABSENT
    else:
        verdict = Verdict.SAME
    return Comparison(verdict, tuple(missing), tuple(conflicts), tuple(unknown), extra)


def conflict(
    registry: RegistryName, name: str, version: str, conflicts: Sequence[Difference], ours_from: Mapping[str, str]
) -> ConflictError:
    """The error for a version that is taken. `ours_from`: where each of our files lies."""
    title = TITLES[registry]
    lines = []
    for difference in conflicts:
        ours = f"ours is {difference.ours} ({ours_from.get(difference.file, 'built for this release')})"
        if difference.theirs:
            lines.append(f"{difference.file}: {title} has {difference.theirs} ({difference.url}), {ours}")
        else:
            lines.append(f"{difference.file}: the number is used up (unpublished or yanked, no file left), {ours}")
    return ConflictError(
        f"{name} {version}: other content is published on {title} under this version. " + "; ".join(lines) + ". "
        "A published version can't be replaced: raise the version and release that; or, if the published content is "
        "what was meant, build from the commit that it was built from, with the same tools"
    )


def files_of(holdings: Holdings, version: str, registry: RegistryName) -> tuple[RegistryFile, ...]:
    """The files of one version, however it is spelled."""
    return tuple(f for f in holdings.files if same_version(registry, f.version, version))


def digest(artifact: Artifact, registry: RegistryName) -> str:
    """The artifact's digest of the kind that the registry states: npm's integrity, elsewhere SHA-256 in hex."""
    return artifact.integrity if registry is RegistryName.NPM else artifact.sha256


def stated(file: RegistryFile, registry: RegistryName) -> str | None:
    """The digest that the registry states, of the kind that we compare; None where it states none, or another kind."""
    return file.integrity if registry is RegistryName.NPM else file.sha256


def identity(registry: RegistryName, file: str) -> str:
    """What two names of the same file have in common.

    crates.io and npm have one file for each version, and npm renames it. A wheel's name holds its version, which has
    more than one spelling.
    """
    if registry in (RegistryName.CRATES_IO, RegistryName.NPM):
        return "the one file"
    if registry is RegistryName.PYPI:
        try:
            if file.endswith(".whl"):
                name, version, build, tags = parse_wheel_filename(file)
                return f"{name} {canonicalize_version(version)} {build} {sorted(map(str, tags))}"
            name, version = parse_sdist_filename(file)
        except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
            return file
        return f"{name} {canonicalize_version(version)} {'.zip' if file.endswith('.zip') else '.tar.gz'}"
    return file.lower()


def same_version(registry: RegistryName, one: str, other: str) -> bool:
    """Whether the registry takes both for the same version."""
    return one == other or _canonical(registry, one) == _canonical(registry, other)


def _canonical(registry: RegistryName, version: str) -> object:
    if registry is RegistryName.PYPI:
        try:
            return Pep440(version)
        except InvalidVersion:
            return version
    if registry is RegistryName.RUBYGEMS:
        return _gem_segments(version)
    if registry is RegistryName.CRATES_IO:
        return version.partition("+")[0]  # build metadata does not distinguish
    return version


def _gem_segments(version: str) -> tuple[int | str, ...]:
    """`Gem::Version#canonical_segments`: zeros before the first letters, and at the end, do not count."""
    segments = [int(s) if s.isdigit() else s for s in re.findall(r"\d+|[a-z]+", version.replace("-", ".pre."), re.I)]
    split = next((i for i, segment in enumerate(segments) if isinstance(segment, str)), len(segments))
    result: list[int | str] = []
    for part in (segments[:split], segments[split:]):
        while part and part[-1] == 0:
            part.pop()
        result += part
    return tuple(result)


def _used_up(holdings: Holdings, version: str, registry: RegistryName) -> bool:
    """Whether the number is taken even where no file is left. PyPI takes new file names for a version it knows."""
    return registry is not RegistryName.PYPI and any(same_version(registry, v, version) for v in holdings.versions)
