"""Registries on real sockets over a temporary folder, and small packages to publish to them."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tasker_release_pipeline.loopback.server import LoopbackRegistries, serve
from tasker_release_pipeline.release.endpoints import RegistryName

RESERVED = {
    RegistryName.CRATES_IO: frozenset({"tasker-shared"}),
    RegistryName.RUBYGEMS: frozenset({"tasker-rb"}),
    RegistryName.PYPI: frozenset({"tasker-py"}),
    RegistryName.NPM: frozenset({"@tasker-systems/tasker"}),
}


@pytest.fixture
def registries(tmp_path: Path) -> Iterator[LoopbackRegistries]:
    with serve(tmp_path / "registries", reserved=RESERVED) as running:
        yield running


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30, trust_env=False) as client:
        yield client
