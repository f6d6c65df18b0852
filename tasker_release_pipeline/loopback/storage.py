"""The folder that holds everything: files by their digest, records by their version.

Layout below the root:

    files/<ab>/<sha256>                        the bytes of a published file
    records/<registry>/<package>/<key>.json    one published file: the commit point of an upload
    tags/<registry>/<package>/<tag>            a movable name (npm's dist-tags): the version it points at
    owners/<registry>/<package>                who else than the token's holder the package belongs to
    derived/<name>                             made from the above, may be deleted at any time
    faults/<number>.json                       what is ordered to go wrong (see `orders`)

Nothing is kept in memory: any number of processes may serve one root. Bytes come first and records last; a record
appears whole, by `link`, and only once. Of two uploads of one version exactly one therefore wins, and an upload that is
killed half-way leaves at most bytes that no record names.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from tasker_release_pipeline.release.endpoints import RegistryName

OWNER = "loopback"
"""The name of whoever has the token."""

Record = dict[str, Any]
"""A published file. Every registry's records hold `version`, `filename`, `sha256`, `size` (bytes) and `created_at`."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path in `path`'s folder, on its own file system; removed afterwards if it is still there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".new-", dir=path.parent)
    os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def replace(path: Path, data: bytes) -> None:
    """Write `path` whole, over whatever lies there."""
    with whole_file(path) as new:
        new.write_bytes(data)
        new.replace(path)


def create(path: Path, data: bytes) -> bool:
    """Write `path` whole, unless it exists. Whether it was this call that made it."""
    with whole_file(path) as new:
        new.write_bytes(data)
        try:
            os.link(new, path)
        except FileExistsError:
            return False
    return True


def now() -> str:
    """This moment as the registries write it (RFC 3339, UTC), to the microsecond, so that it sorts by publication."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _escaped(part: str) -> str:
    """A package's or version's name as one path component; reversible, never `.`, `..` or hidden."""
    safe = quote(part, safe="@+!")
    return "%2E" + safe[1:] if safe.startswith(".") else safe


@dataclass(frozen=True)
class Storage:
    """One registry's part of the folder."""

    root: Path
    registry: RegistryName

    def keep(self, data: bytes) -> str:
        """Keep a file's bytes; their SHA-256 in hex. Keeping the same bytes again changes nothing."""
        sha256 = hashlib.sha256(data).hexdigest()
        path = self.file(sha256)
        if not path.exists():
            replace(path, data)
        return sha256

    def file(self, sha256: str) -> Path:
        """Where the bytes with this digest lie."""
        return self.root / "files" / sha256[:2] / sha256

    def commit(self, package: str, key: str, record: Record) -> bool:
        """Publish: whether this very record was the first under `key`."""
        return create(self._records(package) / f"{_escaped(key)}.json", json.dumps(record, sort_keys=True).encode())

    def record(self, package: str, key: str) -> Record | None:
        """What is published under `key`."""
        try:
            return _read(self._records(package) / f"{_escaped(key)}.json")
        except FileNotFoundError:
            return None

    def records(self, package: str) -> list[Record]:
        """Everything published of `package`, oldest first; empty for a package that is not held."""
        found = [_read(path) for path in self._records(package).glob("[!.]*.json")]
        return sorted(found, key=lambda record: (record["created_at"], record["filename"]))

    def packages(self) -> list[str]:
        """The packages held, sorted, by the keys that they were committed under."""
        folder = self.root / "records" / self.registry
        names = [unquote(path.name) for path in folder.iterdir()] if folder.is_dir() else []
        return sorted(name for name in names if self.records(name))

    def tags(self, package: str) -> dict[str, str]:
        """The package's movable names and the versions they point at."""
        folder = self._tags(package)
        found: dict[str, str] = {}
        for path in sorted(folder.glob("[!.]*")) if folder.is_dir() else []:
            with suppress(FileNotFoundError):  # untagged in this moment, by another server
                found[unquote(path.name)] = path.read_text()
        return found

    def tag(self, package: str, tag: str, version: str) -> None:
        """Point `tag` at `version`, wherever it pointed before."""
        replace(self._tags(package) / _escaped(tag), version.encode())

    def untag(self, package: str, tag: str) -> None:
        """Remove a tag; no error if it is not there."""
        (self._tags(package) / _escaped(tag)).unlink(missing_ok=True)

    def owner(self, package: str) -> str:
        """Whose the package is: whoever has the token, unless it was given to another."""
        path = self._owner(package)
        return path.read_text() if path.is_file() else OWNER

    def give(self, package: str, to: str) -> None:
        """Make the package another's."""
        replace(self._owner(package), to.encode())

    def derived(self, name: str) -> Path:
        """A place for something that can be made again."""
        return self.root / "derived" / self.registry / name

    def _records(self, package: str) -> Path:
        return self.root / "records" / self.registry / _escaped(package)

    def _tags(self, package: str) -> Path:
        return self.root / "tags" / self.registry / _escaped(package)

    def _owner(self, package: str) -> Path:
        return self.root / "owners" / self.registry / _escaped(package)


def _read(path: Path) -> Record:
    record: Record = json.loads(path.read_bytes())
    return record
