"""The packages that lockfiles pin, whatever their ecosystem."""

import base64
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

_TRAILING_COMMA = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])')
_GEM = re.compile(r"    (\S+) \(([^)]+)\)")
_SECTION = re.compile(r"\S")


@dataclass(frozen=True)
class Locked:
    """A package that a lockfile pins.

    `kind`: the type of its package URL (cargo, pypi, npm, gem). `sha256`, `sha512`: hex, where the lockfile has it.
    `needs`: references to others of the same lockfile, as `name` or `name version`. `own`: its source is the checkout.
    """

    kind: str
    name: str
    version: str
    sha256: str = ""
    sha512: str = ""
    needs: tuple[str, ...] = ()
    own: bool = False


@dataclass(frozen=True)
class Lockfiles:
    """All that the lockfiles pin, by path; `unread`: those that could not be read, and why."""

    packages: Mapping[str, tuple[Locked, ...]]
    unread: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> "Lockfiles":
        """Read the lockfiles, by path. One that can't be read is named, and stops nothing."""
        packages: dict[str, tuple[Locked, ...]] = {}
        unread: dict[str, str] = {}
        for path, text in texts.items():
            try:
                packages[path] = tuple(READERS[path.rsplit("/", 1)[-1]](text))
            except (ValueError, KeyError, TypeError, IndexError) as error:
                unread[path] = f"{type(error).__name__}: {error}"
        return cls(packages, unread)


def _cargo(text: str) -> Iterator[Locked]:
    for row in tomllib.loads(text).get("package", []):
        # "name", "name version" or "name version (source)".
        needs = tuple(need.partition(" (")[0] for need in row.get("dependencies", []))
        yield Locked(
            "cargo", row["name"], row["version"], sha256=row.get("checksum", ""), needs=needs, own="source" not in row
        )


def _uv(text: str) -> Iterator[Locked]:
    for row in tomllib.loads(text).get("package", []):
        source = row.get("source", {})
        own = any(kind in source for kind in ("editable", "virtual", "directory"))
        needs = tuple(need["name"] for need in row.get("dependencies", []))
        # A wheel for each platform has a digest of its own: the sdist stands for the package.
        digest = row.get("sdist", {}).get("hash", "").removeprefix("sha256:")
        if "version" in row:
            yield Locked("pypi", row["name"], row["version"], sha256=digest, needs=needs, own=own)


def _bun(text: str) -> Iterator[Locked]:
    rows = json.loads(_TRAILING_COMMA.sub(lambda found: found[1] or "", text))["packages"]
    for row in rows.values():
        name, _, version = row[0].rpartition("@")
        integrity = row[-1] if isinstance(row[-1], str) else ""
        if version[:1].isdigit():
            yield Locked("npm", name, version, sha512=_hex(integrity))


def _npm(text: str) -> Iterator[Locked]:
    for path, row in json.loads(text)["packages"].items():
        name = row.get("name") or path.rpartition("node_modules/")[2]
        if "version" in row and "link" not in row:
            own = "node_modules/" not in path
            yield Locked("npm", name, row["version"], sha512=_hex(row.get("integrity", "")), own=own)


def _gems(text: str) -> Iterator[Locked]:
    section = ""
    for line in text.splitlines():
        if _SECTION.match(line):
            section = line.strip()
        elif section in ("GEM", "PATH", "GIT") and (found := _GEM.fullmatch(line)):
            yield Locked("gem", found[1], found[2], own=section == "PATH")


READERS: Mapping[str, Callable[[str], Iterator[Locked]]] = {
    "Cargo.lock": _cargo,
    "uv.lock": _uv,
    "bun.lock": _bun,
    "package-lock.json": _npm,
    "Gemfile.lock": _gems,
}
"""What reads each lockfile, by its name."""


def _hex(integrity: str) -> str:
    """npm's `sha512-BASE64` in hex; empty for another digest."""
    kind, _, value = integrity.partition("-")
    if kind != "sha512":
        return ""
    return base64.b64decode(value).hex()
