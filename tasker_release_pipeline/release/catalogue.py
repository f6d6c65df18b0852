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
CREDENTIALS = {registry: f"credentials/{registry}" for registry in RegistryName}
"""The asset that holds whether each registry would let us in."""

LINTS = "lints"
RECORDING = "credentials/github"
STAGED_INSTALL = "staged_install"
RELEASE_MANIFEST = "release_manifest"

# By mode: a rehearsal asks other registries, and a dry run forgives what a release must not.
_PLAN = tuple(
    Check(RELEASE_PLAN, name, proves, by_mode=True)
    for name, proves in {
        "registries_answered": "Every registry told what it holds of every package.",
        "names_are_ours": "Every name that is published is free, or its package is ours.",
        "names_are_known": "No name is published for the first time, which takes other credentials.",
        "versions_are_legal": "Every registry accepts the version that it is to get.",
        "versions_are_free": "No registry holds a version that it takes for the one that it is to get.",
        "dist_tags_are_kept": "npm's `latest` moves neither to nor away from what was published under it.",
        "counted_from_an_earlier_release": "No base is the release itself, and a tagged release publishes something.",
    }.items()
)
_SOURCE = tuple(
    Check(SOURCE_TREE, name, proves, by_mode=True)
    for name, proves in {
        "formatted": "`cargo fmt --all -- --check` has nothing to change.",
        "versions_as_planned": "Every carrier, pin and own lockfile entry says the plan's version, to every tool.",
        "lockfiles_current": "Frozen installs pass, and stamping changed own entries alone.",
        "manifest_matches_cargo": "Crates, folders, edges, `publish` and phases are those that cargo knows.",
        "nothing_but_commits": "The tree is exactly its commit, and no build command allows another one.",
        "toolchains_are_known": "Toolchains are pinned, or their versions recorded.",
        "tag_on_this_commit": "The release's tag stands on the commit that is built.",
        "links_lead_inside": "No link in a package dangles or leads outside.",
    }.items()
)
_AUTHORITY = Check(
    SOURCE_TREE,
    "commit_is_vouched_for",
    "The commit is in the history of the protected main branch, whose CI was green on it.",
    by_mode=True,
)
_CREDENTIALS = {
    registry: Check(
        asset, "credentials_accepted", "The registry lets in who is to publish: by use where it tells.", by_mode=True
    )
    for registry, asset in CREDENTIALS.items()
}
_RECORDING = Check(
    RECORDING, "release_can_be_recorded", "Tags can be pushed and the GitHub Release be made.", by_mode=True
)
_OF_EACH_BUILD = (
    ("embedded_version_is_planned", "Each file's own metadata and its `=` pins say the plan's versions."),
    ("contents_are_publishable", "README and licence are inside; no secrets, leftovers, bad links, nothing too large."),
    ("same_bytes_when_built_again", "Packing once more gives the same bytes."),
)
_OF_ONE_BUILD = {
    RegistryName.CRATES_IO: (
        ("crates_io_would_accept", "The archives' Cargo.toml keeps crates.io's rules, and names the released commit."),
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
    asset: (
        # What is to go live is compiled from nothing that a rehearsal or a dry run left.
        Check(asset, "builds_from_source", "The manifest's commands build every package of the plan.", by_mode=True),
        *(Check(asset, name, proves) for name, proves in (*_OF_EACH_BUILD, *_OF_ONE_BUILD[registry])),
    )
    for registry, asset in BUILD_ASSETS.items()
}
_LINTS = Check(LINTS, "clippy_is_clean", "clippy denies nothing, in all members, targets and features.")
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
    registries = tuple(registries)
    builds = [check for registry in registries for check in _BUILDS[BUILD_ASSETS[registry]]]
    lints = [_LINTS] if RegistryName.CRATES_IO in registries else []
    credentials = [_CREDENTIALS[registry] for registry in registries]
    return (*_PLAN, *_SOURCE, _AUTHORITY, *credentials, _RECORDING, *builds, *lints, *_TOGETHER)


def checks_of(asset: str) -> tuple[Check, ...]:
    """The checks of one asset."""
    return tuple(check for check in catalogue() if check.asset == asset)


PROBE_JOBS = {RegistryName.PYPI: "probe_pypi", RegistryName.NPM: "probe_npm"}
"""The jobs that do nothing but try an identity, which belongs to a job with this registry's own environment."""


def job_with(asset: str) -> str:
    """The job that a person runs for an asset's checks, in words."""
    named = {CREDENTIALS[registry]: job for registry, job in PROBE_JOBS.items()}
    return f"the job `{named[asset]}`" if asset in named else f"the job that has {asset}"
