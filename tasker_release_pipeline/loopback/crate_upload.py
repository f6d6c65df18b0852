"""Reading and judging what `cargo publish` sends.

Protocol: https://doc.rust-lang.org/cargo/reference/registry-web-api.html#publish, index lines:
https://doc.rust-lang.org/cargo/reference/registry-index.html. Refusals are worded as the public registry words them.
"""

import io
import json
import re
import struct
import tarfile
import tomllib
from dataclasses import dataclass
from typing import Any

import semver

from tasker_release_pipeline.loopback.refusal import RefusedError

MAX_UPLOAD = 10 * 1024 * 1024
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
# What cargo calls crates.io in a dependency's `registry`, also when its source is replaced. An id, never asked.
PUBLIC_INDEX = "https://github.com/rust-lang/crates.io-index"
MANIFEST_HELP = (
    "Please see https://doc.rust-lang.org/cargo/reference/manifest.html for more information on configuring "
    "these fields"
)


@dataclass(frozen=True)
class Upload:
    """One `cargo publish`: its metadata, as cargo sent it, and the archive's bytes."""

    metadata: dict[str, Any]
    archive: bytes

    @property
    def name(self) -> str:
        """The package's name."""
        return str(self.metadata["name"])

    @property
    def version(self) -> str:
        """The version, as written."""
        return str(self.metadata["vers"])


def parse(body: bytes) -> Upload:
    """Split the body: u32 LE length, JSON, u32 LE length, `.crate`. Raises `RefusedError`."""
    if len(body) > MAX_UPLOAD:
        raise RefusedError(f"max upload size is: {MAX_UPLOAD}", 413)
    try:
        (length,) = struct.unpack_from("<I", body)
        metadata = json.loads(body[4 : 4 + length])
        (size,) = struct.unpack_from("<I", body, 4 + length)
        archive = body[8 + length : 8 + length + size]
        metadata["name"], metadata["vers"]
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise RefusedError(f"invalid upload request: {error}") from error
    if len(archive) != size:
        raise RefusedError(f"invalid upload request: {size} bytes announced, {len(archive)} received")
    return Upload(metadata, archive)


def check(upload: Upload, own_index: str) -> None:
    """Refuse what the public registry refuses, as far as the upload alone shows it. Raises `RefusedError`.

    `own_index` is this registry's index as cargo writes it, `sparse+http://.../`.
    """
    metadata = upload.metadata
    if not NAME.fullmatch(upload.name):
        raise RefusedError(f"invalid crate name: `{upload.name}`")
    if not semver.Version.is_valid(upload.version):
        raise RefusedError(f'"{upload.version}" is an invalid semver version')
    missing = [] if metadata.get("description") else ["description"]
    if not metadata.get("license") and not metadata.get("license_file"):
        missing.append("license")
    if missing:
        raise RefusedError(f"missing or empty metadata fields: {', '.join(missing)}. {MANIFEST_HELP}")
    for dependency in metadata.get("deps") or []:
        if dependency.get("registry") not in (None, PUBLIC_INDEX, own_index):
            raise RefusedError(
                f"Dependency `{dependency['name']}` is hosted on another registry. "
                "Cross-registry dependencies are not permitted on crates.io."
            )
        if dependency["version_req"].strip() == "*":
            raise RefusedError(
                "wildcard (`*`) dependency constraints are not allowed on crates.io. "
                f"Crate with this problem: `{dependency['name']}`"
            )
    _check_archive(upload)


def _check_archive(upload: Upload) -> None:
    """Every path lies in `NAME-VERSION/`, and the manifest in there names the same package."""
    folder = f"{upload.name}-{upload.version}/"
    manifest = b""
    try:
        with tarfile.open(fileobj=io.BytesIO(upload.archive), mode="r:gz") as tar:
            for member in tar:
                if not member.name.startswith(folder) or ".." in member.name.split("/"):
                    raise RefusedError(f"invalid path found: {member.name}")
                if not member.isfile() and not member.isdir():
                    raise RefusedError(f"unexpected symlink or hard link found: {member.name}")
                if member.name == f"{folder}Cargo.toml" and (file := tar.extractfile(member)):
                    manifest = file.read()
    except (tarfile.TarError, EOFError, OSError) as error:
        raise RefusedError(f"uploaded tarball is malformed or too large when decompressed: {error}") from error
    if not manifest:
        raise RefusedError("uploaded tarball is missing a `Cargo.toml` manifest file")
    try:
        package = tomllib.loads(manifest.decode())["package"]
        inside = (package["name"], package["version"])
    except (ValueError, KeyError, TypeError) as error:
        raise RefusedError(f"failed to parse `Cargo.toml` manifest file\n\n{error}") from error
    for field, sent, found in zip(("name", "version"), (upload.name, upload.version), inside, strict=True):
        if sent != found:
            raise RefusedError(f"metadata {field} `{sent}` does not match manifest {field} `{found}`")


def version_key(version: str) -> str:
    """What makes a version unique: build metadata does not."""
    return version.partition("+")[0]


def index_line(upload: Upload, sha256: str) -> dict[str, Any]:
    """The index's line for this upload. Dependencies on this registry and on crates.io both get no `registry`.

    Features with `dep:` or `?/` go to `features2`, so that old cargo versions can read the rest.
    """
    metadata = upload.metadata
    plain: dict[str, list[str]] = {}
    newer: dict[str, list[str]] = {}
    for feature, values in sorted((metadata.get("features") or {}).items()):
        is_newer = any(value.startswith("dep:") or "?/" in value for value in values)
        (newer if is_newer else plain)[feature] = values
    line: dict[str, Any] = {
        "name": upload.name,
        "vers": upload.version,
        "deps": [_index_dependency(dependency) for dependency in metadata.get("deps") or []],
        "cksum": sha256,
        "features": plain,
        "yanked": False,
    }
    line |= {"features2": newer, "v": 2} if newer else {}
    line |= {field: metadata[field] for field in ("links", "rust_version") if metadata.get(field)}
    return line


def _index_dependency(sent: dict[str, Any]) -> dict[str, Any]:
    renamed = sent.get("explicit_name_in_toml")
    dependency = {
        "name": renamed or sent["name"],
        "req": sent["version_req"],
        "features": sent.get("features") or [],
        "optional": bool(sent.get("optional")),
        "default_features": bool(sent.get("default_features", True)),
        "target": sent.get("target"),
        "kind": sent.get("kind") or "normal",
        "registry": None,
    }
    return dependency | ({"package": sent["name"]} if renamed else {})
