"""What each fault does to each registry's clients, over real sockets."""

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx
import pytest

from tasker_release_pipeline.loopback.fault_words import parse_faults
from tasker_release_pipeline.loopback.orders import order, withdraw
from tasker_release_pipeline.loopback.server import LoopbackRegistries

from . import packages
from .actions import ALL, CARGO, GEM, NPM, PYPI, Actions

REGISTRIES = pytest.mark.parametrize("actions", ALL, ids=lambda actions: str(actions.registry))


@pytest.fixture
def fault(registries: LoopbackRegistries) -> Callable[[str], None]:
    """Order faults, in words."""

    def place(words: str) -> None:
        for ordered in parse_faults(words):
            order(registries.root, ordered)

    return place


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen in time"
        time.sleep(0.02)


@REGISTRIES
@pytest.mark.parametrize(
    "answer",
    [("refuse", 403), ("refuse=400", 400), ("422", 422), ("429", 429), ("500", 500), ("503", 503)],
)
def test_an_upload_that_is_answered_otherwise_is_not_accepted_and_the_next_one_is(
    registries, client, fault, actions: Actions, answer: tuple[str, int]
):
    words, status = answer
    fault(f"{actions.registry}:upload:{words}")
    refusal = actions.publish(client, registries)
    assert (refusal.status_code, actions.held(client, registries)) == (status, [])
    assert "fault 1 that was ordered" in refusal.text
    assert actions.publish(client, registries).is_success
    assert actions.held(client, registries) == ["1.0.0"]


@pytest.mark.parametrize(
    ("actions", "say"),
    [
        (CARGO, lambda answer: answer.json()["errors"][0]["detail"]),
        (GEM, lambda answer: answer.text),
        (PYPI, lambda answer: answer.text.removeprefix("403 Forbidden\n\n")),
        (NPM, lambda answer: answer.json()["error"]),
    ],
)
def test_a_refusal_has_its_words_where_the_registrys_client_looks_for_them(registries, client, fault, actions, say):
    fault("any:upload:refuse")
    assert say(actions.publish(client, registries)).startswith("refused (fault 1")


@REGISTRIES
def test_a_rate_limit_says_when_to_come_back_in_seconds_or_as_a_date(registries, client, fault, actions: Actions):
    fault(f"{actions.registry}:any:429:retry-after=3; {actions.registry}:any:429:retry-after-date=3")
    assert actions.publish(client, registries).headers["retry-after"] == "3"
    before = datetime.now(UTC)
    date = actions.publish(client, registries).headers["retry-after"]
    assert date.endswith(" GMT")
    assert 3 <= (parsedate_to_datetime(date) - before).total_seconds() < 10


@REGISTRIES
def test_a_connection_that_breaks_before_accepting_leaves_nothing_behind(registries, client, fault, actions: Actions):
    fault(f"{actions.registry}:upload:drop-before")
    with pytest.raises(httpx.TransportError):
        actions.publish(client, registries)
    assert actions.held(client, registries) == []
    assert actions.publish(client, registries).is_success


@REGISTRIES
def test_a_connection_that_breaks_after_accepting_leaves_the_version_there(registries, client, fault, actions: Actions):
    fault(f"{actions.registry}:upload:drop-after")
    with pytest.raises(httpx.TransportError):
        actions.publish(client, registries)
    assert list(actions.shown(client, registries)) == ["1.0.0"]


@REGISTRIES
def test_readers_meet_faults_of_their_own(registries, client, fault, actions: Actions):
    assert actions.publish(client, registries).is_success
    fault(f"{actions.registry}:index:500; {actions.registry}:read:drop-before; {actions.registry}:download:503")
    assert client.get(actions.index(registries)).status_code == 500
    with pytest.raises(httpx.TransportError):
        client.get(actions.index(registries))
    assert list(actions.shown(client, registries)) == ["1.0.0"]
    assert client.get(actions.file(registries, "1.0.0")).status_code == 503
    assert client.get(actions.file(registries, "1.0.0")).content == actions.build("1.0.0")


@REGISTRIES
def test_a_late_version_is_held_and_refused_a_second_time_but_not_served(registries, client, fault, actions: Actions):
    assert actions.publish(client, registries, "1.0.0").is_success
    fault(f"{actions.registry}:index:late=3600")
    assert actions.publish(client, registries, "1.0.1").is_success
    assert actions.held(client, registries) == ["1.0.0", "1.0.1"]
    again = actions.upload(client, registries, packages.other(actions.registry, "1.0.1"), "1.0.1")
    assert 400 <= again.status_code < 500
    assert list(actions.shown(client, registries)) == ["1.0.0"]
    assert client.get(actions.file(registries, "1.0.1")).content == actions.build("1.0.1")
    withdraw(registries.root)
    assert sorted(actions.shown(client, registries)) == ["1.0.0", "1.0.1"]


@REGISTRIES
def test_a_late_version_appears_when_its_time_has_come(registries, client, fault, actions: Actions):
    fault(f"{actions.registry}:index:late=1.5")
    started = time.monotonic()
    assert actions.publish(client, registries).is_success
    if actions.shown(client, registries):  # a machine too busy to ask within the time
        assert time.monotonic() - started >= 1.5
    until(lambda: list(actions.shown(client, registries)) == ["1.0.0"])
    assert time.monotonic() - started >= 1.5


