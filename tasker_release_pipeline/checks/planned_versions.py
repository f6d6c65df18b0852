"""Whether each registry accepts the version that it is to get: legal there, and equal to none that it has."""

import re
from collections.abc import Callable, Collection, Sequence

from packaging.version import InvalidVersion
from packaging.version import Version as Pep440
from semver import Version

from tasker_release_pipeline.checks.answers import Answer
from tasker_release_pipeline.registries.compare import files_of, same_version
from tasker_release_pipeline.registries.endpoints import TITLES
from tasker_release_pipeline.release.checks import Report
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.plan import PackagePlan
from tasker_release_pipeline.release.settings import OnDuplicate

# Gem::Version's own pattern.
_GEM = re.compile(r"[0-9]+(\.[0-9a-zA-Z]+)*(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?")
_GREATEST = {RegistryName.CRATES_IO: 2**64 - 1, RegistryName.NPM: 2**53 - 1}
"""The greatest number that a part of a version may be."""


def versions_are_legal(packages: Sequence[PackagePlan]) -> Report:
    """Each version is one that its registry accepts: SemVer with three parts, PEP 440, or Gem::Version."""
    wrong = {p.key: why for p in packages if (why := _LEGAL[p.registry](p.version, p.registry))}
    return Report.of(
        errors=[
            f"{p.key}: {TITLES[p.registry]} refuses the version {p.version!r}: {wrong[p.key]}; write three numbers, "
            "and a pre-release as alpha.N, beta.N or rc.N, which every registry has a word for"
            for p in packages
            if p.key in wrong
        ],
        evidence={p.key: p.version for p in packages},
        seen="every registry accepts its versions",
    )


def versions_are_free(answers: Sequence[Answer], begun: Collection[str], on_duplicate: OnDuplicate) -> Report:
    """No registry holds a version that it takes for the one that it is to get.

    The same spelling is a warning: whether the content is the same is for the gate to compare, once there is one.
    `begun`: what this very release has uploaded, or tried to.
    """
    errors, warnings, evidence = [], [], {}
    for answer in answers:
        package, holdings = answer.package, answer.holdings
        if holdings is None:
            continue
        title, version = TITLES[package.registry], package.version
        equal = [held for held in holdings.versions if same_version(package.registry, held, version)]
        files = files_of(holdings, version, package.registry)
        # PyPI takes new files for a version that has lost all of its own.
        if not equal or (not files and package.registry is RegistryName.PYPI):
            evidence[package.key] = f"{version} is free"
        elif package.key in begun and any(file.yanked for file in files):
            errors.append(
                f"{package.key}: {version} was yanked on {title} since this release sent it; take that back, or "
                f"raise the version of {package.component}, before the rest follows"
            )
        elif package.key in begun:
            evidence[package.key] = f"{version} is there, from this release"
        elif others := [held for held in equal if held != version]:
            errors.append(
                f"{package.key}: {title} holds {', '.join(others)}, which it takes for the same version as {version}; "
                f"raise the version of {package.component} past it"
            )
        elif not files or any(file.yanked for file in files):
            taken = "yanked" if files else "taken back"
            errors.append(
                f"{package.key}: {version} is used up on {title}: it was {taken}, and can't be published again; "
                f"raise the version of {package.component}"
            )
        else:
            evidence[package.key] = f"{version} is published already; the gate compares the content"
            if on_duplicate is not OnDuplicate.SKIP:
                warnings.append(
                    f"{package.key}: {version} is published on {title} already, and this release has it as changed "
                    f"({'; '.join(package.reasons)}): other content is refused at the gate; if it is meant to differ, "
                    f"raise the version of {package.component}"
                )
    return Report.of(errors=errors, warnings=warnings, evidence=evidence, seen="every version is free")


def _semver(text: str, registry: RegistryName) -> str:
    try:
        version = Version.parse(text)
    except ValueError:
        return "it is not SemVer with three parts"
    greatest = _GREATEST[registry]
    if max(version.major, version.minor, version.patch) > greatest:
        return f"a number in it is greater than {greatest}"
    return ""


def _pep440(text: str, _: RegistryName) -> str:
    try:
        version = Pep440(text)
    except InvalidVersion:
        return "it is not PEP 440"
    return "it has a local part" if version.local else ""


def _gem(text: str, _: RegistryName) -> str:
    return "" if _GEM.fullmatch(text) else "it is no Gem::Version"


_LEGAL: dict[RegistryName, Callable[[str, RegistryName], str]] = {
    RegistryName.CRATES_IO: _semver,
    RegistryName.RUBYGEMS: _gem,
    RegistryName.PYPI: _pep440,
    RegistryName.NPM: _semver,
}
