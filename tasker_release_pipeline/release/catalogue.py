"""All checks before the first upload: the gate says go only with every one of them. docs/checks.md explains them."""

from collections.abc import Iterable

from tasker_release_pipeline.release.checks import Check
from tasker_release_pipeline.release.endpoints import RegistryName

BUILD_ASSETS = {
    RegistryName.CRATES_IO: "crate_archives",
    RegistryName.RUBYGEMS: "gem_archive",
    RegistryName.PYPI: "wheels",
    RegistryName.NPM: "npm_tarball",
}
"""The asset that holds what is built for each registry."""

RELEASE_PLAN = "release_plan"
SOURCE_TREE = "source_tree"
STAGED_INSTALL = "staged_install"
RELEASE_MANIFEST = "release_manifest"

_PLAN: tuple[Check, ...] = ()
_SOURCE: tuple[Check, ...] = ()
_BUILDS: dict[str, tuple[Check, ...]] = {
    asset: (Check(asset, "builds_from_source", "The manifest's commands build every package of the plan."),)
    for asset in BUILD_ASSETS.values()
}
_TOGETHER = (
    Check(STAGED_INSTALL, "installs_and_loads", "Every package installs from registries, in a clean place, and loads."),
    Check(
        RELEASE_MANIFEST,
        "complete_and_as_planned",
        "Every package of the plan is there, at the plan's version, from one commit.",
    ),
)
GO = Check("gate", "go", "Nothing speaks against uploading these files.")


def catalogue(registries: Iterable[RegistryName] = RegistryName) -> tuple[Check, ...]:
    """The checks of a graph with these registries, in the order in which they can run; `GO` is not among them."""
    builds = [check for registry in registries for check in _BUILDS[BUILD_ASSETS[registry]]]
    return (*_PLAN, *_SOURCE, *builds, *_TOGETHER)


def checks_of(asset: str) -> tuple[Check, ...]:
    """The checks of one asset."""
    return tuple(check for check in catalogue() if check.asset == asset)
