"""Faults, kills, re-runs, single packages and lost stores in any order: nothing is out twice, or said wrongly."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.outcome import OutcomeKind

from .machine_site import Site, site
from .machine_world import World

UPLOADS = (
    "delay=0.02 delay=0.4 refuse refuse=400 429 429:retry-after=1 429x4:retry-after-date=1 500 500x2 503x9 drop-before "
    "drop-after drop-afterx2 part part=0 part=1x2 full fullx1"
)
INDEXES = (
    "delay=0.02 refuse 429 429x4:retry-after=1 500 500x3 503x9 drop-before drop-beforex4 drop-after late=0.05 "
    "late=3600 wrong-checksum wrong-checksumx1"
)
DOWNLOADS = "refuse 500x3 drop-before wrong-checksum"
ANY = "500 503x3 drop-before drop-after delay=0.02"
FAULTS = [
    f"{request}:{fault}"
    for request, faults in (("upload", UPLOADS), ("index", INDEXES), ("download", DOWNLOADS), ("any", ANY))
    for fault in faults.split()
]
# What only comes to light together.
FAULTS += ["index:wrong-checksum; download:wrong-checksum", "upload:drop-after; index:late=3600"]
REGISTRIES = [*(str(registry) for registry in RegistryName), "any"]
# The moments of a package's way are about twenty; of a run of all four, eighty.
KILLS = st.none() | st.integers(0, 25) | st.integers(0, 90)
MIDDLE = st.sampled_from(["half", "whole"])
BAD_DAYS = st.lists(st.tuples(st.sampled_from(REGISTRIES), st.sampled_from(FAULTS)), max_size=3)


class Release(RuleBasedStateMachine):
    """What may happen to one release."""

    site: ClassVar[Site]

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.site)

    @rule(registry=st.sampled_from(REGISTRIES), faults=st.lists(st.sampled_from(FAULTS), min_size=1, max_size=3))
    def faults_are_ordered(self, registry: str, faults: list[str]) -> None:
        for fault in faults:
            self.world.order(registry, fault)

    @rule()
    def faults_are_withdrawn(self) -> None:
        self.world.withdraw()

    @rule(faults=BAD_DAYS, kill=KILLS, middle=MIDDLE)
    def the_release_is_run(self, faults: list[tuple[str, str]], kill: int | None, middle: str) -> None:
        for registry, fault in faults:
            self.world.order(registry, fault)
        self.world.publish(self.world.keys, kill, middle)

    @rule(number=st.integers(0, 3), faults=st.lists(st.sampled_from(FAULTS), max_size=2), kill=KILLS, middle=MIDDLE)
    def one_package_is_published(self, number: int, faults: list[str], kill: int | None, middle: str) -> None:
        for fault in faults:
            self.world.order(REGISTRIES[number], fault)
        self.world.publish((self.world.keys[number],), kill, middle)

    @rule()
    def the_outcomes_are_lost(self) -> None:
        self.world.lose_outcomes()

    @rule()
    def the_store_is_lost_and_made_again(self) -> None:
        self.world.lose_store()

    @invariant()
    def nothing_is_out_twice_and_what_was_said_is_true(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        self.world.end()


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """A folder on the memory's own file system, where there is one: thousands of small files are written for sure."""
    memory = "/dev/shm"  # noqa: S108
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


def drive(monkeypatch: pytest.MonkeyPatch, *, number: int, examples: int) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=5,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    with folder_in_memory() as folder, site(folder, monkeypatch) as prepared:
        machine = type("Release", (Release,), {"site": prepared})
        run_state_machine_as_test(seed(number)(machine), settings=chosen)


def test_no_sequence_of_faults_kills_and_losses_publishes_twice_or_says_what_is_not_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drive(monkeypatch, number=0, examples=300)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, 9))
def test_no_sequence_of_many_more_does(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    drive(monkeypatch, number=number, examples=625)


@pytest.mark.parametrize("again", ["upload:refuse", "upload:429x9"])
@pytest.mark.parametrize("number", range(4), ids=[str(registry) for registry in RegistryName])
def test_what_was_taken_is_not_said_to_have_failed_when_it_is_hidden_and_refused(
    monkeypatch: pytest.MonkeyPatch, number: int, again: str
) -> None:
    with folder_in_memory() as folder, site(folder, monkeypatch) as prepared:
        world = World(prepared)
        key, registry = world.keys[number], REGISTRIES[number]
        for fault in ("index:late=3600", again):
            world.order(registry, fault)
            world.publish((key,))
            said = world.last_said(key)
            assert said is not None
            assert said.kind is OutcomeKind.UPLOADED_NOT_VISIBLE
        assert said.detail.startswith("uploaded before, and not visible yet; ")
        world.end()


@pytest.mark.parametrize("how", ["half", "whole"])
@pytest.mark.parametrize("number", range(4), ids=[str(registry) for registry in RegistryName])
def test_a_publish_step_is_killed_at_each_of_its_moments_and_the_next_run_ends_it(
    monkeypatch: pytest.MonkeyPatch, number: int, how: str
) -> None:
    with folder_in_memory() as folder, site(folder, monkeypatch) as prepared:
        killed = 0
        while True:
            world = World(prepared)
            key = world.keys[number]
            ended = world.publish((key,), killed, how)
            world.check()
            world.end()
            if key in ended:
                break  # it has no more moments
            killed += 1
    assert killed >= 10
