"""Versions: SemVer 2.0.0 with three parts, and how each registry writes the same version."""

import re
from enum import StrEnum

from semver import Version

from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError


class VersionStyle(StrEnum):
    """How a file or a registry writes a version: `0.2.0-rc.1`, `0.2.0rc1` or `0.2.0.rc.1`."""

    SEMVER = "semver"
    PEP440 = "pep440"
    GEM = "gem"


REGISTRY_STYLE = {
    RegistryName.CRATES_IO: VersionStyle.SEMVER,
    RegistryName.RUBYGEMS: VersionStyle.GEM,
    RegistryName.PYPI: VersionStyle.PEP440,
    RegistryName.NPM: VersionStyle.SEMVER,
}

_PEP440_LETTERS = {"alpha": "a", "beta": "b", "rc": "rc"}
_PEP440 = re.compile(r"(\d+\.\d+\.\d+)(?:(a|b|rc)(\d+))?")
_GEM = re.compile(r"(\d+\.\d+\.\d+)(?:\.([A-Za-z].*))?")


def parse(text: str, where: str) -> Version:
    """Read a SemVer version with exactly three numbers.

    `where` names the file or argument that holds it, for the error.
    Raises InputError for anything else (four parts, a leading v, build metadata: no registry tells builds apart).
    """
    try:
        version = Version.parse(text)
    except ValueError:
        raise InputError(
            f"{where}: {text!r} is not a SemVer version with three parts; write it like 0.1.9 or 0.2.0-rc.1"
        ) from None
    if version.build is not None:
        raise InputError(f"{where}: {text!r} has build metadata, which registries ignore or refuse; leave +... out")
    return version


def next_patch(version: Version) -> Version:
    """The patch release after `version`; after a pre-release that is the release it leads to."""
    return version.bump_patch()


def render(version: Version | str, style: VersionStyle) -> str:
    """Write a version as `style` does.

    Raises InputError for a pre-release that PEP 440 has no word for (it knows alpha.N, beta.N and rc.N).
    """
    version = Version.parse(str(version))
    if version.prerelease is None or style is VersionStyle.SEMVER:
        return str(version)
    if style is VersionStyle.GEM:
        return f"{version.finalize_version()}.{version.prerelease.replace('-', '.')}"
    word, _, number = version.prerelease.partition(".")
    if word not in _PEP440_LETTERS or not number.isdigit():
        raise InputError(
            f"version {version}: PyPI has no equal of the pre-release {version.prerelease!r}; "
            "use alpha.N, beta.N or rc.N (0.2.0-rc.1 is 0.2.0rc1 there)"
        )
    return f"{version.finalize_version()}{_PEP440_LETTERS[word]}{number}"


def read(text: str, style: VersionStyle, where: str) -> Version:
    """Read a version as `style` writes it. Raises InputError, naming `where`."""
    if style is VersionStyle.PEP440 and (match := _PEP440.fullmatch(text)):
        core, letter, number = match.groups()
        words = {short: long for long, short in _PEP440_LETTERS.items()}
        text = core if letter is None else f"{core}-{words[letter]}.{number}"
    elif style is VersionStyle.GEM and (match := _GEM.fullmatch(text)):
        core, prerelease = match.groups()
        text = core if prerelease is None else f"{core}-{prerelease}"
    return parse(text, where)


def legible(texts: list[str] | tuple[str, ...], registry: RegistryName) -> list[Version]:
    """The versions among `texts` (as `registry` writes them) that SemVer can express, ascending.

    A registry may hold others (`0.1.1.0`, a post-release): they can never equal a version that we plan, as all
    registries compare all of their parts; only trailing zeros fold, as in PEP 440 and Gem::Version (0.1.1.0 == 0.1.1).
    """
    versions = []
    for text in texts:
        folded = text
        while registry in (RegistryName.PYPI, RegistryName.RUBYGEMS) and re.fullmatch(r"\d+(\.\d+){3,}", folded):
            if not folded.endswith(".0"):
                break
            folded = folded[:-2]
        try:
            versions.append(read(folded, REGISTRY_STYLE[registry], registry))
        except InputError:
            continue
    return sorted(versions)
