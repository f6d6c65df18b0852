"""What all examples share: registries, a checkout, and the two places at which they take part in the publish code."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tasker_release_pipeline.loopback.server import LoopbackRegistries, serve
from tasker_release_pipeline.registries.base import BaseClient
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName
from tasker_release_pipeline.release.manifest import Manifest, load
from tasker_release_pipeline.steps import registry_sets, uploads
from tasker_release_pipeline.steps.source import SourceTree


@dataclass(frozen=True)
class Site:
    """What all examples share: registries that run, a checkout, a folder."""

    registries: LoopbackRegistries
    folder: Path
    tree: SourceTree
    manifest: Manifest
    hooks: "Hooks"
    numbers: Iterator[int]


@dataclass
class Hooks:
    """What takes part in the publish code: the world of the example that runs now."""

    world: Any = None

    def client(self, registry: RegistryName, endpoints: Endpoints) -> BaseClient:
        """In place of `uploads.client`."""
        return self.world.client(registry, endpoints)  # type: ignore[no-any-return]

    def sleep(self, seconds: float) -> None:
        """In place of `time.sleep`."""
        self.world.fuse.moment()
        self.world.skipped += seconds

    def monotonic(self) -> float:
        """In place of `time.monotonic`."""
        return time.monotonic() + float(self.world.skipped)


@contextmanager
def site(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Registries and all that examples have in common."""
    hooks = Hooks()
    clock = ModuleType("clock")
    clock.__dict__.update(vars(time), sleep=hooks.sleep, monotonic=hooks.monotonic)
    for name, module in list(sys.modules.items()):
        if name.startswith("tasker_release_pipeline.registries.") and getattr(module, "time", None) is time:
            monkeypatch.setattr(module, "time", clock)
    with serve(folder / "registries", reserved={}) as registries:
        monkeypatch.setattr(registry_sets, "LIVE", registries.endpoints)
        monkeypatch.setattr(uploads, "client", hooks.client)
        yield Site(registries, folder, checkout(folder / "source"), load("tasker"), hooks, iter(range(10**9)))


def checkout(folder: Path) -> SourceTree:
    """A commit, as crates are published from a worktree."""
    folder.mkdir()
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "commit.gpgsign=false")
    for command in (("init", "--quiet"), (*identity, "commit", "--quiet", "--allow-empty", "--message", "one")):
        subprocess.run(["git", *command], cwd=folder, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True).stdout
    return SourceTree(commit=head.strip(), changed=(), epoch=0)
