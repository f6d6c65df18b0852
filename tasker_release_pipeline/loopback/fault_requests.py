"""What a request is about, read from its path, or from its body where only that tells."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from tasker_release_pipeline.loopback import crate_upload, gem_archive, multipart
from tasker_release_pipeline.loopback.faults import RequestKind
from tasker_release_pipeline.loopback.npm import split
from tasker_release_pipeline.loopback.refusal import RefusedError
from tasker_release_pipeline.release.endpoints import RegistryName

# A gem's file is NAME-NUMBER[-PLATFORM].
_GEM = re.compile(r"(?P<name>.+?)-\d")


@dataclass(frozen=True)
class Asked:
    """`kind` any: none of the others. `package` None: the body tells; "": about none. `file`: what is downloaded."""

    registry: RegistryName
    kind: RequestKind
    package: str | None = ""
    file: str = ""


def asked(method: str, path: str) -> Asked | None:
    """What is asked of which registry; None for the server's own pages."""
    mount, _, rest = path.lstrip("/").partition("/")
    read = _READERS.get(mount)
    return read(method, rest) if read else None


def package_of(registry: RegistryName, content_type: str, body: bytes) -> str:
    """The package that an upload's body is of; empty if it can't be read."""
    try:
        if registry is RegistryName.CRATES_IO:
            return crate_upload.parse(body).name
        if registry is RegistryName.RUBYGEMS:
            return gem_archive.read(body).name
        return multipart.parse(content_type, body).field("name")
    except (RefusedError, gem_archive.UnreadableGemError, multipart.MalformedFormError):
        return ""


def _cargo(method: str, path: str) -> Asked:
    registry = RegistryName.CRATES_IO
    if path == "api/v1/crates/new" and method == "PUT":
        return Asked(registry, RequestKind.UPLOAD, None)
    if path.startswith("index/"):
        name = path.rpartition("/")[2]
        return Asked(registry, RequestKind.INDEX, "" if name == "config.json" else name)
    name, _, rest = path.removeprefix("api/v1/crates/").partition("/")
    if rest.endswith("/download"):
        return Asked(registry, RequestKind.DOWNLOAD, name, f"{name}-{rest.removesuffix('/download')}.crate")
    return Asked(registry, RequestKind.ANY if rest == "owners" else RequestKind.INDEX, name)


def _rubygems(method: str, path: str) -> Asked:
    registry = RegistryName.RUBYGEMS
    if path == "api/v1/gems" and method == "POST":
        return Asked(registry, RequestKind.UPLOAD, None)
    file = path.rpartition("/")[2]
    of_file = found["name"] if (found := _GEM.match(file)) else ""
    if path.startswith("gems/"):
        return Asked(registry, RequestKind.DOWNLOAD, of_file, file)
    if path.endswith("/owners.json"):
        return Asked(registry, RequestKind.ANY, path.split("/")[-2])
    if path.startswith(("info/", "api/v1/")):
        return Asked(registry, RequestKind.INDEX, file.removesuffix(".json"))
    return Asked(registry, RequestKind.INDEX, of_file if path.startswith("quick/") else "")


def _pypi(method: str, path: str) -> Asked:
    registry = RegistryName.PYPI
    if path == "legacy/" and method == "POST":
        return Asked(registry, RequestKind.UPLOAD, None)
    kind, _, rest = path.partition("/")
    name = rest.partition("/")[0]
    if kind in ("files", "upstream"):
        return Asked(registry, RequestKind.DOWNLOAD, name, rest.rpartition("/")[2])
    return Asked(registry, RequestKind.INDEX if kind in ("simple", "pypi") else RequestKind.ANY, name)


def _npm(method: str, path: str) -> Asked:
    registry = RegistryName.NPM
    if path.startswith("-/"):
        tags_of = path.removeprefix("-/package/") if path.startswith("-/package/") else ""
        return Asked(registry, RequestKind.ANY, split(tags_of)[0])
    name, rest = split(path)
    if rest.startswith("-/"):
        return Asked(registry, RequestKind.DOWNLOAD, name, rest.removeprefix("-/"))
    return Asked(registry, RequestKind.UPLOAD if method == "PUT" else RequestKind.INDEX, name)


_READERS: dict[str, Callable[[str, str], Asked]] = {
    "cargo": _cargo,
    "rubygems": _rubygems,
    "pypi": _pypi,
    "npm": _npm,
}
