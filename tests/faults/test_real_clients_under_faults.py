"""cargo, gem, uv and npm meet the faults that a client sees, each once; then the registry is well, and all ends well.

gem sends a dropped request once more by itself, so that it does not even notice the first of two.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tasker_release_pipeline.loopback.orders import orders, withdraw
from tasker_release_pipeline.loopback.server import LoopbackRegistries
from tasker_release_pipeline.registries.client import client
from tasker_release_pipeline.registries.publish import PublishStatus
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import ReleaseError, ToolError, UnavailableError

from ..registries import packages
from ..registries.packages import Built
from .attempts import Release, kind

pytestmark = pytest.mark.toolchain

PUBLISHED, ALREADY = PublishStatus.PUBLISHED, PublishStatus.ALREADY_PUBLISHED
CARGO, GEM, PYPI, NPM = RegistryName
End = PublishStatus | type[ReleaseError]
FAILED: tuple[End, ...] = (ToolError, UnavailableError)
BUILD: dict[RegistryName, Callable[[Path], Built]] = {
    CARGO: lambda folder: packages.crates(folder)[0],
    GEM: packages.gem,
    PYPI: packages.wheel,
    NPM: packages.npm_tarball,
}
FAULTS: dict[str, tuple[End, ...]] = {
    "upload:drop-before": FAILED,
    "upload:drop-after": (PUBLISHED,),
    "upload:500": FAILED,
    "upload:429:retry-after=1": FAILED,
    "upload:refuse": (ToolError,),
    "index:late=2": (PUBLISHED,),
}
BY_ITSELF = {(GEM, "upload:drop-before"): (PUBLISHED,)}
MATRIX = [pytest.param(registry, words, id=f"{registry}:{words}") for registry in RegistryName for words in FAULTS]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[RegistryName], Built]:
    """One package for each registry, built on first use."""
    made: dict[RegistryName, Built] = {}

    def of(registry: RegistryName) -> Built:
        if registry not in made:
            made[registry] = BUILD[registry](tmp_path_factory.mktemp(registry))
        return made[registry]

    return of


@pytest.mark.parametrize(("registry", "words"), MATRIX)
def test_a_client_under_a_fault_ends_in_the_truth_and_the_next_try_ends_well(
    built: Callable[[RegistryName], Built], registries: LoopbackRegistries, fault: Callable[[RegistryName, str], None],
    registry: RegistryName, words: str,
) -> None:  # fmt: skip
    package = built(registry)
    release = Release(
        client(registry, registries.endpoints), package.upload, package.artifacts, registries, package.lines
    )
    fault(registry, words)
    said = release.attempt(propagation_seconds=30, settle_seconds=0.5)
    assert kind(said) in BY_ITSELF.get((registry, words), FAULTS[words]), said
    assert release.is_held == (kind(said) is PUBLISHED)
    assert [placed.struck for placed in orders(registries.root)] == [1]
    if isinstance(said, ReleaseError):
        assert "has nothing of it" in str(said)
    withdraw(registries.root)
    again = release.attempt(propagation_seconds=30)
    assert kind(again) is (ALREADY if kind(said) is PUBLISHED else PUBLISHED), again
    assert release.is_held
    assert kind(release.attempt()) is ALREADY
