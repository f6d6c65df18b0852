"""Which Cargo packages of a tree get which version: what their pins and the entries in Cargo.lock follow from."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Protocol

from semver import Version

from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.manifest import CarrierKind, Manifest

_OWN, _INHERITED = "package.version", "workspace.package.version"


class Files(Protocol):
    """A tree of files, as far as it is needed here."""

    @property
    def read(self) -> Callable[[str], str | None]:
        """Gives a file's text."""

    def named(self, name: str) -> tuple[str, ...]:
        """The paths of all files with this name."""


def cargo_versions(tree: Files, manifest: Manifest, versions: Mapping[str, Version]) -> dict[str, str]:
    """The packages whose versions the manifest's Cargo.toml carriers set, and those versions.

    `package.version` sets the package's own, `workspace.package.version` that of every member that inherits it.
    `versions`: each component's. Raises InputError for a crate of the tree whose version no carrier sets, and for a
    package that two carriers give different versions.
    """
    found: dict[str, str] = {}
    parsed = {path: tomllib.loads(tree.read(path) or "") for path in manifests_that_parse(tree)}
    for component, row in manifest.components.items():
        for carrier in row.carriers:
            if carrier.kind is not CarrierKind.TOML or PurePosixPath(carrier.path).name != "Cargo.toml":
                continue
            for name in _set_by(parsed, carrier.path, carrier.key):
                version = str(versions[component])
                if found.setdefault(name, version) != version:
                    raise InputError(
                        f"{carrier.path}: would give {name} the version {version}, another carrier {found[name]}; "
                        "name it in one component of the manifest alone"
                    )
    there = {_package(toml).get("name") for toml in parsed.values()}
    for crate in manifest.crates:
        # One that is not in the tree, as after a renaming, is told by the comparison with cargo's own words.
        if crate.name in there and found.get(crate.name) != str(versions[crate.component]):
            path = f"{crate.folder.rstrip('/')}/Cargo.toml"
            raise InputError(
                f"crate {crate.name}: no carrier of {crate.component} sets its version; add {path} with the key "
                f"{_OWN} to the component in the manifest (or Cargo.toml with {_INHERITED}, where it inherits)"
            )
    return found


def manifests_that_parse(tree: Files) -> Iterator[str]:
    """The paths of every Cargo.toml that is TOML: templates and broken fixtures are no part of a workspace."""
    for path in tree.named("Cargo.toml"):
        try:
            tomllib.loads(tree.read(path) or "")
        except tomllib.TOMLDecodeError:
            continue
        yield path


def _set_by(parsed: Mapping[str, dict[str, Any]], path: str, key: str) -> Iterator[str]:
    if key == _OWN and path in parsed:
        yield _package(parsed[path]).get("name", "")
    if key == _INHERITED:
        for member, toml in parsed.items():
            version = _package(toml).get("version")
            inherits = isinstance(version, dict) and version.get("workspace") is True
            if inherits and _workspace_of(parsed, member) == path:
                yield _package(toml).get("name", "")


def _workspace_of(parsed: Mapping[str, dict[str, Any]], member: str) -> str | None:
    if isinstance(named := _package(parsed[member]).get("workspace"), str):
        return _joined(PurePosixPath(member).parent, named)
    for folder in PurePosixPath(member).parents:
        if "workspace" in parsed.get(str(folder / "Cargo.toml"), {}):
            return str(folder / "Cargo.toml")
    return None


def _joined(folder: PurePosixPath, relative: str) -> str:
    parts: list[str] = []
    for part in (*folder.parts, *PurePosixPath(relative).parts):
        if part == ".." and parts:
            parts.pop()
        else:
            parts.append(part)
    return str(PurePosixPath(*parts, "Cargo.toml"))


def _package(toml: Mapping[str, Any]) -> dict[str, Any]:
    package = toml.get("package")
    return package if isinstance(package, dict) else {}
