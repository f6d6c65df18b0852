"""Packages of every kind, made in memory, and their uploads as the clients send them."""

import base64
import gzip
import hashlib
import io
import json
import struct
import tarfile
import zipfile
from typing import Any

import httpx

from tasker_release_pipeline.loopback.server import LoopbackRegistries

GEMSPEC = """--- !ruby/object:Gem::Specification
name: {name}
version: !ruby/object:Gem::Version
  version: {version}
platform: {platform}
authors:
- Loopback
dependencies:
- !ruby/object:Gem::Dependency
  name: ffi
  requirement: !ruby/object:Gem::Requirement
    requirements:
    - - "~>"
      - !ruby/object:Gem::Version
        version: '1.15'
    - - "<"
      - !ruby/object:Gem::Version
        version: '2'
  type: :runtime
  prerelease: false
  version_requirements: !ruby/object:Gem::Requirement
    requirements: []
licenses:
- MIT
required_ruby_version: !ruby/object:Gem::Requirement
  requirements:
  - - ">="
    - !ruby/object:Gem::Version
      version: '3.1'
required_rubygems_version: !ruby/object:Gem::Requirement
  requirements:
  - - ">="
    - !ruby/object:Gem::Version
      version: '0'
rubygems_version: 3.3.15
summary: A gem
"""


def tar(files: dict[str, bytes]) -> bytes:
    """An uncompressed tar with these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def crate(name: str, version: str, text: str = "") -> bytes:
    """A `.crate` with a manifest."""
    manifest = f'[package]\nname = "{name}"\nversion = "{version}"\n'.encode()
    folder = f"{name}-{version}"
    return gzip.compress(tar({f"{folder}/Cargo.toml": manifest, f"{folder}/src/lib.rs": text.encode()}), mtime=0)


def crate_body(name: str, version: str, archive: bytes | None = None, /, **metadata: Any) -> bytes:
    """The body of cargo's PUT."""
    archive = crate(name, version) if archive is None else archive
    fields = {"name": name, "vers": version, "deps": [], "features": {}, "description": "A crate", "license": "MIT"}
    sent = json.dumps(fields | metadata).encode()
    return struct.pack("<I", len(sent)) + sent + struct.pack("<I", len(archive)) + archive


def put_crate(client: httpx.Client, to: LoopbackRegistries, body: bytes, token: str | None = None) -> httpx.Response:
    headers = {"authorization": to.token if token is None else token, "user-agent": "tests"}
    return client.put(f"{to.endpoints.cargo_api}/api/v1/crates/new", content=body, headers=headers)


def gem(name: str, version: str, platform: str = "ruby", text: str = "") -> bytes:
    """A `.gem` as RubyGems builds it."""
    parts = {
        "metadata.gz": gzip.compress(GEMSPEC.format(name=name, version=version, platform=platform).encode(), mtime=0),
        "data.tar.gz": gzip.compress(tar({"lib/x.rb": text.encode()}), mtime=0),
    }
    sums = "".join(f"  {part}: {hashlib.sha256(data).hexdigest()}\n" for part, data in parts.items())
    return tar(parts | {"checksums.yaml.gz": gzip.compress(f"---\nSHA256:\n{sums}".encode(), mtime=0)})


def push_gem(client: httpx.Client, to: LoopbackRegistries, data: bytes, token: str | None = None) -> httpx.Response:
    headers = {"authorization": to.token if token is None else token}
    return client.post(f"{to.endpoints.rubygems}/api/v1/gems", content=data, headers=headers)


def wheel(name: str, version: str, text: str = "", requires_python: str = ">=3.9") -> bytes:
    """A wheel that pip and uv install."""
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Python: {requires_python}\n"
    kind = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    members = {f"{module}/__init__.py": text, f"{info}/METADATA": head, f"{info}/WHEEL": kind}
    members[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*members, f"{info}/RECORD"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in members.items():
            # ZipInfo has a fixed time; the same wheel twice has to be the same bytes.
            archive.writestr(zipfile.ZipInfo(path), content)
    return buffer.getvalue()


def wheel_name(name: str, version: str, platform: str = "any") -> str:
    return f"{name.replace('-', '_')}-{version}-py3-none-{platform}.whl"


def upload_wheel(
    client: httpx.Client,
    to: LoopbackRegistries,
    filename: str,
    data: bytes,
    *,
    token: str | None = None,
    **fields: str,
) -> httpx.Response:
    name, version = filename.split("-")[:2]
    form = {
        ":action": "file_upload",
        "protocol_version": "1",
        "name": name.replace("_", "-"),
        "version": version,
        "filetype": "bdist_wheel",
        "sha256_digest": hashlib.sha256(data).hexdigest(),
        "requires_python": ">=3.9",
    }
    auth = ("__token__", to.token if token is None else token)
    files = {"content": (filename, data, "application/octet-stream")}
    return client.post(to.endpoints.pypi_upload, data=form | fields, files=files, auth=auth)


def npm_tarball(name: str, version: str, text: str = "") -> bytes:
    manifest = json.dumps({"name": name, "version": version}).encode()
    return gzip.compress(tar({"package/package.json": manifest, "package/index.js": text.encode()}), mtime=0)


def npm_document(
    name: str, version: str, tarball: bytes | None = None, tag: str = "latest", **dist: str
) -> dict[str, Any]:
    """The body of npm's PUT."""
    tarball = npm_tarball(name, version) if tarball is None else tarball
    integrity = f"sha512-{base64.b64encode(hashlib.sha512(tarball).digest()).decode()}"
    manifest = {"name": name, "version": version, "readme": "long", "dist": {"integrity": integrity} | dist}
    attachment = {"data": base64.b64encode(tarball).decode(), "length": len(tarball)}
    return {
        "_id": name,
        "name": name,
        "dist-tags": {tag: version},
        "versions": {version: manifest},
        "_attachments": {f"{name}-{version}.tgz": attachment},
    }


def put_npm(
    client: httpx.Client, to: LoopbackRegistries, document: dict[str, Any], token: str | None = None
) -> httpx.Response:
    headers = {} if token == "" else {"authorization": f"Bearer {token or to.token}"}
    url = f"{to.endpoints.npm}/{document['name'].replace('/', '%2f')}"
    return client.put(url, json=document, headers=headers)


def other(registry: str, version: str) -> bytes:
    """Another content of `one`, for the same version."""
    makers: dict[str, Any] = {"crates_io": crate, "rubygems": gem, "pypi": wheel, "npm": npm_tarball}
    made: bytes = makers[registry]("one", version, text="another")
    return made
