"""Asking: what answers mean, who asks, how often."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from tasker_release_pipeline.registries import http
from tasker_release_pipeline.release.errors import RegistryError, UnavailableError

from .answers import Answers, answering, hanging_up, json_answer


@pytest.fixture
def server() -> Iterator[Answers]:
    with answering() as answers:
        yield answers


def test_every_request_says_who_asks_and_bypasses_caches(server: Answers) -> None:
    http.get(server.give("/x", PlainTextResponse("here")))
    headers = server.asked[0].headers
    assert headers["user-agent"].startswith("tasker-release-pipeline/")
    assert "(+https://github.com/tasker-systems/tasker-core)" in headers["user-agent"]
    assert headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("status", [404, 410])
def test_not_there_is_none_and_asked_once(server: Answers, status: int) -> None:
    assert http.get(server.give("/x", PlainTextResponse("no", status))) is None
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_passing_failure_is_asked_again(server: Answers, status: int) -> None:
    url = server.give("/x", PlainTextResponse("later", status), PlainTextResponse("here"))
    answer = http.get(url)
    assert answer is not None
    assert answer.text == "here"


def test_a_failure_that_does_not_pass_is_unavailable_never_nothing(server: Answers) -> None:
    started = time.monotonic()
    with pytest.raises(UnavailableError, match="HTTP 503: down for maintenance") as error:
        http.get(server.give("/x", PlainTextResponse("down for maintenance", 503)))
    assert error.value.retry_after is None
    assert len(server.asked) == http.TRIES
    assert time.monotonic() - started < 5


def test_a_short_wait_that_the_registry_names_is_kept(server: Answers) -> None:
    url = server.give("/x", PlainTextResponse("later", 429, {"retry-after": "1"}), PlainTextResponse("here"))
    started = time.monotonic()
    assert http.get(url) is not None
    assert time.monotonic() - started >= 1


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_long_wait_is_left_to_the_caller_in_both_forms(server: Answers, form: str) -> None:
    value = "600" if form == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=600), usegmt=True)
    with pytest.raises(UnavailableError, match="try again in") as error:
        http.get(server.give("/x", PlainTextResponse("slow down", 429, {"retry-after": value})))
    assert error.value.retry_after == pytest.approx(600, abs=30)
    assert len(server.asked) == 1


def test_retry_after_is_read_in_both_forms_and_nonsense_is_none() -> None:
    now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    assert http.retry_after("120", now) == 120
    assert http.retry_after("Sun, 01 Mar 2026 12:01:30 GMT", now) == 90
    assert http.retry_after("Sun, 01 Mar 2026 11:00:00 GMT", now) == 0
    assert http.retry_after("soon", now) is None
    assert http.retry_after(None, now) is None


def test_a_refusal_carries_the_registrys_own_words_and_is_final(server: Answers) -> None:
    body = {"errors": [{"detail": "We require that all requests include a User-Agent"}]}
    refused = JSONResponse(body, 403)
    with pytest.raises(RegistryError, match="HTTP 403: We require that all requests include a User-Agent"):
        http.get(server.give("/x", refused))
    assert len(server.asked) == 1


def test_a_dropped_connection_is_unavailable_after_a_few_tries() -> None:
    with hanging_up() as (url, dropped):
        with pytest.raises(UnavailableError, match="could not ask"):
            http.get(url)
        assert len(dropped) == http.TRIES


def test_nobody_listening_is_unavailable() -> None:
    with pytest.raises(UnavailableError, match="could not ask"):
        http.get("http://127.0.0.1:1/x")


def test_a_portals_page_instead_of_json_is_unavailable(server: Answers) -> None:
    with pytest.raises(UnavailableError, match=r"text/html.* where JSON was expected"):
        http.get_json(server.give("/x", Response("<h1>Log in</h1>", media_type="text/html")))


def test_redirects_are_followed(server: Answers) -> None:
    server.give("/there", json_answer({"a": 1}))
    assert http.get_json(server.give("/x", RedirectResponse(server.url + "/there"))) == {"a": 1}
