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
_OF_EACH_BUILD = (
    ("builds_from_source", "The manifest's commands build every package of the plan."),
    ("embedded_version_is_planned", "Each file's own metadata and its `=` pins say the plan's versions."),
    ("contents_are_publishable", "README and licence are inside; no secrets, leftovers, bad links, nothing too large."),
    ("same_bytes_when_built_again", "Packing once more gives the same bytes."),
)
_OF_ONE_BUILD = {
    RegistryName.CRATES_IO: (
        ("crates_io_would_accept", "The archives' Cargo.toml keeps crates.io's rules, and names the released commit."),
        ("clippy_is_clean", "clippy denies nothing, in all members, targets and features."),
    ),
    RegistryName.RUBYGEMS: (
        ("gem_specification_is_sound", "RubyGems reads the gem, and its extension needs nothing from outside of it."),
    ),
    RegistryName.PYPI: (
        ("twine_would_accept", "PyPI reads the metadata, and renders the README."),
        ("platforms_are_complete", "Every stated platform has its wheel, with tags that PyPI takes."),
    ),
    RegistryName.NPM: (
        ("npm_would_publish", "npm's dry run of the upload ends well, and provenance has its repository."),
        ("publint_would_accept", "What package.json offers to Node, bundlers and TypeScript is there."),
    ),
}
_BUILDS: dict[str, tuple[Check, ...]] = {
    asset: tuple(Check(asset, name, proves) for name, proves in (*_OF_EACH_BUILD, *_OF_ONE_BUILD[registry]))
    for registry, asset in BUILD_ASSETS.items()
}
_TOGETHER = (
    Check(STAGED_INSTALL, "installs_and_loads", "Every package installs from registries, in a clean place, and loads."),
    Check(
        STAGED_INSTALL,
        "installs_with_the_oldest",
        "The bindings were installed with the oldest Python, Ruby and Node that the manifest states.",
    ),
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
