"""Every registry, every fault, first try and re-run: the publish code and the clients' way of asking, in earnest.

Only the uploads themselves go by plain HTTP in place of cargo, gem, uv and npm; those have their own pass in
`test_real_clients_under_faults`. After each step: the version is held exactly once with our content or not at all, what
was said is true, and without the fault a further attempt ends well and sends nothing twice.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tasker_release_pipeline.loopback.orders import orders, withdraw
from tasker_release_pipeline.loopback.server import LoopbackRegistries
from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.registries.model import Upload
from tasker_release_pipeline.registries.publish import PublishStatus
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import (
    ConflictError,
    NotVisibleError,
    RegistryError,
    ReleaseError,
    ToolError,
    TransientError,
    UnavailableError,
    UntoldError,
)

from ..loopback.actions import ALL, Actions
from .attempts import by_hand, kind

PUBLISHED, ALREADY = PublishStatus.PUBLISHED, PublishStatus.ALREADY_PUBLISHED
End = PublishStatus | type[ReleaseError]


@dataclass(frozen=True)
class Case:
    """A fault, and how the first attempt and a re-run of what is published end.

    `sent`: how often the first attempt sends the file. `is_held`: whether it is there then. `strikes_again`: whether a
    re-run, which only asks, meets the fault.
    """

    words: str
    first: End
    sent: int
    is_held: bool
    again: End = ALREADY
    strikes_again: bool = False


def _index(words: str, end: End, sent: int) -> Case:
    """A fault of the index, which strikes a first attempt and a re-run alike."""
    return Case(words, end, sent, is_held=sent > 0, again=ALREADY if end is PUBLISHED else end, strikes_again=True)


CASES = [
    # passes within the attempt: another try
    Case("upload:drop-before", PUBLISHED, sent=2, is_held=True),
    Case("upload:408", PUBLISHED, sent=2, is_held=True),
    Case("upload:429:retry-after=1", PUBLISHED, sent=2, is_held=True),
    Case("upload:429:retry-after-date=1", PUBLISHED, sent=2, is_held=True),
    Case("upload:429x2", PUBLISHED, sent=3, is_held=True),
    Case("upload:500", PUBLISHED, sent=2, is_held=True),
    Case("upload:503:retry-after=1", PUBLISHED, sent=2, is_held=True),
    Case("upload:part=0", PUBLISHED, sent=2, is_held=True),
    # arrives all the same
    Case("upload:drop-after", PUBLISHED, sent=1, is_held=True),
    Case("upload:delay=0.3", PUBLISHED, sent=1, is_held=True),
    Case("upload:delay=0.3; upload:drop-after", PUBLISHED, sent=1, is_held=True),
    # does not pass: the registry has said no each time, or nothing that counts
    Case("upload:408:always", TransientError, sent=3, is_held=False),
    Case("upload:429:always", TransientError, sent=3, is_held=False),
    Case("upload:500:always", UnavailableError, sent=3, is_held=False),
    Case("upload:full", UnavailableError, sent=3, is_held=False),
    Case("upload:drop-before:always", UnavailableError, sent=3, is_held=False),
    Case("upload:drop-before; upload:429x2", UnavailableError, sent=3, is_held=False),
    # refused for good
    Case("upload:refuse", ToolError, sent=1, is_held=False),
    Case("upload:refuse=400", ToolError, sent=1, is_held=False),
    Case("upload:429; upload:refuse", ToolError, sent=2, is_held=False),
    Case("upload:500; upload:refuse", UnavailableError, sent=2, is_held=False),
    # the index hides it, or lies
    Case("index:late=3600", NotVisibleError, sent=1, is_held=True),
    Case("upload:drop-after; index:late=3600", NotVisibleError, sent=2, is_held=True),
    Case("index:wrong-checksum", NotVisibleError, sent=1, is_held=True, again=UnavailableError, strikes_again=True),
    Case("upload:drop-after; index:wrong-checksum", UnavailableError, sent=1, is_held=True, again=UnavailableError,
         strikes_again=True),
    Case("download:wrong-checksum", PUBLISHED, sent=1, is_held=True),
    _index("index:wrong-checksum; download:wrong-checksum", ConflictError, sent=1),
    # it can't be asked
    _index("index:delay=0.3", PUBLISHED, sent=1),
    _index("index:500x2", PUBLISHED, sent=1),
    _index("index:drop-before", PUBLISHED, sent=1),
    _index("index:drop-after", PUBLISHED, sent=1),
    _index("index:429:retry-after=1", PUBLISHED, sent=1),
    _index("index:429:retry-after-date=1", PUBLISHED, sent=1),
    _index("index:500:always", UnavailableError, sent=0),
    _index("index:drop-before:always", UnavailableError, sent=0),
    _index("index:429x9:retry-after=60", UnavailableError, sent=0),
    _index("index:refuse:always", UntoldError, sent=0),
]  # fmt: skip
MATRIX = [pytest.param(actions, case, id=f"{actions.registry}:{case.words}") for actions in ALL for case in CASES]
REGISTRIES = pytest.mark.parametrize("actions", ALL, ids=lambda actions: str(actions.registry))
Order = Callable[[RegistryName, str], None]


@pytest.mark.parametrize(("actions", "case"), MATRIX)
def test_a_first_attempt_under_a_fault_tells_the_truth_and_the_next_one_ends_well(
    tmp_path: Path, registries: LoopbackRegistries, fault: Order, actions: Actions, case: Case
) -> None:
    release = by_hand(actions, tmp_path, registries)
    fault(actions.registry, case.words)
    said = release.attempt()
    assert kind(said) is case.first, said
    assert (len(release.sent), release.is_held) == (case.sent, case.is_held)
    assert all(placed.struck for placed in orders(registries.root)) or case.words.startswith("download")
    withdraw(registries.root)
    said = release.attempt()
    assert kind(said) is (ALREADY if case.is_held else PUBLISHED), said
    assert (len(release.sent), release.is_held) == (case.sent + (not case.is_held), True)
    assert kind(release.attempt()) is ALREADY


@pytest.mark.parametrize(("actions", "case"), MATRIX)
@pytest.mark.slow
def test_a_re_run_of_what_is_published_sends_nothing_under_any_fault(
    tmp_path: Path, registries: LoopbackRegistries, fault: Order, actions: Actions, case: Case
) -> None:
    release = by_hand(actions, tmp_path, registries)
    assert kind(release.attempt()) is PUBLISHED
    fault(actions.registry, case.words)
    said = release.attempt()
    assert kind(said) is case.again, said
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
@pytest.mark.parametrize("words", ["index:wrong-checksum", "index:wrong-checksum; download:wrong-checksum"])
def test_a_wrong_checksum_is_told_with_both_digests_whichever_of_index_and_file_is_wrong(
    tmp_path: Path, registries: LoopbackRegistries, fault: Order, actions: Actions, words: str
) -> None:
    release = by_hand(actions, tmp_path, registries)
    fault(actions.registry, words)
    (artifact,) = release.artifacts
    ours = artifact.integrity if actions.registry is RegistryName.NPM else artifact.sha256
    said = str(release.attempt())
    (file,) = release.client.holdings("one").files
    stated = file.integrity if actions.registry is RegistryName.NPM else file.sha256
    assert stated is not None
    assert ours != stated
    assert ours in said
    assert stated in said
    assert ("contradicts itself" in said) == ("download" not in words)


@REGISTRIES
def test_an_upload_that_is_lost_without_a_trace_is_unknown_with_the_way_out(
    tmp_path: Path, registries: LoopbackRegistries, fault: Order, actions: Actions
) -> None:
    release = by_hand(actions, tmp_path, registries)
    fault(actions.registry, "upload:drop-after; index:late=3600")
    said = release.attempt(tries=1)
    assert kind(said) is UnavailableError
    assert f"whether {release.upload.files[0].name} arrived is unknown" in str(said)
    assert "Run again: it asks first" in str(said)
    assert release.is_held


@REGISTRIES
def test_a_limit_that_ends_later_than_an_attempt_lasts_is_not_tried_against_where_its_end_is_known(
    tmp_path: Path, registries: LoopbackRegistries, fault: Order, actions: Actions
) -> None:
    release = by_hand(actions, tmp_path, registries)
    fault(actions.registry, "upload:429:always:retry-after=600")
    said = release.attempt()
    assert isinstance(said, TransientError), said
    # Only crates.io says when, in words that its client passes on.
    named = actions.registry is RegistryName.CRATES_IO
    assert len(release.sent) == (1 if named else 3)
    assert (said.retry_after is not None and 590 < said.retry_after <= 601) == named


@REGISTRIES
def test_no_try_is_begun_past_the_time_that_retries_have(
    tmp_path: Path, registries: LoopbackRegistries, fault: Order, actions: Actions
) -> None:
    release = by_hand(actions, tmp_path, registries)
    fault(actions.registry, "upload:429:always")
    assert kind(release.attempt(retry_seconds=0)) is TransientError
    assert len(release.sent) == 1


@REGISTRIES
def test_an_interrupt_is_not_tried_again(tmp_path: Path, registries: LoopbackRegistries, actions: Actions) -> None:
    release = by_hand(actions, tmp_path, registries)
    sent: list[str] = []

    class Interrupted(type(release.client)):  # type: ignore[misc]
        def upload(self, upload: Upload, _: Credentials) -> None:
            sent.append(upload.name)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        replace(release, client=Interrupted(registries.endpoints)).attempt()
    assert sent == ["one"]
    assert not release.is_held


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
