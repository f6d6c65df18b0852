"""Copying published files in, byte for byte, without an upload.

Staging starts from what the target registry already holds. The registry that published a file has judged it, so it is
not judged again here; that the bytes and what is said of them agree is checked. Seeding the same content again changes
nothing; other content under the same version raises `ConflictError`.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from tasker_release_pipeline.loopback import crates_io, gem_archive, npm_publish, pypi_upload, rubygems
from tasker_release_pipeline.loopback.crate_upload import version_key
from tasker_release_pipeline.loopback.names import canonical
from tasker_release_pipeline.loopback.refusal import RefusedError
from tasker_release_pipeline.loopback.storage import Record, Storage
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import ConflictError, InputError


def seed_crate(root: Path, index_line: dict[str, Any], crate_bytes: bytes) -> None:
    """A crate with the line that its registry's index has for it. Raises `InputError` if `cksum` is of other bytes."""
    storage = Storage(root, RegistryName.CRATES_IO)
    name, version = index_line["name"], index_line["vers"]
    if (found := hashlib.sha256(crate_bytes).hexdigest()) != index_line["cksum"]:
        raise InputError(f"{name} {version}: the index has cksum {index_line['cksum']}, the file is {found}")
    storage.keep(crate_bytes)
    record = crates_io.record_of(index_line, crate_bytes, {})
    if not storage.commit(crates_io.key(name), version_key(version), record):
        _expect_same(storage.record(crates_io.key(name), version_key(version)), record)


def seed_gem(root: Path, gem_bytes: bytes) -> None:
    """A gem; its name, version and platform are in it. Raises `InputError` if it can't be read."""
    storage = Storage(root, RegistryName.RUBYGEMS)
    try:
        spec = gem_archive.read(gem_bytes)
        rubygems.accept(storage, gem_bytes)
    except gem_archive.UnreadableGemError as error:
        raise InputError(f"not a gem that can be seeded: {error}") from error
    except RefusedError as refusal:
        sha256 = hashlib.sha256(gem_bytes).hexdigest()
        if all(record["sha256"] != sha256 for record in storage.records(rubygems.key(spec.name))):
            raise ConflictError(f"{spec.full_name}.gem (sha256 {sha256}): {refusal}") from refusal


def seed_wheel(root: Path, filename: str, wheel_bytes: bytes) -> None:
    """A wheel under its file name. Raises `InputError` if its name or metadata can't be read."""
    try:
        parse_wheel_filename(filename)
        metadata = pypi_upload.wheel_metadata(wheel_bytes)
    except (InvalidWheelFilename, RefusedError) as error:
        raise InputError(f"{filename}: {error}") from error
    try:
        storage = Storage(root, RegistryName.PYPI)
        pypi_upload.publish(
            storage, filename, wheel_bytes, name=metadata["name"], version=metadata["version"], fields=metadata
        )
    except RefusedError as refusal:
        raise ConflictError(f"{filename} (sha256 {hashlib.sha256(wheel_bytes).hexdigest()}): {refusal}") from refusal


def seed_npm(root: Path, version_manifest: dict[str, Any], tarball: bytes, dist_tags: Mapping[str, str]) -> None:
    """A version as its packument has it, and the package's dist-tags as they are to stand afterwards."""
    storage = Storage(root, RegistryName.NPM)
    upload = npm_publish.Upload(version_manifest, tarball, ())
    try:
        npm_publish.check_digests(version_manifest.get("dist") or {}, tarball)
        npm_publish.accept(storage, upload)
    except RefusedError as refusal:
        sha256 = hashlib.sha256(tarball).hexdigest()
        taken = storage.record(upload.name, version_key(upload.version))
        if taken is None:
            raise InputError(f"{upload.name} {upload.version}: {refusal}") from refusal
        if taken["sha256"] != sha256:
            raise ConflictError(f"{upload.name} {upload.version} (sha256 {sha256}): {refusal}") from refusal
    for tag, version in dist_tags.items():
        storage.tag(upload.name, tag, version)


def seed_owner(root: Path, registry: RegistryName, name: str, owner: str) -> None:
    """Whose a package is: another's than the token's holder, who would be refused by the public registry."""
    Storage(root, registry).give(canonical(registry, name), owner)


def _expect_same(taken: Record | None, record: Record) -> None:
    if taken is not None and taken["sha256"] != record["sha256"]:
        raise ConflictError(
            f"{record['filename']}: {taken['sha256']} is held, {record['sha256']} was to be seeded (SHA-256)"
        )
