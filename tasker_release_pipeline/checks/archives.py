"""What is inside an artifact, whichever of the registries' formats it has."""

import gzip
import io
import posixpath
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError


class Kind(StrEnum):
    """What a member of an archive is."""

    FILE = "file"
    FOLDER = "folder"
    LINK = "link"


@dataclass(frozen=True)
class Member:
    """One entry of an archive. `name`: as it is written there. `target`: where a link leads, seen from its folder."""

    name: str
    kind: Kind = Kind.FILE
    content: bytes = b""
    target: str = ""


@dataclass(frozen=True)
class Archive:
    """An artifact's members. `root`: the folder that all of them lie in, with a slash at its end; empty for none."""

    file: str
    root: str
    members: tuple[Member, ...]

    @cached_property
    def files(self) -> dict[str, bytes]:
        """The content of the files, by path from the root; of two with one name the last, as unpacking does."""
        return {
            posixpath.normpath(member.name.removeprefix(self.root)): member.content
            for member in self.members
            if member.kind is Kind.FILE
        }

    @property
    def paths(self) -> list[str]:
        """What is in it besides folders: paths from the root, as they are written there."""
        return [member.name.removeprefix(self.root) for member in self.members if member.kind is not Kind.FOLDER]


def read_archive(path: Path, registry: RegistryName) -> Archive:
    """Read an artifact. Raises InputError, naming the file, where it can't be read."""
    try:
        if path.suffix == ".whl":
            return Archive(path.name, "", tuple(_zip(path)))
        members = tuple(_gem(path) if registry is RegistryName.RUBYGEMS else _tar(gzip.decompress(path.read_bytes())))
    except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError, zlib.error, ValueError, KeyError) as error:
        raise InputError(f"{path}: can't be unpacked ({error}); build it again") from None
    # What lies elsewhere is told by its name, which keeps its first folder.
    first = members[0].name.partition("/")[0] + "/" if members else ""
    return Archive(path.name, "" if registry is RegistryName.RUBYGEMS else first, members)


def _tar(content: bytes) -> Iterator[Member]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        for member in archive:
            if member.isdir():
                yield Member(member.name, Kind.FOLDER)
            elif member.issym():
                yield Member(member.name, Kind.LINK, target=member.linkname)
            elif member.islnk():  # a hard link names its target from the archive's top
                folder = posixpath.dirname(member.name)
                yield Member(member.name, Kind.LINK, target=posixpath.relpath(member.linkname, folder or "."))
            else:
                file = archive.extractfile(member)
                yield Member(member.name, content=file.read() if file else b"")


def _gem(path: Path) -> Iterator[Member]:
    with tarfile.open(path, "r:") as gem:
        data = gem.extractfile("data.tar.gz")
        return _tar(gzip.decompress(data.read() if data else b""))


def _zip(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as wheel:
        for info in wheel.infolist():
            if info.is_dir():
                yield Member(info.filename, Kind.FOLDER)
            elif (info.external_attr >> 16) & 0o170000 == 0o120000:
                yield Member(info.filename, Kind.LINK, target=wheel.read(info).decode("utf-8", "replace"))
            else:
                yield Member(info.filename, content=wheel.read(info))
