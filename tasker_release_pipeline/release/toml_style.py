"""TOML that is written to with its style kept: comments, order, spacing, quotes and line ends."""

from collections.abc import Mapping, MutableMapping
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from tasker_release_pipeline.release.errors import InputError

Table = MutableMapping[str, Any]


def parse(text: str, where: str) -> tomlkit.TOMLDocument:
    """Read TOML such that `tomlkit.dumps` gives the same text. Raises InputError, naming `where`."""
    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise InputError(f"{where}: not TOML: {error}; correct the file") from None


def set_string(table: Table, key: str, value: str) -> None:
    """Replace the string at `key` by another in the same kind of quotes."""
    quoted = table[key].as_string()
    table[key] = tomlkit.string(
        value, literal=quoted.startswith("'"), multiline=quoted.startswith(('"""', "'''")), escape=False
    )


def table_at(table: Table, *keys: str) -> Table | None:
    """The table that `keys` lead to; None where there is none."""
    found: Any = table
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, MutableMapping) else None