@REGISTRIES
def test_a_late_with_a_number_is_for_that_many_files(registries, client, fault, actions: Actions):
    fault(f"{actions.registry}:index:late=3600x1")
    for version in ("1.0.0", "1.0.1"):
        assert actions.publish(client, registries, version).is_success
        assert "1.0.0" not in actions.shown(client, registries)
    assert list(actions.shown(client, registries)) == ["1.0.1"]


def test_an_npm_tag_waits_for_its_late_version(registries, client, fault):
    assert NPM.publish(client, registries, "1.0.0").is_success
    fault("npm:index:late=3600")
    document = packages.npm_document("one", "1.0.1", tag="next")
    assert packages.put_npm(client, registries, document).is_success
    assert client.get(NPM.index(registries)).json()["dist-tags"] == {"latest": "1.0.0"}
    withdraw(registries.root)
    assert client.get(NPM.index(registries)).json()["dist-tags"] == {"latest": "1.0.0", "next": "1.0.1"}


@REGISTRIES
def test_an_index_with_a_wrong_checksum_states_that_of_other_bytes(registries, client, fault, actions: Actions):
    assert actions.publish(client, registries).is_success
    true = hashlib.new(actions.algorithm, actions.build("1.0.0")).hexdigest()
    fault(f"{actions.registry}:index:wrong-checksum")
    first, second = (actions.shown(client, registries) for _ in range(2))
    assert first == second != {"1.0.0": true}
    fault(f"{actions.registry}:index:wrong-checksum")  # once more changes nothing
    assert actions.shown(client, registries) == first
    assert client.get(actions.file(registries, "1.0.0")).content == actions.build("1.0.0")
    withdraw(registries.root)
    assert actions.shown(client, registries) == {"1.0.0": true}


@REGISTRIES
def test_a_corrupted_mirror_serves_other_bytes_than_those_that_were_published(
    registries, client, fault, actions: Actions
):
    assert actions.publish(client, registries).is_success
    fault(f"{actions.registry}:download:wrong-checksum")
    data = client.get(actions.file(registries, "1.0.0")).content
    assert data != actions.build("1.0.0")
    assert len(data) == len(actions.build("1.0.0"))
    digest = hashlib.new(actions.algorithm, data).hexdigest()
    assert digest not in actions.shown(client, registries).values()
    fault(f"{actions.registry}:index:wrong-checksum")  # and now its index agrees with its files
    assert actions.shown(client, registries) == {"1.0.0": digest}


@REGISTRIES
def test_of_several_uploads_only_a_part_is_accepted(registries, client, fault, actions: Actions):
    fault(f"{actions.registry}:upload:part")
    statuses = [actions.publish(client, registries, version).status_code for version in ("1.0.0", "1.0.1")]
    assert (statuses[0] < 300, statuses[1]) == (True, 503)
    assert actions.held(client, registries) == ["1.0.0"]
    assert actions.publish(client, registries, "1.0.1").is_success


def test_of_a_versions_wheels_only_the_first_two_are_accepted(registries, client, fault):
    fault("pypi:upload:part=2x2:package=ONE")
    names = [packages.wheel_name("one", "1.0.0", platform) for platform in ("any", "win_amd64", "macosx_11_0_arm64")]
    data = packages.wheel("one", "1.0.0")
    first = [packages.upload_wheel(client, registries, name, data).status_code for name in names]
    assert first == [200, 200, 503]
    second = [packages.upload_wheel(client, registries, name, data).status_code for name in reversed(names)]
    assert second == [503, 200, 200]


@REGISTRIES
def test_a_full_registry_takes_nothing_and_serves_what_it_has(registries, client, fault, actions: Actions):
    assert actions.publish(client, registries, "1.0.0").is_success
    fault(f"{actions.registry}:any:full")
    for _ in range(2):
        assert actions.publish(client, registries, "1.0.1").status_code == 507
    assert list(actions.shown(client, registries)) == ["1.0.0"]
    withdraw(registries.root)
    assert actions.publish(client, registries, "1.0.1").is_success


@REGISTRIES
def test_a_delayed_upload_is_accepted_though_its_client_gave_up(registries, fault, actions: Actions):
    fault(f"{actions.registry}:upload:delay=0.5")
    with httpx.Client(timeout=httpx.Timeout(20, read=0.05), trust_env=False) as hasty, pytest.raises(httpx.ReadTimeout):
        actions.publish(hasty, registries)
    with httpx.Client(timeout=20, trust_env=False) as patient:
        until(lambda: list(actions.shown(patient, registries)) == ["1.0.0"])


def test_delays_come_before_what_else_goes_wrong(registries, client, fault):
    fault("npm:upload:delay=0.2; npm:upload:delay=0.2; npm:upload:500")
    started = time.monotonic()
    assert NPM.publish(client, registries).status_code == 500
    assert time.monotonic() - started >= 0.4


@REGISTRIES
def test_a_fault_is_for_the_registry_the_request_and_the_package_that_it_names(
    registries, client, fault, actions: Actions
):
    others = [other.registry for other in ALL if other is not actions]
    fault("; ".join(f"{other}:any:500:always" for other in others))
    fault(f"{actions.registry}:any:500:always:package=another; {actions.registry}:download:500:always")
    assert actions.publish(client, registries).is_success
    assert list(actions.shown(client, registries)) == ["1.0.0"]
    assert client.get(actions.file(registries, "1.0.0")).status_code == 500
    fault(f"any:upload:500:package=one; {actions.registry}:index:500:package=one")
    assert actions.publish(client, registries, "1.0.1").status_code == 500
    assert client.get(actions.index(registries)).status_code == 500
