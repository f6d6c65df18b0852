"""cargo, gem, uv and npm meet the faults that a client sees; then the registry is well, and all ends well.

gem sends a dropped request once more by itself, so that it does not even notice the first of two.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tasker_release_pipeline.loopback.orders import orders, withdraw
from tasker_release_pipeline.loopback.server import LoopbackRegistries
from tasker_release_pipeline.registries.client import client
from tasker_release_pipeline.registries.publish import PublishStatus
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import (
    NotVisibleError,
    ReleaseError,
    ToolError,
    TransientError,
    UnavailableError,
)
from tasker_release_pipeline.toolchains.runner import end_all

from ..registries import packages
from ..registries.packages import Built
from .attempts import Release, kind

pytestmark = pytest.mark.toolchain

PUBLISHED, ALREADY = PublishStatus.PUBLISHED, PublishStatus.ALREADY_PUBLISHED
CARGO, GEM, PYPI, NPM = RegistryName
End = PublishStatus | type[ReleaseError]
BUILD: dict[RegistryName, Callable[[Path], Built]] = {
    CARGO: lambda folder: packages.crates(folder)[0],
    GEM: packages.gem,
    PYPI: packages.wheel,
    NPM: packages.npm_tarball,
}
# How the first attempt ends, and how many requests the fault strikes.
FAULTS: dict[str, tuple[End, int]] = {
    "upload:drop-before": (PUBLISHED, 1),
    "upload:drop-after": (PUBLISHED, 1),
    "upload:delay=1": (PUBLISHED, 1),
    "upload:408": (PUBLISHED, 1),
    "upload:429:retry-after=1": (PUBLISHED, 1),
    "upload:429:retry-after-date=1": (PUBLISHED, 1),
    "upload:500": (PUBLISHED, 1),
    "upload:429:always": (TransientError, 3),
    "upload:500:always": (UnavailableError, 3),
    "upload:full": (UnavailableError, 3),
    "upload:drop-before:always": (UnavailableError, 3),
    "upload:refuse": (ToolError, 1),
    "index:late=2": (PUBLISHED, 1),
    "upload:drop-after; index:late=2": (PUBLISHED, 1),
    "index:wrong-checksum": (NotVisibleError, 1),
}
ARRIVED = (PUBLISHED, NotVisibleError)
TWICE = {(GEM, "upload:drop-before:always"): 6}
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
@pytest.mark.slow
def test_a_client_under_a_fault_ends_in_the_truth_and_the_next_try_ends_well(
    built: Callable[[RegistryName], Built], registries: LoopbackRegistries, fault: Callable[[RegistryName, str], None],
    registry: RegistryName, words: str,
) -> None:  # fmt: skip
    release = release_of(built(registry), registries)
    fault(registry, words)
    end, struck = FAULTS[words]
    said = release.attempt(propagation_seconds=1 if end is NotVisibleError else 30, settle_seconds=0.5)
    assert kind(said) is end, said
    assert release.is_held == (end in ARRIVED)
    assert orders(registries.root)[0].struck == TWICE.get((registry, words), struck)
    if isinstance(said, ReleaseError):
        assert ("contradicts itself" if release.is_held else "has nothing of it") in str(said)
    withdraw(registries.root)
    again = release.attempt(propagation_seconds=30)
    assert kind(again) is (ALREADY if end in ARRIVED else PUBLISHED), again
    assert release.is_held
    assert kind(release.attempt()) is ALREADY


@pytest.mark.parametrize(("words", "first"), [("upload:part", PUBLISHED), ("upload:partx3", UnavailableError)])
def test_of_two_wheels_uv_sends_the_one_that_was_taken_only_once(
    tmp_path: Path, registries: LoopbackRegistries, fault: Callable[[RegistryName, str], None], words: str, first: End
) -> None:
    built = packages.wheel(tmp_path, platforms=("manylinux_2_28_x86_64", "win_amd64"))
    release = release_of(built, registries)
    taken, refused = (path.name for path in release.upload.files)
    fault(PYPI, words)
    said = release.attempt()
    assert kind(said) is first, said
    if first is not PUBLISHED:
        assert release.held() == [taken]
        assert f"has all but {refused}" in str(said)
        withdraw(registries.root)
        assert kind(release.attempt()) is PUBLISHED
    sent = [line.split()[1] for line in built.lines if line.startswith("Uploading ")]
    assert sent == [taken, *[refused] * (2 if first is PUBLISHED else 4)]
    assert release.is_held
    assert kind(release.attempt()) is ALREADY


def test_cargo_passes_on_when_crates_io_takes_new_crates_again(
    built: Callable[[RegistryName], Built], registries: LoopbackRegistries, fault: Callable[[RegistryName, str], None]
) -> None:
    release = release_of(built(CARGO), registries)
    fault(CARGO, "upload:429:always:retry-after-date=600")
    said = release.attempt()
    assert isinstance(said, TransientError), said
    assert said.retry_after is not None
    assert 590 < said.retry_after <= 601
    assert [placed.struck for placed in orders(registries.root)] == [1]


def test_a_crate_that_was_uploaded_while_cargo_could_not_read_the_index_any_more_is_not_sent_again(
    built: Callable[[RegistryName], Built], registries: LoopbackRegistries, fault: Callable[[RegistryName, str], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("CARGO_NET_RETRY", "0")
    release = release_of(built(CARGO), registries)
    lines: list[str] = []

    def break_the_index(line: str) -> None:
        lines.append(line.strip())
        if line.strip().startswith("Uploading "):
            fault(CARGO, "index:500:package=tiny-base")

    # Delayed, so that the index is broken by the time that it is asked; and late, so that we have only cargo's word.
    fault(CARGO, "upload:delay=0.2; index:late=1.5")
    said = replace(release, upload=replace(release.upload, log=break_the_index)).attempt(propagation_seconds=30)
    assert kind(said) is PUBLISHED, said
    assert any(line.startswith("error: download of ") for line in lines)
    assert len([line for line in lines if line.startswith("Uploading ")]) == 1
    assert release.is_held
    assert [placed.struck for placed in orders(registries.root)] == [1, 1, 1]


@pytest.mark.parametrize("registry", RegistryName)
def test_a_client_that_is_killed_while_it_sends_may_have_sent_it(
    built: Callable[[RegistryName], Built], registries: LoopbackRegistries, fault: Callable[[RegistryName, str], None],
    registry: RegistryName,
) -> None:  # fmt: skip
    release = release_of(built(registry), registries)
    fault(registry, "upload:delay=60")

    def kill_once_it_sends() -> None:
        while not orders(registries.root)[0].struck:
            time.sleep(0.02)
        end_all()

    killer = threading.Thread(target=kill_once_it_sends, daemon=True)
    killer.start()
    said = release.attempt()
    killer.join()
    assert kind(said) is UnavailableError, said
    assert "arrived is unknown" in str(said)
    assert "ended by SIGKILL" in str(said)
    assert [placed.struck for placed in orders(registries.root)] == [1]


def release_of(package: Built, registries: LoopbackRegistries) -> Release:
    of = client(package.registry, registries.endpoints)
    return Release(of, package.upload, package.artifacts, registries, package.lines)
