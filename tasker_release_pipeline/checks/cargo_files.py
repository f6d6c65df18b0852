"""Cargo.toml files in an archive that is compiled far from the workspace."""

import posixpath
import tomllib
from collections.abc import Iterator
from typing import Any

from tasker_release_pipeline.checks.archives import Archive
from tasker_release_pipeline.checks.findings import error
from tasker_release_pipeline.release.plan import Finding


def dependencies(cargo: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Name and requirement of each dependency of a Cargo.toml, of every kind and for every target."""
    for place in (cargo, *cargo.get("target", {}).values()):
        for kind in ("dependencies", "dev-dependencies", "build-dependencies"):
            yield from place.get(kind, {}).items()


def stand_alone(archive: Archive) -> Iterator[Finding]:
    """What every Cargo.toml in the archive takes from outside of it: workspace inheritance and paths."""
    manifests = {path: content for path, content in archive.files.items() if posixpath.basename(path) == "Cargo.toml"}
    read: dict[str, dict[str, Any]] = {}
    for path, content in manifests.items():
        try:
            read[path] = tomllib.loads(content.decode("utf-8"))
        except ValueError as problem:
            yield error(f"{archive.file}: {path} is not TOML ({problem}); correct it")
    roots = [posixpath.dirname(path) for path, cargo in read.items() if "workspace" in cargo]
    for path, cargo in read.items():
        folder = posixpath.dirname(path)
        inside = any(root in (folder, "") or folder.startswith(f"{root}/") for root in roots)
        if not inside:
            for key in _inherited(cargo):
                yield error(
                    f"{archive.file}: {path} has `{key}.workspace = true`, but the workspace is not in the archive, "
                    "and installing compiles it where there is none; write the value itself there"
                )
        for key, value in _outside(cargo):
            target = posixpath.normpath(posixpath.join(folder, value))
            if target not in archive.files and f"{target}/Cargo.toml" not in manifests and target != (folder or "."):
                yield error(
                    f"{archive.file}: {path} has `{key} = {value!r}`, which is not in the archive: installing can't "
                    "find it; name the published crate's version there, or pack the file"
                )


def _inherited(table: Any, at: str = "") -> Iterator[str]:
    if isinstance(table, dict):
        for key, value in table.items():
            where = f"{at}.{key}" if at else key
            if key == "workspace" and value is True:
                yield at
            else:
                yield from _inherited(value, where)


def _outside(cargo: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Keys whose value is a path that cargo has to find to compile the crate."""
    patched = (item for source in cargo.get("patch", {}).values() for item in source.items())
    for name, needed in (*dependencies(cargo), *patched):
        if isinstance(needed, dict) and isinstance(needed.get("path"), str):
            yield f"{name}.path", needed["path"]
    package = cargo.get("package", {})
    for key in ("build", "workspace"):
        if isinstance(package.get(key), str):
            yield f"package.{key}", package[key]
    if isinstance(path := cargo.get("lib", {}).get("path"), str):
        yield "lib.path", path
