"""Several things go wrong at once: what the index does not show yet, what arrives late, what arrives in part."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tasker_release_pipeline.loopback.orders import withdraw
from tasker_release_pipeline.loopback.server import LoopbackRegistries
from tasker_release_pipeline.registries.publish import PublishResult, PublishStatus
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import ConflictError, NotVisibleError, UnavailableError, UntoldError

from ..loopback.actions import ALL, CARGO, GEM, NPM, PYPI, Actions
from .attempts import by_hand, kind, other_content

PUBLISHED, ALREADY = PublishStatus.PUBLISHED, PublishStatus.ALREADY_PUBLISHED
Order = Callable[[RegistryName, str], None]
REGISTRIES = pytest.mark.parametrize("actions", ALL, ids=lambda actions: str(actions.registry))


@pytest.mark.parametrize("actions", [CARGO, GEM, PYPI, NPM], ids=lambda actions: str(actions.registry))
def test_a_re_run_while_the_index_is_late_is_not_visible_yet_and_later_already_published(
    tmp_path: Path, registries: LoopbackRegistries, fault: Order, actions: Actions
) -> None:
    release = by_hand(actions, tmp_path, registries)
    fault(actions.registry, "index:late=3600")
    assert kind(release.attempt()) is NotVisibleError
    said = release.attempt()  # the registry refuses the duplicate that its index does not show
    assert release.is_held
    assert kind(said) is NotVisibleError, said
    withdraw(registries.root)
    assert kind(release.attempt()) is ALREADY


@REGISTRIES
def test_a_re_run_ends_well_where_the_index_comes_round_while_it_waits(
    tmp_path: Path, registries: LoopbackRegistries, fault: Order, actions: Actions
) -> None:
    release = by_hand(actions, tmp_path, registries)
    fault(actions.registry, "index:late=2")
    first = release.attempt(propagation_seconds=0)
    assert kind(first) in (NotVisibleError, PUBLISHED)  # published, where the machine took two seconds to ask
    said = release.attempt(propagation_seconds=30, settle_seconds=30)
    assert kind(said) in (PUBLISHED, ALREADY), said
    assert release.is_held


@REGISTRIES
def test_a_lost_answer_and_a_late_index_together_end_well_once_the_index_has_come_round(
    tmp_path: Path, registries: LoopbackRegistries, fault: Order, actions: Actions
) -> None:
    release = by_hand(actions, tmp_path, registries)
    fault(actions.registry, "upload:drop-after; index:late=3600")
    assert kind(release.attempt(tries=1)) is UnavailableError
    assert release.is_held
    withdraw(registries.root)
    assert kind(release.attempt()) is ALREADY
    assert len(release.sent) == 1


@REGISTRIES
def test_a_lost_answer_is_success_where_the_index_comes_round_while_it_is_looked_for(
    tmp_path: Path, registries: LoopbackRegistries, fault: Order, actions: Actions
) -> None:
    release = by_hand(actions, tmp_path, registries)
    fault(actions.registry, "upload:drop-after; index:late=1")
    assert kind(release.attempt(settle_seconds=30, tries=1)) is PUBLISHED
    assert len(release.sent) == 1


@REGISTRIES
def test_other_content_behind_a_late_index_is_a_conflict_as_soon_as_it_shows(
    tmp_path: Path, registries: LoopbackRegistries, fault: Order, actions: Actions
) -> None:
    theirs = by_hand(actions, tmp_path, registries)
    fault(actions.registry, "index:late=3600")
    assert kind(theirs.attempt()) is NotVisibleError
    ours = other_content(theirs, tmp_path)
    # Refused as a duplicate, of what is not shown yet.
    assert kind(ours.attempt()) is NotVisibleError
    assert theirs.is_held
    withdraw(registries.root)
    assert kind(ours.attempt()) is ConflictError
    assert kind(theirs.attempt()) is ALREADY


@REGISTRIES
def test_an_upload_that_arrives_after_its_client_gave_up_is_not_sent_in_vain_or_twice(
    tmp_path: Path, registries: LoopbackRegistries, fault: Order, actions: Actions
) -> None:
    release = by_hand(actions, tmp_path, registries, patience=0.3)
    fault(actions.registry, "upload:delay=1")
    first = release.attempt(tries=1)
    assert kind(first) in (PUBLISHED, UnavailableError), first
    limit = time.monotonic() + 20
    while (said := release.attempt(tries=1)) and not isinstance(said, PublishResult):
        assert kind(said) is UnavailableError
        assert time.monotonic() < limit
    assert release.is_held
    assert kind(release.attempt()) is ALREADY


@REGISTRIES
@pytest.mark.parametrize("tries", [1, 3])
def test_what_was_struck_twice_is_published_by_the_third_try_be_it_of_one_attempt_or_of_three(
    tmp_path: Path, registries: LoopbackRegistries, fault: Order, actions: Actions, tries: int
) -> None:
    release = by_hand(actions, tmp_path, registries)
    fault(actions.registry, "upload:drop-before; upload:500")
    for _ in range(3 - tries):
        assert kind(release.attempt(tries=tries)) is UnavailableError
        assert not release.is_held
    assert kind(release.attempt(tries=tries)) is PUBLISHED
    assert len(release.sent) == 3


PLATFORMS = {
    RegistryName.PYPI: ("manylinux_2_28_x86_64", "win_amd64", "any"),
    RegistryName.RUBYGEMS: ("x86_64-linux", "arm64-darwin", "java"),
}


PARTS = pytest.mark.parametrize("actions", [PYPI, GEM], ids=["wheels", "gems"])
# Each with the number of uploads that are refused for the moment.
PARTLY = pytest.mark.parametrize(
    "partly",
    [("upload:part", 1), ("upload:part=2", 1), ("upload:part; upload:drop-after", 1), ("upload:part=2x2", 2)],
)


@PARTS
@PARTLY
def test_of_a_version_that_was_taken_in_part_only_the_rest_is_sent(
    tmp_path: Path, registries: LoopbackRegistries, fault: Order, actions: Actions, partly: tuple[str, int]
) -> None:
    words, refused = partly
    platforms = PLATFORMS[actions.registry]
    release = by_hand(actions, tmp_path, registries, platforms=platforms)
    names = [path.name for path in release.upload.files]
    fault(actions.registry, words)
    for attempt in range(refused):
        said = release.attempt(tries=1)
        assert kind(said) is UnavailableError, said
        accepted = release.held()
        assert 0 < len(accepted) < len(platforms)
        assert all(name in str(said) for name in names if name not in accepted)
        assert len(release.sent) == len(accepted) + attempt + 1
    assert kind(release.attempt(tries=1)) is PUBLISHED
    assert len(release.sent) == len(platforms) + refused
    assert release.is_held
    assert kind(release.attempt()) is ALREADY


@PARTS
@PARTLY
def test_a_version_that_is_taken_in_part_for_the_moment_is_completed_by_further_tries(
    tmp_path: Path, registries: LoopbackRegistries, fault: Order, actions: Actions, partly: tuple[str, int]
) -> None:
    words, refused = partly
    platforms = PLATFORMS[actions.registry]
    release = by_hand(actions, tmp_path, registries, platforms=platforms)
    fault(actions.registry, words)
    assert kind(release.attempt()) is PUBLISHED
    assert len(release.sent) == len(platforms) + refused
    assert release.is_held
    assert kind(release.attempt()) is ALREADY


@PARTS
def test_a_file_that_the_index_does_not_show_yet_is_not_sent_again_for_another_ones_failure(
    tmp_path: Path, registries: LoopbackRegistries, fault: Order, actions: Actions
) -> None:
    release = by_hand(actions, tmp_path, registries, platforms=PLATFORMS[actions.registry])
    one, two, three = (path.name for path in release.upload.files)
    fault(actions.registry, "index:late=3600; upload:partx2")
    assert kind(release.attempt()) is NotVisibleError
    assert release.sent == [one, two, two, two, three]
    withdraw(registries.root)
    assert kind(release.attempt()) is ALREADY


def test_a_file_that_is_there_and_hidden_is_not_taken_for_the_whole_version(
    tmp_path: Path, registries: LoopbackRegistries, fault: Order
) -> None:
    release = by_hand(GEM, tmp_path, registries, platforms=PLATFORMS[GEM.registry])
    one, two, three = (path.name for path in release.upload.files)
    fault(GEM.registry, "upload:drop-after; index:late=3600")
    said = release.attempt()
    assert kind(said) is UntoldError, said
    assert f"not sent before that is known: {two}, {three}" in str(said)
    assert release.held() == [one]
    withdraw(registries.root)
    assert kind(release.attempt()) is PUBLISHED
    assert release.is_held


@pytest.mark.parametrize("actions", [CARGO, NPM], ids=["crates_io", "npm"])
def test_of_two_packages_the_one_that_was_taken_is_not_touched_when_the_other_is_refused(
    tmp_path: Path, registries: LoopbackRegistries, fault: Order, actions: Actions
) -> None:
    fault(actions.registry, "upload:500:package=another")
    release = by_hand(actions, tmp_path, registries)
    assert kind(release.attempt()) is PUBLISHED
    assert kind(release.attempt()) is ALREADY
