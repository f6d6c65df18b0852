"""Reading and judging what `npm publish` sends.

The body is a packument with one version and its tarball in base64 under `_attachments`
(https://github.com/npm/cli/blob/latest/workspaces/libnpmpublish/lib/publish.js).
"""

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

import semver

from tasker_release_pipeline.loopback.refusal import RefusedError
from tasker_release_pipeline.loopback.storage import Record, Storage, now

NAME = re.compile(r"(@[a-z0-9~-][a-z0-9._~-]*/)?[a-z0-9~-][a-z0-9._~-]*")


@dataclass(frozen=True)
class Upload:
    """One `npm publish`: the version's manifest, the tarball, and the dist-tags to set (usually one)."""

    manifest: dict[str, Any]
    tarball: bytes
    tags: tuple[str, ...]

    @property
    def name(self) -> str:
        """The package's name."""
        return str(self.manifest["name"])

    @property
    def version(self) -> str:
        """The version, as written."""
        return str(self.manifest["version"])


def parse(name: str, body: bytes) -> Upload:
    """The upload in a PUT to `name`. Raises `RefusedError`."""
    try:
        document = json.loads(body)
        ((version, manifest),) = document["versions"].items()
        tarballs = [file for path, file in document["_attachments"].items() if path.endswith(".tgz")]
        tarball = base64.b64decode(tarballs[0]["data"], validate=True)
        length, tags = tarballs[0].get("length"), document.get("dist-tags") or {}
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, binascii.Error) as error:
        raise RefusedError(f"not a packument with one version and its tarball: {error}") from error
    upload = Upload(manifest, tarball, tuple(tags))
    if not (document.get("name") == manifest.get("name") == name) or not NAME.fullmatch(name):
        raise RefusedError(f"invalid package name: {document.get('name')!r} sent to {name!r}")
    # Exactly SemVer: four parts, a leading `v` or spaces are refused.
    if manifest.get("version") != version or not semver.Version.is_valid(version):
        raise RefusedError(f"invalid version: {manifest.get('version')}")
    if length is not None and length != len(tarball):
        raise RefusedError(f"attachment of {length} bytes announced, {len(tarball)} received")
    if any(semver.Version.is_valid(tag) or value != version for tag, value in tags.items()):
        raise RefusedError(f"invalid dist-tags: {tags}")
    check_digests(manifest.get("dist") or {}, tarball)
    return upload


def accept(storage: Storage, upload: Upload) -> Record:
    """Publish an upload and point its tags at it. Raises `RefusedError` if its version is taken."""
    record = {
        "name": upload.name,
        "version": upload.version,
        "filename": f"{upload.name.rpartition('/')[2]}-{upload.version}.tgz",
        "sha256": storage.keep(upload.tarball),
        "size": len(upload.tarball),
        "created_at": now(),
        "manifest": upload.manifest | {"dist": _dist(upload)},
    }
    # Build metadata does not make another version: npm drops it.
    if not storage.commit(upload.name, upload.version.partition("+")[0], record):
        raise RefusedError(f"You cannot publish over the previously published versions: {upload.version}.", 403)
    for tag in upload.tags:
        storage.tag(upload.name, tag, upload.version)
    return record


def _dist(upload: Upload) -> dict[str, Any]:
    """The file's digests, found here; what else the client said of it (signatures) stays. The address is the host's."""
    sent = {key: value for key, value in (upload.manifest.get("dist") or {}).items() if key != "tarball"}
    return sent | digests_of(upload.tarball)


def digests_of(tarball: bytes) -> dict[str, str]:
    """The digests that a version's `dist` states."""
    return {"shasum": _shasum(tarball), "integrity": _integrity(tarball)}


def _shasum(tarball: bytes) -> str:
    return hashlib.sha1(tarball, usedforsecurity=False).hexdigest()


def _integrity(tarball: bytes) -> str:
    return f"sha512-{base64.b64encode(hashlib.sha512(tarball).digest()).decode()}"


def check_digests(dist: dict[str, Any], tarball: bytes) -> None:
    """Refuse a tarball that is not what its manifest says. Raises `RefusedError`."""
    if dist.get("shasum") and dist["shasum"] != _shasum(tarball):
        raise RefusedError("dist.shasum does not match the tarball")
    integrity = str(dist.get("integrity") or "")
    if integrity.startswith("sha512-") and _integrity(tarball) not in integrity.split():
        raise RefusedError("dist.integrity does not match the tarball")
