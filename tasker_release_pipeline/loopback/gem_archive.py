"""Reading and judging a `.gem`.

A gem is a tar of `metadata.gz` (the specification in YAML), `data.tar.gz` and `checksums.yaml.gz`. The YAML's Ruby
classes are read as plain strings, lists and mappings: nothing in a gem can make an object here.
"""

import gzip
import hashlib
import io
import re
import tarfile
import zlib
from dataclasses import dataclass
from typing import Any

import yaml  # type: ignore[import-untyped]

NAME = re.compile(r"[A-Za-z0-9._-]*[A-Za-z][A-Za-z0-9._-]*")
# Gem::Version also reads a dash, and writes it as `.pre.`: a version with one is never what a built gem holds.
VERSION = re.compile(r"[0-9]+(\.[0-9A-Za-z]+)*")


class UnreadableGemError(Exception):
    """Not a gem that the registry can process."""


@dataclass(frozen=True)
class GemSpec:
    """What the registry needs of a specification. Requirements are as written: `(">= 3.1", "< 4")`."""

    name: str
    version: str
    platform: str
    dependencies: tuple[tuple[str, str, tuple[str, ...]], ...]
    """(name, `runtime` or `development`, requirements)"""
    required_ruby: tuple[str, ...]
    required_rubygems: tuple[str, ...]
    summary: str
    description: str
    authors: tuple[str, ...]
    licenses: tuple[str, ...]
    homepage: str
    metadata: dict[str, str]

    @property
    def number(self) -> str:
        """The version, and the platform unless it is `ruby`: what file names and index lines use."""
        return self.version if self.platform == "ruby" else f"{self.version}-{self.platform}"

    @property
    def full_name(self) -> str:
        """What its files are named by."""
        return f"{self.name}-{self.number}"


def read(data: bytes) -> GemSpec:
    """The specification in a gem whose checksums hold. Raises `UnreadableGemError`."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            members = {member.name: tar.extractfile(member) for member in tar if member.isfile()}
            parts = {name: file.read() for name, file in members.items() if file}
        document = yaml.load(gzip.decompress(parts["metadata.gz"]), Loader=yaml.BaseLoader)  # noqa: S506
        checksums = yaml.load(gzip.decompress(parts["checksums.yaml.gz"]), Loader=yaml.BaseLoader)  # noqa: S506
        parts["data.tar.gz"]
        _check_sums(parts, checksums)
        spec = _spec(document)
    except KeyError as error:
        raise UnreadableGemError(f"package is missing {error}") from error
    except (tarfile.TarError, yaml.YAMLError, EOFError, OSError, zlib.error, TypeError, AttributeError) as error:
        raise UnreadableGemError(f"package metadata can't be read: {error}") from error
    if not NAME.fullmatch(spec.name):
        raise UnreadableGemError(f'invalid value for attribute name: "{spec.name}"')
    if not VERSION.fullmatch(spec.version):
        raise UnreadableGemError(f"Malformed version number string {spec.version}")
    return spec


def is_prerelease(version: str) -> bool:
    """As Gem::Version: a letter anywhere."""
    return re.search("[A-Za-z]", version) is not None


def canonical_version(version: str) -> str:
    """Equal for versions that RubyGems holds to be one: `1.0` and `1.0.0`, `1.0.rc` and `1.rc`."""
    segments = re.findall(r"[0-9]+|[A-Za-z]+", version)
    first_letter = next((at for at, segment in enumerate(segments) if segment.isalpha()), len(segments))
    parts = [segments[:first_letter], segments[first_letter:]]
    for part in parts:
        while part and part[-1].isdigit() and int(part[-1]) == 0:
            part.pop()
    return ".".join(str(int(segment)) if segment.isdigit() else segment for segment in parts[0] + parts[1]) or "0"


def _check_sums(parts: dict[str, bytes], checksums: dict[str, dict[str, str]]) -> None:
    for algorithm, sums in checksums.items():
        for name, expected in sums.items():
            if name not in parts:
                raise UnreadableGemError(f"package is missing {name}")
            found = hashlib.new(algorithm.lower(), parts[name]).hexdigest()
            if found != expected:
                raise UnreadableGemError(
                    f"{algorithm} checksum mismatch for {name}: expected {expected}, found {found}"
                )


def _spec(document: dict[str, Any]) -> GemSpec:
    return GemSpec(
        name=document["name"],
        version=document["version"]["version"],
        platform=_platform(document.get("platform")),
        dependencies=tuple(
            (dependency["name"], dependency["type"].lstrip(":"), _requirements(dependency["requirement"]))
            for dependency in document.get("dependencies") or []
        ),
        required_ruby=_requirements(document.get("required_ruby_version")),
        required_rubygems=_requirements(document.get("required_rubygems_version")),
        summary=document.get("summary") or "",
        description=document.get("description") or "",
        authors=tuple(document.get("authors") or []),
        licenses=tuple(document.get("licenses") or []),
        homepage=document.get("homepage") or "",
        metadata=dict(document.get("metadata") or {}),
    )


def _platform(value: Any) -> str:
    """Written as a string, or by old tools as a Gem::Platform."""
    if isinstance(value, dict):
        return "-".join(value[part] for part in ("cpu", "os", "version") if value.get(part))
    return value or "ruby"


def _requirements(value: Any) -> tuple[str, ...]:
    """A Gem::Requirement's list of `[operator, Gem::Version]`."""
    if not value:
        return (">= 0",)
    return tuple(f"{operator} {version['version']}" for operator, version in value["requirements"])
