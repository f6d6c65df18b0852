"""The example workspace as a git repository, built once for all tests, whichever worker asks first."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tasker_release_pipeline.release.artifact import Artifact
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.manifest import Manifest, Package, load
from tasker_release_pipeline.toolchains.build import build

ROOT = Path(__file__).parents[2]
EPOCH = 1767254400


def silent(_line: str) -> None:
    """A log that nobody reads."""


def package(registry: RegistryName, name: str, **more: object) -> Package:
    """A package in the folder `.`, of no importance otherwise."""
    crate = {"phase": 1, "core": "ffi"} if registry is RegistryName.CRATES_IO else {}
    row = {"name": name, "registry": registry, "component": "core", "folder": ".", "changes": ["src/"], "load": "1"}
    return Package.model_validate({**row, **crate, **more})


def repository(folder: Path, files: dict[str, str]) -> Path:
    """A git repository in `folder` with these files in one commit."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    git = ["git", "-C", str(folder), "-c", "user.name=t", "-c", "user.email=t@example.invalid"]
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message=first"]):
        subprocess.run([*git, *command], check=True, capture_output=True)
    return folder


def clone_example(target: Path) -> Path:
    script = ROOT / "examples" / "repository.py"
    subprocess.run([sys.executable, str(script), str(target)], check=True, capture_output=True)
    return target


@dataclass(frozen=True)
class Shared:
    """A folder that all workers of a test session share."""

    folder: Path

    @contextmanager
    def once(self, name: str) -> Iterator[bool]:
        """Whether the block is the first of this name that ends well; others wait for it."""
        done = self.folder / f"{name}.done"
        with open(self.folder / f"{name}.lock", "wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield not done.exists()
            done.touch()


@dataclass(frozen=True)
class Example:
    """The example's repository, its manifest, and what is built of it."""

    manifest: Manifest
    source: Path
    shared: Shared

    def out(self, registry: RegistryName) -> Path:
        return self.shared.folder / "out" / registry

    def built(self, registry: RegistryName) -> tuple[Artifact, ...]:
        listed = self.shared.folder / f"{registry}.json"
        with self.shared.once(f"build-{registry}") as first:
            if first:
                artifacts = self.build(registry, self.source, self.shared.folder)
                listed.write_text(json.dumps([artifact.model_dump() for artifact in artifacts]))
        return tuple(Artifact.model_validate(row) for row in json.loads(listed.read_text()))

    def build(self, registry: RegistryName, source: Path, folder: Path) -> tuple[Artifact, ...]:
        return build(
            registry,
            self.manifest.of_registry(registry),
            self.manifest.registries[registry].build,
            source=source,
            out=folder / "out" / registry,
            target=folder / "target",
            epoch=EPOCH,
            log=silent,
            logfile=folder / "logs" / f"{registry}.log",
        )


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    base = tmp_path_factory.getbasetemp()
    # With xdist each worker has a folder of its own inside the session's.
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "toolchains"
    folder.mkdir(exist_ok=True)
    return Shared(folder)


@pytest.fixture(scope="session")
def example(shared: Shared) -> Example:
    source = shared.folder / "tasker"
    with shared.once("clone") as first:
        if first:
            clone_example(source)
    return Example(load("tasker"), source, shared)
