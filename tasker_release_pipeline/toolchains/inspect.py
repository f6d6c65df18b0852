"""What an artifact itself says: the name and version in its own metadata, whatever the file is called."""

import email.parser
import gzip
import io
import json
import re
import tarfile
import tomllib
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO

from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError

_UNREADABLE = (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError, zlib.error, ValueError, KeyError, TypeError)


def identify(path: Path, registry: RegistryName) -> tuple[str, str]:
    """Name and version that the file says of itself, in its registry's style.

    Read from a crate's Cargo.toml, a gem's metadata, a wheel's METADATA, an sdist's PKG-INFO, an npm tarball's
    package.json.
    Raises InputError, naming the file, where that can't be read.
    """
    reader, where = _READERS[registry]
    try:
        name, version = reader(path)
    except _UNREADABLE as error:
        raise InputError(f"{path}: its {where} can't be read for name and version ({error}); build it again") from None
    return name, version


def gem_file_name(path: Path) -> str:
    """The file name that RubyGems gives this gem: `NAME-VERSION.gem`, with its platform unless that is ruby.

    Raises InputError as `identify` does.
    """
    name, version = identify(path, RegistryName.RUBYGEMS)
    platform = _scalar(_gem_metadata(path), r"^platform: (.+)$", "ruby")
    return f"{name}-{version}.gem" if platform == "ruby" else f"{name}-{version}-{platform}.gem"


def _crate(path: Path) -> tuple[str, str]:
    # NAME-VERSION/Cargo.toml: crates may hold further Cargo.toml files deeper down.
    package = tomllib.loads(_tar_text(path, lambda parts: len(parts) == 2 and parts[1] == "Cargo.toml"))["package"]
    return str(package["name"]), str(package["version"])


def _npm(path: Path) -> tuple[str, str]:
    package = json.loads(_tar_text(path, lambda parts: parts == ("package", "package.json")))
    return str(package["name"]), str(package["version"])


def _python(path: Path) -> tuple[str, str]:
    if path.name.endswith(".tar.gz"):
        text = _tar_text(path, lambda parts: len(parts) == 2 and parts[1] == "PKG-INFO")
    else:
        with zipfile.ZipFile(path) as wheel:
            (member,) = (n for n in wheel.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", n))
            text = wheel.read(member).decode("utf-8")
    metadata = email.parser.Parser().parsestr(text, headersonly=True)
    name, version = metadata["Name"], metadata["Version"]
    if not (name and version):
        raise ValueError("it has no Name or no Version")
    return str(name), str(version)


def _gem(path: Path) -> tuple[str, str]:
    metadata = _gem_metadata(path)
    return _scalar(metadata, r"^name: (.+)$"), _scalar(metadata, r"^version: .*\n  version: (.+)$")


def _gem_metadata(path: Path) -> str:
    with tarfile.open(path, "r:") as gem:
        return gzip.decompress(_member(gem, lambda parts: parts == ("metadata.gz",)).read()).decode("utf-8")


def _scalar(metadata: str, pattern: str, default: str | None = None) -> str:
    # RubyGems always writes these fields at the margin. A YAML parser would have to be told of Ruby's object tags.
    match = re.search(pattern, metadata, re.MULTILINE)
    if match is None:
        if default is None:
            raise ValueError(f"nothing matches {pattern}")
        return default
    return match[1].strip().strip("\"'")


def _tar_text(path: Path, wanted: Callable[[tuple[str, ...]], bool]) -> str:
    with tarfile.open(path, "r:gz") as archive:
        return _member(archive, wanted).read().decode("utf-8")


def _member(archive: tarfile.TarFile, wanted: Callable[[tuple[str, ...]], bool]) -> IO[bytes]:
    for member in archive:
        if wanted(PurePosixPath(member.name).parts):
            return archive.extractfile(member) or io.BytesIO()
    raise ValueError("it is not in the archive")


_READERS: dict[RegistryName, tuple[Callable[[Path], tuple[str, str]], str]] = {
    RegistryName.CRATES_IO: (_crate, "Cargo.toml"),
    RegistryName.RUBYGEMS: (_gem, "metadata.gz"),
    RegistryName.PYPI: (_python, "METADATA or PKG-INFO"),
    RegistryName.NPM: (_npm, "package/package.json"),
}
