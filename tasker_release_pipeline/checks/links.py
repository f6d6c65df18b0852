"""Symbolic links in the packages' folders: packaging stops at one that dangles, and users can't follow one outside."""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from tasker_release_pipeline.release.checks import Report
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import ToolError
from tasker_release_pipeline.release.git import git
from tasker_release_pipeline.release.manifest import Manifest, Package
from tasker_release_pipeline.release.plan import Finding, Severity
from tasker_release_pipeline.toolchains.runner import run
from tasker_release_pipeline.toolchains.tools import search_path

_SECONDS = 60
_LINK = "120000"


def links_lead_inside(manifest: Manifest, source: Path, *, logfile: Path) -> Report:
    """No link that a package ships dangles, or leads to where its archive can't follow."""
    listed = git(source, "ls-files", "--stage", "-z").split("\0")
    links = [entry.split("\t", 1)[1] for entry in listed if entry.startswith(_LINK)]
    findings: list[Finding] = []
    evidence = {}
    for path in links:
        package = _owner(manifest, path)
        evidence[path] = f"leads to {os.readlink(source / path)}"
        if package is not None:
            findings += _look(package, path, source, partial(_shipped, source, logfile))
    return Report(tuple(findings), evidence, f"{len(links)} links, none of them dangling or leading outside")


def _owner(manifest: Manifest, path: str) -> Package | None:
    """The package in whose folder the path lies; of nested ones the innermost."""
    parents = PurePosixPath(path).parents
    around = [package for package in manifest.packages if PurePosixPath(package.folder) in parents]
    return max(around, key=lambda package: len(PurePosixPath(package.folder).parts), default=None)


def _look(package: Package, path: str, source: Path, shipped: Callable[[Package, str], bool]) -> Iterator[Finding]:
    link, root = source / path, source.resolve()
    target, is_crate = os.readlink(link), package.registry is RegistryName.CRATES_IO
    try:
        end = link.resolve(strict=True)
    except (OSError, RuntimeError):  # nothing there, or a circle
        if is_crate and not shipped(package, path):
            return
        yield Finding(
            severity=Severity.ERROR if is_crate else Severity.WARNING,
            message=f"{path}: a link to {target}, which is not there: packaging {package.name} stops at it; remove the "
            "link, or commit what it leads to",
        )
        return
    outside = not end.is_relative_to(root)
    if outside or (package.registry in _KEEPS_LINKS and not end.is_relative_to((source / package.folder).resolve())):
        severity = Severity.ERROR if outside or package.registry is RegistryName.RUBYGEMS else Severity.WARNING
        yield Finding(
            severity=severity,
            message=f"{path}: a link to {target}, outside of the {'checkout' if outside else 'package'}: "
            f"{_KEEPS_LINKS.get(package.registry, 'others have no such file')}; put the file itself there",
        )


_KEEPS_LINKS = {
    RegistryName.RUBYGEMS: "the gem would hold the link, and RubyGems refuses to install it",
    RegistryName.NPM: "npm leaves links out of the tarball",
}
"""The others pack what a link leads to."""


def _shipped(source: Path, logfile: Path, package: Package, path: str) -> bool:
    """Whether cargo would pack the path: `exclude` may name a link that dangles. Where it does not tell, it would."""
    command = ["cargo", "package", "--list", "--locked", "--offline", "-p", package.name]
    env = {"PATH": search_path()}
    try:
        listed = run(command, cwd=source, seconds=_SECONDS, log=lambda _: None, env=env, logfile=logfile).output
    except ToolError:
        return True
    return path.removeprefix(f"{package.folder}/") in listed.splitlines()
