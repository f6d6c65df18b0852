"""A crate's archive by crates.io's rules: the manifest that cargo wrote into it, and the commit that it names."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasker_release_pipeline.checks.archives import Archive, read_archive
from tasker_release_pipeline.checks.cargo_files import dependencies
from tasker_release_pipeline.checks.findings import error, warning
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.plan import Finding

# https://doc.rust-lang.org/cargo/reference/publishing.html and manifest.html
_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+-]{0,19}")
_KEYWORDS = 5


def crate(path: Path, *, commit: str) -> list[Finding]:
    """What crates.io would refuse of an archive, or what users can't use; `commit`: what it has to be packaged from.

    Raises InputError where it can't be read.
    """
    archive = read_archive(path, RegistryName.CRATES_IO)
    try:
        cargo = tomllib.loads(archive.files["Cargo.toml"].decode("utf-8"))
        package = cargo["package"]
    except (KeyError, ValueError) as problem:
        return [error(f"{archive.file}: has no Cargo.toml that can be read ({problem}); package it again")]
    return [*_metadata(archive, package), *_requirements(archive, cargo), *_commit(archive, commit)]


def _metadata(archive: Archive, package: dict[str, Any]) -> Iterator[Finding]:
    file = f"{archive.file}: Cargo.toml"
    if not package.get("description"):
        yield error(f"{file} has no description, and crates.io refuses it; write `description` there")
    if not package.get("license") and not package.get("license-file"):
        yield error(f"{file} has neither license nor license-file, and crates.io refuses it; write one there")
    for key in ("readme", "license-file"):
        named = package.get(key)
        if isinstance(named, str) and named not in archive.files:
            yield error(f"{file} names {named} as {key}, which is not in the archive; correct it, or pack the file")
    if not any(package.get(key) for key in ("repository", "homepage", "documentation")):
        yield warning(f"{file} has no repository, homepage or documentation; say where the crate comes from")
    keywords = package.get("keywords", [])
    refused = [word for word in keywords if not _KEYWORD.fullmatch(word)]
    if len(keywords) > _KEYWORDS or refused:
        yield error(
            f"{file} has the keywords {', '.join(keywords)}; crates.io takes {_KEYWORDS}, each of at most 20 letters, "
            "digits, `-`, `_`, `+`: take out or shorten some"
        )


def _requirements(archive: Archive, cargo: dict[str, Any]) -> Iterator[Finding]:
    for name, needed in dependencies(cargo):
        table = needed if isinstance(needed, dict) else {"version": needed}
        where = f"{archive.file}: Cargo.toml: dependency {name}"
        for key in ("path", "workspace", "git"):
            if key in table:
                yield error(
                    f"{where} has `{key}`, which leads nowhere outside of the workspace; give it a version alone"
                )
        if table.get("version", "*") == "*":
            yield error(f"{where} takes any version, and crates.io refuses that; write the version that it needs")
        if "registry-index" in table:
            yield error(
                f"{where} comes from {table['registry-index']}, and crates.io takes its own crates alone as "
                "dependencies; take `registry` out"
            )


def _commit(archive: Archive, commit: str) -> Iterator[Finding]:
    try:
        recorded = json.loads(archive.files[".cargo_vcs_info.json"])["git"]
        said, dirty = recorded["sha1"], recorded.get("dirty", False)
    except (KeyError, ValueError, TypeError):
        yield warning(
            f"{archive.file}: names no commit (.cargo_vcs_info.json), so nobody can compare it with its source; "
            "package it in the git checkout"
        )
        return
    if said != commit or dirty:
        yield error(
            f"{archive.file}: was packaged from {said[:12]}{' with changes' if dirty else ''}, the release is "
            f"{commit[:12]}; take `--allow-dirty` out of the build commands, and build again"
        )
