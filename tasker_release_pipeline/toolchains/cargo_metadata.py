"""The manifest compared with what cargo says of the workspace: names, folders, phases, requirements."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasker_release_pipeline.release.errors import ToolError
from tasker_release_pipeline.release.manifest import Manifest, Package
from tasker_release_pipeline.toolchains.runner import run
from tasker_release_pipeline.toolchains.tools import search_path

_SECONDS = 60


def metadata(source: Path, *, log: Callable[[str], None] = lambda _line: None) -> dict[str, Any]:
    """What `cargo metadata --no-deps` says of the workspace in `source`: its members alone, without any network.

    Raises ToolError where cargo is missing or refuses the workspace.
    """
    command = ["cargo", "metadata", "--format-version", "1", "--no-deps", "--offline"]
    said = run(command, cwd=source, seconds=_SECONDS, log=log, env={"PATH": search_path()}).output
    # Warnings stand on lines of their own, before or behind the one line of JSON.
    for line in said.splitlines():
        if line.startswith("{"):
            return dict(json.loads(line))
    raise ToolError(f"cargo metadata in {source} printed no JSON: {said[-1000:]!r}; run it there by hand")


@dataclass(frozen=True)
class Member:
    """A package of the workspace. `file`: its Cargo.toml, from the workspace's root. `publishable`: to crates.io."""

    name: str
    version: str
    publishable: bool
    file: str
    dependencies: tuple[Mapping[str, Any], ...]

    @property
    def folder(self) -> str:
        """Where it lies, from the workspace's root."""
        return self.file.removesuffix("Cargo.toml").rstrip("/")


def check_manifest(manifest: Manifest, metadata: Mapping[str, Any]) -> list[str]:
    """What is wrong between the manifest and the workspace: a sentence each, none where all is well.

    `metadata`: what `metadata()` gives. Looked at are crates' names and folders, `publish = false`, dependencies on
    crates that nobody publishes, phases, missing and wrong requirements. Members that the manifest does not name are
    fine: it does not publish them.
    """
    there = {member.name: member for member in members(metadata)}
    problems = [problem for package in manifest.crates for problem in _crate(package, there)]
    crates = {package.name: package for package in manifest.crates}
    for member in there.values():
        for dependency in member.dependencies:
            on = there.get(dependency["name"])
            if on is None or not _is_published_with(dependency):
                continue
            problems += _requirement(member, on, dependency)
            if member.name in crates:
                problems += _publication(crates[member.name], member, on, dependency, crates)
    return problems


def _crate(package: Package, members: Mapping[str, Member]) -> Iterator[str]:
    member = members.get(package.name)
    if member is None:
        there = [m.name for m in members.values() if m.folder == package.folder.strip("/.")]
        found = f"{package.folder} holds {there[0]}" if there else f"there are {', '.join(sorted(members))}"
        yield (
            f"{package.name} is no member of the cargo workspace ({found}); correct the name in the manifest, or add "
            f"{package.folder} to the members in the root's Cargo.toml"
        )
        return
    if member.folder != package.folder.strip("/."):
        yield (
            f"{package.name} lies in {member.folder or '.'}, not in {package.folder} as the manifest says; "
            "correct its folder there"
        )
    if not member.publishable:
        yield (
            f"{member.file}: {package.name} is in the manifest, but its `publish` keeps it from crates.io; take that "
            "out, or take the crate out of the manifest"
        )


def _requirement(member: Member, on: Member, dependency: Mapping[str, Any]) -> Iterator[str]:
    # Of unpublished members too: the gem ships its Cargo.toml, and stale pins there compile against older crates.
    required = str(dependency["req"]).strip()
    if required.startswith("=") and "," not in required and required[1:].strip() != on.version:
        yield (
            f'{member.file}: {member.name} requires {on.name} "{required}", but {on.file} has {on.version}; '
            f'write version = "={on.version}"'
        )


def _publication(
    package: Package, member: Member, on: Member, dependency: Mapping[str, Any], crates: Mapping[str, Package]
) -> Iterator[str]:
    where = f"{member.file}: {member.name} depends on {on.name}"
    dev = dependency["kind"] == "dev"
    if on.name not in crates:
        instead = "leave its version out" if dev else "take the dependency out"
        yield f"{where} ({on.file}), which the manifest does not publish; add {on.name} to the manifest, or {instead}"
        return
    before, after = crates[on.name].phase or 0, package.phase or 0
    if after <= before:
        yield (
            f"{where}, but the manifest publishes {member.name} in phase {after} and {on.name} in phase {before}; "
            f"give {member.name} phase {before + 1} or later" + (", or leave the version out" if dev else "")
        )
    if dependency.get("path") and dependency["req"] == "*":
        yield f'{where} by its path alone, which crates.io refuses; add version = "={on.version}"'


def _is_published_with(dependency: Mapping[str, Any]) -> bool:
    """Whether the published crate has this dependency: cargo drops dev-dependencies that have a path alone."""
    return not (dependency["kind"] == "dev" and dependency.get("path") and dependency["req"] == "*")


def members(metadata: Mapping[str, Any]) -> Iterator[Member]:
    """The packages of the workspace that `metadata()` speaks of."""
    root = Path(metadata["workspace_root"])
    for package in metadata["packages"]:
        publish = package.get("publish")
        file = Path(package["manifest_path"])
        yield Member(
            name=package["name"],
            version=package["version"],
            publishable=publish is None or "crates-io" in publish,
            file=(file.relative_to(root) if file.is_relative_to(root) else file).as_posix(),
            dependencies=tuple(package["dependencies"]),
        )
