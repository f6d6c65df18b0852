"""Registries on real sockets, in which faults can be ordered."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tasker_release_pipeline.loopback.fault_words import parse_faults
from tasker_release_pipeline.loopback.orders import order
from tasker_release_pipeline.loopback.server import LoopbackRegistries, serve
from tasker_release_pipeline.release.endpoints import RegistryName


@pytest.fixture
def registries(tmp_path: Path) -> Iterator[LoopbackRegistries]:
    with serve(tmp_path / "registries", reserved={}) as running:
        yield running


@pytest.fixture
def fault(registries: LoopbackRegistries) -> Callable[[RegistryName, str], None]:
    """Order faults of one registry: in words, but for its name."""

    def place(registry: RegistryName, words: str) -> None:
        for part in words.split("; "):
            (ordered,) = parse_faults(f"{registry}:{part}")
            order(registries.root, ordered)

    return place
