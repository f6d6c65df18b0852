"""Artifacts (built files) and the release manifest, which lists exactly the files of a release."""

import base64
import hashlib
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class Artifact(BaseModel):
    """One built file of one package.

    `package` is the package's key, `file` its name in the store's `artifacts` folder and on the registry, `version`
    what the file itself says (in its registry's style), `size` bytes, `sha256` hex, `integrity` npm's `sha512-...`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    package: str
    file: str
    version: str
    size: int
    sha256: str
    integrity: str

    @classmethod
    def of(cls, package: str, version: str, path: Path) -> "Artifact":
        """Measure the file at `path`."""
        content = path.read_bytes()
        return cls(
            package=package,
            file=path.name,
            version=version,
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            integrity="sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode(),
        )


def digest_of(artifacts: Iterable[Artifact]) -> str:
    """SHA-256 over the content of a set of files, whatever their order."""
    lines = sorted(f"{artifact.package} {artifact.file} {artifact.sha256}" for artifact in artifacts)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def subject_of(commit: str, artifacts: Iterable[Artifact]) -> str:
    """SHA-256 over these files, as built from `commit`."""
    return hashlib.sha256(f"{commit} {digest_of(artifacts)}".encode()).hexdigest()


class BuildResult(BaseModel):
    """What one build step made from `commit`. `seconds`: of building. `problem`: why there is nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    commit: str
    artifacts: tuple[Artifact, ...] = ()
    seconds: float = 0.0
    problem: str = ""

    @property
    def subject(self) -> str:
        """What checks of this build look at."""
        return subject_of(self.commit, self.artifacts)


class ReleaseManifest(BaseModel):
    """The exact files of a release. `plan`: digest of the plan; `commit`: of the stamped source they come from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    release: str
    plan: str
    commit: str
    artifacts: tuple[Artifact, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the whole list; the gate's `go` is for this digest alone."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    def of_registry(self, registry: str) -> tuple[Artifact, ...]:
        """The files of one registry's packages."""
        return tuple(artifact for artifact in self.artifacts if artifact.package.startswith(f"{registry}/"))

    def of_package(self, key: str) -> tuple[Artifact, ...]:
        """The files of one package."""
        return tuple(artifact for artifact in self.artifacts if artifact.package == key)
