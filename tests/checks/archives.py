"""Artifacts of every kind, with the members that a test wants; all are in order unless it says otherwise."""

import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path

from tasker_release_pipeline.release.plan import Finding, Severity

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LICENCE = b"MIT License\n"
CARGO = """\
[package]
name = "tiny"
version = "0.1.1"
edition = "2021"
description = "Tiny"
readme = "README.md"
license = "MIT"
repository = "https://example.invalid/tiny"

[dependencies.tasker-shared]
version = "=0.1.1"
"""
CRATE = {
    ".cargo_vcs_info.json": json.dumps({"git": {"sha1": COMMIT}, "path_in_vcs": "tiny"}).encode(),
    "Cargo.toml": CARGO.encode(),
    "Cargo.toml.orig": b"[package]\nname = 'tiny'\nedition.workspace = true\n",
    "LICENSE": LICENCE,
    "README.md": b"# Tiny\n",
    "src/lib.rs": b"",
}
PACKAGE_JSON = {
    "name": "@tiny/tiny",
    "version": "0.1.1",
    "license": "MIT",
    "type": "module",
    "sideEffects": False,
    "exports": {".": "./index.js"},
    "files": ["index.js"],
    "repository": {"type": "git", "url": "git+https://example.invalid/tiny.git"},
}
METADATA = "Metadata-Version: 2.4\nName: tiny\nVersion: 0.1.1\nSummary: Tiny\nLicense-Expression: MIT\n"
README = "Description-Content-Type: text/markdown\n\n# Tiny\n"


def tar(
    path: Path, members: dict[str, bytes], *, root: str = "", links: dict[str, str] | None = None, mode: str = "w:gz"
) -> Path:
    """A tar with these files below `root`, and these symbolic links; a name may stand twice with a `*` behind it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(root + name.rstrip("*"))
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(root + name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
    return path


def crate(folder: Path, more: dict[str, bytes] | None = None, *, links: dict[str, str] | None = None) -> Path:
    return tar(folder / "tiny-0.1.1.crate", {**CRATE, **(more or {})}, root="tiny-0.1.1/", links=links)


def npm(folder: Path, more: dict[str, bytes] | None = None, **fields: object) -> Path:
    package = {key: value for key, value in {**PACKAGE_JSON, **fields}.items() if value is not None}
    files = {"package.json": json.dumps(package).encode(), "README.md": b"# Tiny\n", "LICENSE": LICENCE}
    files["index.js"] = b"export default 1;\n"
    return tar(folder / "tiny-tiny-0.1.1.tgz", {**files, **(more or {})}, root="package/")


def wheel(
    folder: Path,
    *,
    platform: str = "manylinux_2_28_x86_64",
    python: str = "cp311-abi3",
    requires: str = ">=3.11",
    metadata: str = METADATA,
    description: str = README,
    more: dict[str, bytes] | None = None,
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"tiny-0.1.1-{python}-{platform}.whl"
    said = metadata + (f"Requires-Python: {requires}\n" if requires else "") + description
    info = "tiny-0.1.1.dist-info/"
    files = {
        "tiny/__init__.py": b"",
        f"{info}METADATA": said.encode(),
        f"{info}WHEEL": f"Wheel-Version: 1.0\nTag: {python}-{platform}\n".encode(),
        f"{info}licenses/LICENSE": LICENCE,
        f"{info}RECORD": b"",
        **(more or {}),
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return path


def sdist(folder: Path, more: dict[str, bytes] | None = None) -> Path:
    files = {"PKG-INFO": (METADATA + README).encode(), "README.md": b"# Tiny\n", "LICENSE": LICENCE}
    return tar(folder / "tiny-0.1.1.tar.gz", {**files, **(more or {})}, root="tiny-0.1.1/")


GEMSPEC = """\
--- !ruby/object:Gem::Specification
name: tiny
version: !ruby/object:Gem::Version
  version: 0.1.1
platform: ruby
authors:
- Tiny
bindir: bin
cert_chain: []
date: 2026-01-01 00:00:00.000000000 Z
dependencies: []
description: Tiny
email:
executables: []
extensions:
- ext/tiny/extconf.rb
extra_rdoc_files: []
files:
{files}homepage: https://example.invalid/tiny
licenses:
- MIT
metadata:
  rubygems_mfa_required: 'true'
post_install_message:
rdoc_options: []
require_paths:
- lib
required_ruby_version: !ruby/object:Gem::Requirement
  requirements:
  - - ">="
    - !ruby/object:Gem::Version
      version: '3.0'
required_rubygems_version: !ruby/object:Gem::Requirement
  requirements:
  - - ">="
    - !ruby/object:Gem::Version
      version: '0'
requirements: []
rubygems_version: 3.3.15
signing_key:
specification_version: 4
summary: Tiny
test_files: []
"""
EXTENSION = (
    b'[package]\nname = "tiny-rb"\nversion = "0.1.1"\nedition = "2021"\n\n[dependencies]\ntasker-shared = "=0.1.1"\n'
)
GEM = {
    "LICENSE": LICENCE,
    "README.md": b"# Tiny\n",
    "ext/tiny/Cargo.toml": EXTENSION,
    "ext/tiny/extconf.rb": b"",
    "lib/tiny.rb": b"",
}


def gem(
    folder: Path,
    more: dict[str, bytes] | None = None,
    *,
    without: str = "",
    spec: tuple[str, str] = ("", ""),
    links: dict[str, str] | None = None,
) -> Path:
    files = {**GEM, **(more or {})}
    data = tar(folder / "data.tar.gz", {k: v for k, v in files.items() if k != without}, links=links).read_bytes()
    listed = "".join(f"- {name}\n" for name in sorted(files))
    metadata = gzip.compress(GEMSPEC.format(files=listed).replace(*spec).encode())
    parts = {"metadata.gz": metadata, "data.tar.gz": data}
    sums = "".join(f"  {name}: {hashlib.sha256(content).hexdigest()}\n" for name, content in parts.items())
    parts["checksums.yaml.gz"] = gzip.compress(f"---\nSHA256:\n{sums}".encode())
    (folder / "data.tar.gz").unlink()
    return tar(folder / "tiny-0.1.1.gem", parts, mode="w")


def errors(found: list[Finding]) -> list[str]:
    return [finding.message for finding in found if finding.severity is Severity.ERROR]


def warnings(found: list[Finding]) -> list[str]:
    return [finding.message for finding in found if finding.severity is Severity.WARNING]
