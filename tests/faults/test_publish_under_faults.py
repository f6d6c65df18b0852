"""Every registry, every fault, first try and re-run: the publish code and the clients' way of asking, in earnest.

Only the uploads themselves go by plain HTTP in place of cargo, gem, uv and npm; those have their own pass in
`test_real_clients_under_faults`. After each step: the version is held exactly once with our content or not at all, what
was said is true, and without the fault a further attempt ends well and sends nothing twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tasker_release_pipeline.loopback.orders import orders, withdraw
from tasker_release_pipeline.loopback.server import LoopbackRegistries
from tasker_release_pipeline.registries.publish import PublishStatus
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import (
    ConflictError,
    NotVisibleError,
    RegistryError,
    ReleaseError,
    ToolError,
    UnavailableError,
)

from ..loopback.actions import ALL, Actions
from .attempts import by_hand, kind

PUBLISHED, ALREADY = PublishStatus.PUBLISHED, PublishStatus.ALREADY_PUBLISHED
End = PublishStatus | type[ReleaseError]
# An upload that failed for a moment may be called either: the tool failed, or the registry was not available.
TRANSIENT: tuple[End, ...] = (ToolError, UnavailableError)


@dataclass(frozen=True)
class Case:
    """A fault, how the first try and a re-run of what is published may end.

    `is_held`: whether the first try's upload is there. `strikes_again`: whether a re-run, which only asks, meets it.
    """

    words: str
    first: tuple[End, ...]
    is_held: bool
    again: tuple[End, ...] = (ALREADY,)
    strikes_again: bool = False


CASES = [
    Case("upload:drop-before", TRANSIENT, is_held=False),
    Case("upload:drop-after", (PUBLISHED,), is_held=True),
    Case("upload:500", TRANSIENT, is_held=False),
    Case("upload:503:retry-after=1", TRANSIENT, is_held=False),
    Case("upload:429:retry-after=1", TRANSIENT, is_held=False),
    Case("upload:429:retry-after-date=1", TRANSIENT, is_held=False),
    Case("upload:refuse", (ToolError, RegistryError), is_held=False),
    Case("upload:refuse=400", (ToolError, RegistryError), is_held=False),
    Case("upload:full", TRANSIENT, is_held=False),
    Case("upload:part=0", TRANSIENT, is_held=False),
    Case("upload:delay=0.3", (PUBLISHED,), is_held=True),
    Case("upload:delay=0.3; upload:drop-after", (PUBLISHED,), is_held=True),
    Case("index:late=3600", (NotVisibleError,), is_held=True),
    Case("index:wrong-checksum", (ConflictError,), is_held=True, again=(ConflictError,), strikes_again=True),
    Case("download:wrong-checksum", (PUBLISHED,), is_held=True),
    Case("index:delay=0.3", (PUBLISHED,), is_held=True, strikes_again=True),
    Case("index:500x2", (PUBLISHED,), is_held=True, strikes_again=True),
    Case("index:drop-before", (PUBLISHED,), is_held=True, strikes_again=True),
    Case("index:drop-after", (PUBLISHED,), is_held=True, strikes_again=True),
    Case("index:429:retry-after=1", (PUBLISHED,), is_held=True, strikes_again=True),
    Case("index:429:retry-after-date=1", (PUBLISHED,), is_held=True, strikes_again=True),
    Case("index:500:always", (UnavailableError,), is_held=False, again=(UnavailableError,), strikes_again=True),
    Case("index:drop-before:always", (UnavailableError,), is_held=False, again=(UnavailableError,), strikes_again=True),
    Case("index:429x9:retry-after=60", (UnavailableError,), is_held=False, again=(UnavailableError,),
         strikes_again=True),
    Case("index:refuse:always", (RegistryError,), is_held=False, again=(RegistryError,), strikes_again=True),
]  # fmt: skip
MATRIX = [pytest.param(actions, case, id=f"{actions.registry}:{case.words}") for actions in ALL for case in CASES]
REGISTRIES = pytest.mark.parametrize("actions", ALL, ids=lambda actions: str(actions.registry))
Order = Callable[[RegistryName, str], None]


@pytest.mark.parametrize(("actions", "case"), MATRIX)
def test_a_first_try_under_a_fault_tells_the_truth_and_the_next_one_ends_well(
    tmp_path: Path, registries: LoopbackRegistries, fault: Order, actions: Actions, case: Case
) -> None:
    release = by_hand(actions, tmp_path, registries)
    fault(actions.registry, case.words)
    said = release.attempt()
    assert kind(said) in case.first, said
    assert release.is_held == case.is_held
    assert all(placed.struck for placed in orders(registries.root)) or case.words.startswith("download")
    withdraw(registries.root)
    sent_before, was_held = len(release.sent), release.is_held
    said = release.attempt()
    assert kind(said) is (ALREADY if was_held else PUBLISHED), said
    assert (len(release.sent) - sent_before, release.is_held) == (0 if was_held else 1, True)
    assert kind(release.attempt()) is ALREADY


@pytest.mark.parametrize(("actions", "case"), MATRIX)
def test_a_re_run_of_what_is_published_sends_nothing_under_any_fault(
    tmp_path: Path, registries: LoopbackRegistries, fault: Order, actions: Actions, case: Case
) -> None:
    release = by_hand(actions, tmp_path, registries)
    assert kind(release.attempt()) is PUBLISHED
    fault(actions.registry, case.words)
    said = release.attempt()
    assert kind(said) in case.again, said
    assert any(placed.struck for placed in orders(registries.root)) == case.strikes_again
    withdraw(registries.root)
    assert kind(release.attempt()) is ALREADY
    assert (len(release.sent), release.is_held) == (1, True)


@REGISTRIES
@pytest.mark.parametrize("form", ["retry-after", "retry-after-date"])
def test_a_registry_that_names_a_long_wait_is_not_asked_again_before_and_the_wait_is_told(
    tmp_path: Path, registries: LoopbackRegistries, fault: Order, actions: Actions, form: str
) -> None:
    fault(actions.registry, f"index:429:always:{form}=600")
    said = by_hand(actions, tmp_path, registries).attempt()
    assert isinstance(said, UnavailableError)
    assert said.retry_after is not None
    assert 500 < said.retry_after <= 601
    assert [placed.struck for placed in orders(registries.root)] == [1]


@REGISTRIES
def test_a_wrong_checksum_is_a_conflict_that_names_both_digests(
    tmp_path: Path, registries: LoopbackRegistries, fault: Order, actions: Actions
) -> None:
    release = by_hand(actions, tmp_path, registries)
    fault(actions.registry, "index:wrong-checksum")
    (artifact,) = release.artifacts
    ours = artifact.integrity if actions.registry is RegistryName.NPM else artifact.sha256
    said = str(release.attempt())
    stated = release.client.digest(release.client.holdings("one").files[0])
    assert ours != stated
    assert ours in said
    assert stated in said


@REGISTRIES
def test_a_corrupted_mirrors_file_is_not_taken_for_the_published_one(
    tmp_path: Path, registries: LoopbackRegistries, fault: Order, actions: Actions
) -> None:
    release = by_hand(actions, tmp_path, registries)
    assert kind(release.attempt()) is PUBLISHED
    (file,) = release.client.holdings("one").files
    fault(actions.registry, "download:wrong-checksum")
    with pytest.raises(RegistryError, match="states"):
        release.client.fetch(file)
    withdraw(registries.root)
    assert release.client.fetch(file) == release.upload.files[0].read_bytes()
