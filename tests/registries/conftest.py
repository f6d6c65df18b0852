"""Registries on real sockets, over a temporary folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasker_release_pipeline.loopback.server import LoopbackRegistries, serve
from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.release.endpoints import RegistryName


@pytest.fixture
def registries(tmp_path: Path) -> Iterator[LoopbackRegistries]:
    with serve(tmp_path / "registries", reserved={}) as running:
        yield running


@pytest.fixture
def credentials(registries: LoopbackRegistries) -> Credentials:
    return Credentials(dict.fromkeys(RegistryName, registries.token))
