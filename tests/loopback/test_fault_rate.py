"""The limit for new crates: a burst, then one after the other, as crates.io refuses and says it."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx
import pytest

from tasker_release_pipeline.loopback.fault_words import parse_faults
from tasker_release_pipeline.loopback.orders import order, orders, strike_over_rate, withdraw
from tasker_release_pipeline.loopback.server import LoopbackRegistries, serve

from . import packages

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LIMIT = "crates_io:upload:new-names=2:every=600"


def limit(root: Path, words: str = LIMIT) -> None:
    (fault,) = parse_faults(words)
    order(root, fault)


def put(client: httpx.Client, to: LoopbackRegistries, name: str, version: str = "1.0.0") -> httpx.Response:
    return packages.put_crate(client, to, packages.crate_body(name, version))


def test_past_the_burst_a_new_crate_is_refused_in_crates_ios_words_until_the_time_that_they_name(registries, client):
    limit(registries.root)
    assert [put(client, registries, name).status_code for name in ("one", "two")] == [200, 200]
    refused = put(client, registries, "three")
    assert refused.status_code == 429
    when = refused.headers["retry-after"]
    assert refused.json()["errors"][0]["detail"] == (
        "You have published too many new crates in a short period of time. Please try again after "
        f"{when} and see https://crates.io/docs/rate-limits for more details."
    )
    assert timedelta(seconds=590) < parsedate_to_datetime(when) - datetime.now(UTC) <= timedelta(seconds=601)
    assert [(placed.struck, placed.left) for placed in orders(registries.root)] == [(1, None)]
    assert client.get(f"{registries.endpoints.cargo_index}/5/th/three").status_code == 404


def test_new_versions_of_a_crate_that_is_there_are_not_counted(registries, client):
    limit(registries.root)
    assert [put(client, registries, "one", f"1.0.{n}").status_code for n in range(4)] == [200] * 4
    assert [put(client, registries, name).status_code for name in ("two", "three")] == [200, 429]
    withdraw(registries.root)
    assert put(client, registries, "three").status_code == 200


def test_what_the_registry_refuses_for_another_reason_uses_nothing_up(registries, client):
    limit(registries.root)
    for _ in range(3):
        assert packages.put_crate(client, registries, packages.crate_body("one", "1.0.0", b"no archive")).is_error
        assert packages.put_crate(client, registries, packages.crate_body("one", "1.0.0"), token="wrong").is_error
    assert [put(client, registries, name).status_code for name in ("one", "two", "three")] == [200, 200, 429]


@pytest.mark.parametrize(("package", "status"), [("Two_Words", 429), ("another", 200)])
def test_a_limit_can_be_for_one_crate_whose_name_is_compared_as_crates_io_does(registries, client, package, status):
    limit(registries.root, f"crates_io:upload:new-names:every=600:package={package}")
    assert put(client, registries, "two-words").status_code == 200
    shutil.rmtree(registries.root / "records")  # new once more
    assert put(client, registries, "two-words").status_code == status


def test_the_burst_comes_back_one_by_one_and_no_further_than_at_first(tmp_path):
    limit(tmp_path)

    def asked(minutes: float) -> float | None:
        free = strike_over_rate(tmp_path, 1, NOON + timedelta(minutes=minutes))
        return None if free is None else (free - NOON) / timedelta(minutes=1)

    assert [asked(0), asked(1), asked(2), asked(9)] == [None, None, 10, 10]
    assert [asked(10), asked(10), asked(19)] == [None, 20, 20]
    assert [asked(600), asked(600), asked(600)] == [None, None, 610]


def test_of_many_at_once_over_two_servers_exactly_the_burst_gets_through(tmp_path):
    limit(tmp_path, "crates_io:upload:new-names=5:every=600")
    with ExitStack() as stack:
        servers = [stack.enter_context(serve(tmp_path, reserved={}, token="secret")) for _ in range(2)]
        client = stack.enter_context(httpx.Client(timeout=60, trust_env=False))
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda n: put(client, servers[n % 2], f"crate-{n}").status_code, range(12)))
    assert sorted(answers) == [200] * 5 + [429] * 7
