"""Asking GitHub: what answers mean, how long a rate limit is waited for, what is sent twice and what is not."""

import time

import pytest

from tasker_release_pipeline.github.api import GitHub, RefusedError
from tasker_release_pipeline.loopback.github import LoopbackGitHub
from tasker_release_pipeline.loopback.github_answers import Access
from tasker_release_pipeline.release.errors import InputError, UnavailableError

from .conftest import NAME, Asking


def test_what_is_not_there_is_none(api: GitHub) -> None:
    assert api.get("git/ref/tags/core-v0.1.9") is None
    assert list(api.pages("commits/nowhere")) == []


def test_all_pages_of_a_list_are_read(api: GitHub) -> None:
    for number in range(7):
        api.send("POST", "releases", {"tag_name": f"v0.0.{number}", "draft": True})
    rows = list(api.pages("releases", per_page="3"))
    assert [row["tag_name"] for row in rows] == [f"v0.0.{number}" for number in reversed(range(7))]


def test_a_read_is_asked_again_after_a_server_error(api: GitHub, server: LoopbackGitHub) -> None:
    server.state.order("unavailable")
    assert api.get("")["full_name"] == NAME


def test_a_server_that_stays_down_is_named(api: GitHub, server: LoopbackGitHub) -> None:
    for _ in range(3):
        server.state.order("unavailable", method="GET")
    with pytest.raises(UnavailableError, match="HTTP 502: Server Error"):
        api.get("")


@pytest.mark.parametrize("limit", ["secondary limit", "primary limit"])
def test_a_short_rate_limit_is_waited_for_also_by_what_changes_something(
    api: GitHub, server: LoopbackGitHub, commit: str, limit: str
) -> None:
    server.state.order(limit, method="POST", seconds=1)
    started = time.monotonic()
    api.send("POST", "git/refs", {"ref": "refs/tags/core-v0.1.9", "sha": commit})
    assert time.monotonic() - started >= 1
    assert server.state.tag("core-v0.1.9") == commit


@pytest.mark.parametrize("limit", ["secondary limit", "primary limit"])
def test_a_long_rate_limit_ends_at_once_with_the_time_to_run_again(
    api: GitHub, server: LoopbackGitHub, limit: str
) -> None:
    server.state.order(limit, seconds=3000)
    with pytest.raises(UnavailableError, match=r"rate limit .*; run it again after \d\d:\d\d:\d\d UTC") as raised:
        api.get("")
    assert raised.value.retry_after is not None
    assert 2900 < raised.value.retry_after < 3010


def test_waits_are_bounded_together(server: LoopbackGitHub) -> None:
    for _ in range(2):
        server.state.order("secondary limit", seconds=1)
    with (
        GitHub.at(server.url, NAME, server.token, wait_seconds=1) as api,
        pytest.raises(UnavailableError, match="rate limit"),
    ):
        api.get("")


def test_a_change_is_not_sent_again_after_a_lost_answer(api: GitHub, server: LoopbackGitHub) -> None:
    server.state.order("lost answer", method="POST")
    with pytest.raises(UnavailableError, match="502"):
        api.send("POST", "releases", {"tag_name": "v0.1.9", "draft": True})
    assert len(server.state.rows("releases")) == 1


def test_a_jobs_token_without_the_permission_is_told_which(asking: Asking) -> None:
    with asking(Access(contents="read")) as api, pytest.raises(RefusedError) as raised:
        api.send("POST", "releases", {"tag_name": "v0.1.9"})
    assert "Resource not accessible by integration" in str(raised.value)
    assert "give the job `contents: write`" in str(raised.value)


def test_a_person_without_the_right_is_told_that_nothing_is_there(asking: Asking) -> None:
    with asking(Access(kind="user", contents="read")) as api, pytest.raises(RefusedError) as raised:
        api.send("POST", "releases", {"tag_name": "v0.1.9"})
    assert raised.value.status == 404
    assert "the token may not see or change it" in str(raised.value)


def test_without_a_token_what_is_public_is_read_and_nothing_is_changed(asking: Asking) -> None:
    with asking(None) as api:
        assert api.get("")["default_branch"] == "main"
        assert list(api.pages("releases")) == []


def test_a_token_that_is_not_valid_is_told_and_not_shown(server: LoopbackGitHub) -> None:
    with GitHub.at(server.url, NAME, "ghp_secret") as api, pytest.raises(RefusedError) as raised:
        api.get("")
    assert "not (or no longer) valid" in str(raised.value)
    assert "ghp_secret" not in str(raised.value)
    assert "ghp_secret" not in repr(api)


def test_a_token_is_sent_over_https_alone() -> None:
    with (
        pytest.raises(InputError, match="a token goes over https alone"),
        GitHub.at("http://github.example.invalid", NAME, "t"),
    ):
        pass


def test_a_server_that_does_not_answer_is_unknown() -> None:
    with pytest.raises(UnavailableError, match="no answer"), GitHub.at("http://127.0.0.1:1", NAME, None) as silent:
        silent.get("")
