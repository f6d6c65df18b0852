"""Internal pins: the versions by which a Cargo.toml requires crates of the same workspace."""

import re
from collections.abc import Iterator, Mapping, MutableMapping

import tomlkit
from semver import Version

from tasker_release_pipeline.release import toml_style
from tasker_release_pipeline.release.toml_style import Table, table_at

_SECTIONS = ("dependencies", "dev-dependencies", "build-dependencies", "dev_dependencies", "build_dependencies")
_SIMPLE = re.compile(r"(\s*[=^~]?\s*)(\d+(?:\.\d+(?:\.\d+(?:[-+][0-9A-Za-z.+-]+)?)?)?)(\s*)")


def pins(text: str, where: str = "Cargo.toml") -> list[tuple[str, str]]:
    """Every dependency of a Cargo.toml that has a version requirement: the crate's name (not its alias), and that.

    Third-party crates too; those with a path alone and those inherited from the workspace have none. Raises
    InputError, naming `where`, for a text that is not TOML.
    """
    return [(crate, str(table[key])) for crate, table, key in _requirements(toml_style.parse(text, where))]


def stamp_pins(text: str, versions: Mapping[str, str], where: str = "Cargo.toml") -> str:
    """The Cargo.toml with its requirements on the crates in `versions` at those versions, all else as it was.

    The operator (`=`, `^`, `~`, none) and the number of parts stay; ranges such as `>=0.1, <0.2` are left alone.
    Raises InputError, naming `where`, for a text that is not TOML.
    """
    document = toml_style.parse(text, where)
    changed = False
    for crate, table, key in list(_requirements(document)):
        if crate in versions and (new := pinned(str(table[key]), versions[crate])) != table[key]:
            toml_style.set_string(table, key, new)
            changed = True
    return tomlkit.dumps(document) if changed else text


def pinned(requirement: str, version: str) -> str:
    """The requirement as stamping leaves it for `version`: `=0.1.0` as `=0.1.1`, `0.1` as `0.2`, ranges as they are."""
    match = _SIMPLE.fullmatch(requirement)
    if match is None:
        return requirement
    operator, old, rest = match.groups()
    new = Version.parse(version)
    parts = old.count(".") + 1
    if parts < 3 and new.prerelease is None:  # no partial requirement takes in a pre-release
        version = ".".join([str(new.major), str(new.minor)][:parts])
    return f"{operator}{version}{rest}"


def _requirements(document: Table) -> Iterator[tuple[str, Table, str]]:
    for dependencies in _dependency_tables(document):
        for alias, dependency in dependencies.items():
            if isinstance(dependency, str):
                yield alias, dependencies, alias
            elif isinstance(dependency, MutableMapping) and isinstance(dependency.get("version"), str):
                yield str(dependency.get("package", alias)), dependency, "version"


def _dependency_tables(document: Table) -> Iterator[Table]:
    targets = table_at(document, "target") or {}
    holders = [document, *(table for name in targets if (table := table_at(targets, name)) is not None)]
    found = [table_at(holder, section) for holder in holders for section in _SECTIONS]
    patches = table_at(document, "patch") or {}
    found += [table_at(document, "workspace", "dependencies"), *(table_at(patches, source) for source in patches)]
    yield from (table for table in found if table is not None)
