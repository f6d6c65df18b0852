"""The same files, packed in many ways."""

import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

METADATA = """--- !ruby/object:Gem::Specification
name: one
version: !ruby/object:Gem::Version
  version: 1.0.0
date: {date} 00:00:00.000000000 Z
metadata:
  date: kept
rubygems_version: {rubygems}
summary: {summary}
"""


@dataclass(frozen=True)
class Packing:
    """How files are packed; none of it is content, but for `executable` (paths) and `summary` (a gem's)."""

    level: int = 9
    mtime: int = 0
    backwards: bool = False
    owner: str = ""
    folders: bool = False
    tar_format: int = tarfile.GNU_FORMAT
    executable: frozenset[str] = frozenset()
    rubygems: str = "3.3.15"
    date: str = "2026-01-01"
    summary: str = "one"

    def tar(self, files: Mapping[str, bytes]) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=self.tar_format) as archive:
            for path, content in self._ordered(files):
                if self.folders:
                    folder = tarfile.TarInfo(path.rpartition("/")[0] or "empty")
                    folder.type = tarfile.DIRTYPE
                    archive.addfile(folder)
                member = tarfile.TarInfo(path)
                member.size, member.mtime, member.uname = len(content), self.mtime, self.owner
                member.mode = 0o755 if path in self.executable else 0o644
                archive.addfile(member, io.BytesIO(content))
        return buffer.getvalue()

    def gz(self, content: bytes) -> bytes:
        return gzip.compress(content, self.level, mtime=self.mtime)

    def tarball(self, files: Mapping[str, bytes]) -> bytes:
        return self.gz(self.tar(files))

    def gem(self, files: Mapping[str, bytes]) -> bytes:
        metadata = METADATA.format(date=self.date, rubygems=self.rubygems, summary=self.summary)
        parts = {"metadata.gz": self.gz(metadata.encode()), "data.tar.gz": self.tarball(files)}
        sums = "".join(f"  {name}: {hashlib.sha256(part).hexdigest()}\n" for name, part in parts.items())
        checksums = {"checksums.yaml.gz": self.gz(f"---\nSHA256:\n{sums}".encode())}
        return replace(self, folders=False, executable=frozenset()).tar(parts | checksums)

    def wheel(self, files: Mapping[str, bytes]) -> bytes:
        record = "".join(f"{path},sha256=x,{len(content)}\n" for path, content in self._ordered(files))
        buffer = io.BytesIO()
        how = zipfile.ZIP_DEFLATED if self.level else zipfile.ZIP_STORED
        with zipfile.ZipFile(buffer, "w", how, compresslevel=self.level or None) as archive:
            if self.folders:
                archive.writestr(zipfile.ZipInfo("one/"), b"")
            for path, content in (*self._ordered(files), ("one-1.0.0.dist-info/RECORD", record.encode())):
                info = zipfile.ZipInfo(path, (1980 + self.mtime % 100, 1, 1, 0, 0, 0))
                info.external_attr = (0o100755 if path in self.executable else 0o100644) << 16
                info.compress_type = how
                archive.writestr(info, content)
        return buffer.getvalue()

    def _ordered(self, files: Mapping[str, bytes]) -> list[tuple[str, bytes]]:
        return list(files.items())[:: -1 if self.backwards else 1]


@dataclass(frozen=True)
class Kind:
    """A kind of archive: the file's name, its members, and the `Packing` method that makes it."""

    file: str
    files: Mapping[str, bytes]
    how: str

    def packed(self, files: Mapping[str, bytes] | None = None, **ways: Any) -> bytes:
        made: bytes = getattr(Packing(**ways), self.how)(self.files if files is None else files)
        return made


CRATE = Kind(
    "one-1.0.0.crate",
    {"one-1.0.0/Cargo.toml": b'[package]\nname = "one"\nversion = "1.0.0"\n', "one-1.0.0/src/lib.rs": b"// one\n"},
    "tarball",
)
GEM = Kind("one-1.0.0.gem", {"lib/one.rb": b"ONE = 1\n", "exe/one": b"#!/usr/bin/env ruby\n"}, "gem")
WHEEL = Kind(
    "one-1.0.0-py3-none-any.whl",
    {
        "one/__init__.py": b"one = 1\n",
        "one-1.0.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: one\nVersion: 1.0.0\n",
        "one-1.0.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    },
    "wheel",
)
NPM = Kind(
    "one-1.0.0.tgz",
    {"package/package.json": b'{"name": "one", "version": "1.0.0"}', "package/index.js": b"1\n"},
    "tarball",
)
SDIST = Kind("one-1.0.0.tar.gz", {"one-1.0.0/PKG-INFO": b"Name: one\n", "one-1.0.0/one.py": b"one = 1\n"}, "tarball")
KINDS = (CRATE, GEM, WHEEL, NPM, SDIST)
