"""Versions: SemVer 2.0.0 with three parts, and how each registry writes the same version."""

import re
from collections.abc import Callable, Sequence
from enum import StrEnum
from itertools import takewhile

from packaging.version import InvalidVersion
from packaging.version import Version as Pep440
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
    return version.finalize_version() if version.prerelease is not None else version.bump_patch()


def render(version: Version | str, style: VersionStyle) -> str:
    """Write a version as `style` does.

    Raises InputError for a pre-release that the style can't tell from another version: PEP 440 knows alpha.N, beta.N
    and rc.N alone; for RubyGems `0.2.0.1` is no pre-release, and `-` means something else.
    """
    version = Version.parse(str(version))
    if version.prerelease is None or style is VersionStyle.SEMVER:
        return str(version)
    if style is VersionStyle.GEM:
        if not version.prerelease[0].isalpha() or "-" in version.prerelease:
            raise InputError(
                f"version {version}: RubyGems has no equal of the pre-release {version.prerelease!r}; "
                "begin it with a letter and use no hyphen, as in alpha.1 (0.2.0-rc.1 is 0.2.0.rc.1 there)"
            )
        return f"{version.finalize_version()}.{version.prerelease}"
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

    Spellings that a registry takes for the same version are one: PyPI reads `0.2` and `0.2.0.0` as 0.2.0, and
    `0.2.0-rc1` as 0.2.0rc1; RubyGems reads `0.2.0.rc1` as 0.2.0.rc.1. The others that a registry may hold (`0.1.1.1`,
    a post-release) never equal a version that we plan.
    """
    fold = _FOLDS.get(registry, str)
    versions = []
    for text in texts:
        try:
            versions.append(read(fold(text), REGISTRY_STYLE[registry], registry))
        except InputError:
            continue
    return sorted(versions)


def _three_parts(numbers: Sequence[str | int]) -> str:
    """Numbers as a release of three parts: trailing zeros folded or filled in, longer where that is not enough."""
    parts = [int(number) for number in numbers]
    while len(parts) > 3 and parts[-1] == 0:
        parts.pop()
    return ".".join(map(str, [*parts, 0, 0][: max(3, len(parts))]))


def _fold_pypi(text: str) -> str:
    try:
        version = Pep440(text)
    except InvalidVersion:
        return text
    if version.epoch or version.is_postrelease or version.is_devrelease or version.local:
        return text
    return _three_parts(version.release) + "".join(map(str, version.pre or ()))


def _fold_gem(text: str) -> str:
    # As Gem::Version compares: by runs of digits and runs of letters.
    if not re.fullmatch(r"[0-9A-Za-z.]+", text):
        return text
    segments = re.findall(r"[0-9]+|[A-Za-z]+", text)
    numbers = list(takewhile(str.isdigit, segments))
    return ".".join([_three_parts(numbers), *segments[len(numbers) :]])


_FOLDS: dict[RegistryName, Callable[[str], str]] = {RegistryName.PYPI: _fold_pypi, RegistryName.RUBYGEMS: _fold_gem}
