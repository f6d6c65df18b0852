"""What is inside an archive, whatever way it was packed: two archives can hold the same files in other bytes. Pure."""

import gzip
import hashlib
import io
import json
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO, cast

MAX_UNPACKED = 2 << 30
"""Bytes. A published archive may be a stranger's; what unpacks to more is compared by its bytes alone."""

_CHUNK = 1 << 20
# A gem's metadata names the RubyGems that built it, and the day.
_GEM_BUILD = re.compile(rb"^(rubygems_version|date):.*\n?", re.MULTILINE)
_VCS_INFO = ".cargo_vcs_info.json"

Contents = dict[str, str]
"""By a member's path: what it is (file, executable, link) and the SHA-256 of its content, or where it points."""


class UnreadableError(ValueError):
    """Not an archive of the kind that its name says, or one that can be unpacked in more than one way."""


def same_files(file: str, one: bytes, other: bytes) -> bool:
    """Whether both archives hold the same files: paths, contents, executable bits. `file` tells their kind.

    Times, order, owners, compression and empty folders do not count; of a gem, not which RubyGems built it, nor when.
    """
    try:
        return contents(file, one) == contents(file, other)
    except UnreadableError:
        return False


def contents(file: str, archive: bytes) -> Contents:
    """What is inside a crate, gem, wheel, source distribution or npm tarball. Raises UnreadableError."""
    try:
        if file.endswith((".whl", ".zip")):
            return _unique(_zipped(archive))
        if file.endswith(".gem"):
            return _unique(_gem(archive))
        return _unique(_tarred(_unpacked(io.BytesIO(archive))))
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError) as error:
        # RuntimeError: an encrypted zip; NotImplementedError, one of its kind: a compression that Python lacks.
        raise UnreadableError(f"{file}: cannot be read ({type(error).__name__}: {error})") from error


def commit_of(file: str, archive: bytes) -> str | None:
    """The commit that a crate says it was packaged from; None where it says none, or that its tree was dirty."""
    if not file.endswith(".crate"):
        return None
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as crate:
            inside = (member for member in crate if member.name.partition("/")[2] == _VCS_INFO)
            member = next(inside, None)
            record = crate.extractfile(member) if member and member.size < _CHUNK else None
            git = json.load(record).get("git", {}) if record else {}
            return None if git.get("dirty") else git.get("sha1") or None
    except (tarfile.TarError, zlib.error, OSError, EOFError, ValueError, AttributeError):
        return None


def _tarred(archive: IO[bytes]) -> Iterator[tuple[str, str]]:
    with tarfile.open(fileobj=archive, mode="r|") as members:
        left = MAX_UNPACKED
        for member in members:
            if member.isdir():
                continue
            if member.issym() or member.islnk():
                yield member.name, f"link to {member.linkname}"
                continue
            left -= member.size
            content = members.extractfile(member) if left >= 0 else None
            if content is None:
                raise UnreadableError(f"{member.name} is no plain file, or too large")
            yield member.name, _file(content, executable=bool(member.mode & 0o111))


def _zipped(archive: bytes) -> Iterator[tuple[str, str]]:
    with zipfile.ZipFile(io.BytesIO(archive)) as members:
        infos = [info for info in members.infolist() if not info.is_dir()]
        if sum(info.file_size for info in infos) > MAX_UNPACKED:
            raise UnreadableError("too large")
        for info in infos:
            with members.open(info) as content:
                # The list of a wheel's members is in their order, which does not count.
                listed = info.filename.endswith(".dist-info/RECORD")
                stream = io.BytesIO(b"".join(sorted(content))) if listed else content
                yield info.filename, _file(stream, executable=bool(info.external_attr >> 16 & 0o111))


def _gem(archive: bytes) -> Iterator[tuple[str, str]]:
    """A gem's files and its metadata; its checksums and signatures are of the packed parts."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as parts:
        for name in ("data.tar.gz", "metadata.gz"):
            part = parts.extractfile(name) if name in parts.getnames() else None
            if part is None:
                raise UnreadableError(f"no {name} in it")
            if name == "data.tar.gz":
                yield from ((f"data/{path}", what) for path, what in _tarred(_unpacked(part)))
            else:
                metadata = _unpacked(part).read(_CHUNK << 4)
                yield "metadata", _file(io.BytesIO(_GEM_BUILD.sub(b"", metadata)), executable=False)


def _unpacked(packed: IO[bytes]) -> IO[bytes]:
    return cast(IO[bytes], gzip.GzipFile(fileobj=packed))


def _file(content: IO[bytes], *, executable: bool) -> str:
    digest = hashlib.sha256()
    while chunk := content.read(_CHUNK):
        digest.update(chunk)
    return f"{'executable' if executable else 'file'} {digest.hexdigest()}"


def _unique(members: Iterator[tuple[str, str]]) -> Contents:
    found: Contents = {}
    for path, what in members:
        if path in found:
            raise UnreadableError(f"{path} is in it twice")
        found[path] = what
    return found
