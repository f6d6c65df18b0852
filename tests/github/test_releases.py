"""A GitHub Release: created or mended, a draft until it may be published, never changed by running again."""

import hashlib
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tasker_release_pipeline.github.api import GitHub, RefusedError
from tasker_release_pipeline.github.releases import WantedRelease, ensure_release
from tasker_release_pipeline.loopback.github import LoopbackGitHub
from tasker_release_pipeline.loopback.github_answers import Access
from tasker_release_pipeline.release.errors import ConflictError, UnavailableError

from .conftest import Asking


@pytest.fixture
def wanted(commit: str, tmp_path: Path) -> WantedRelease:
    files = {name: tmp_path / name for name in ("tasker-rb-0.1.9.gem", "SHA256SUMS")}
    for name, path in files.items():
        path.write_text(f"the bytes of {name}")
    return WantedRelease("v0.1.9", commit, "v0.1.9", "Notes", prerelease=False, draft=False, files=files)


def state(server: LoopbackGitHub) -> tuple[Any, ...]:
    return server.state.rows("releases"), server.state.rows("assets"), server.state.tags()


def digests(server: LoopbackGitHub) -> dict[str, str]:
    return {row["name"]: row["digest"] for row in server.state.rows("assets")}


def test_a_release_is_published_with_all_its_files(
    api: GitHub, server: LoopbackGitHub, wanted: WantedRelease, commit: str
) -> None:
    row = ensure_release(api, wanted)
    assert (row["draft"], row["name"], row["body"]) == (False, "v0.1.9", "Notes")
    assert api.get("releases/tags/v0.1.9")["id"] == row["id"]
    assert api.get("releases/latest")["id"] == row["id"]
    assert server.state.tag("v0.1.9") == commit
    sums = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in wanted.files.items()}
    assert digests(server) == {name: f"sha256:{digest}" for name, digest in sums.items()}


@pytest.mark.parametrize("immutable", [False, True])
def test_run_again_nothing_changes(api: GitHub, server: LoopbackGitHub, wanted: WantedRelease, immutable: bool) -> None:
    server.state.set_up(immutable_releases=immutable)
    ensure_release(api, wanted)
    before, changes = state(server), api.changes
    ensure_release(api, wanted)
    assert (state(server), api.changes) == (before, changes)


def test_a_draft_is_filled_and_then_published_in_the_same_release(
    api: GitHub, server: LoopbackGitHub, wanted: WantedRelease
) -> None:
    draft = ensure_release(api, replace(wanted, draft=True, notes="Not yet"))
    assert draft["draft"]
    assert api.get("releases/tags/v0.1.9") is None
    assert server.state.tags() == {}
    server.state.set_up(immutable_releases=True)
    row = ensure_release(api, wanted)
    assert (row["id"], row["draft"], row["body"], row["immutable"]) == (draft["id"], False, "Notes", True)
    assert len(server.state.rows("releases")) == 1


def test_a_draft_is_found_behind_many_releases(api: GitHub, server: LoopbackGitHub, wanted: WantedRelease) -> None:
    draft = ensure_release(api, replace(wanted, draft=True))
    for number in range(130):
        server.state.add(
            "releases", lambda n: {"tag_name": f"w{n}", "draft": False, "prerelease": False, "immutable": False}
        )
        assert number >= 0
    assert ensure_release(api, wanted)["id"] == draft["id"]


def test_a_file_of_an_earlier_attempt_is_replaced_in_a_draft_and_a_stray_one_goes(
    api: GitHub, server: LoopbackGitHub, wanted: WantedRelease, tmp_path: Path
) -> None:
    stray = tmp_path / "old.gem"
    stray.write_text("stray")
    ensure_release(api, replace(wanted, draft=True, files={**wanted.files, "old.gem": stray}))
    wanted.files["SHA256SUMS"].write_text("other sums")
    ensure_release(api, wanted)
    assert set(digests(server)) == set(wanted.files)
    assert digests(server)["SHA256SUMS"] == f"sha256:{hashlib.sha256(b'other sums').hexdigest()}"


def test_notes_of_a_published_release_are_mended_even_where_it_is_immutable(
    api: GitHub, server: LoopbackGitHub, wanted: WantedRelease
) -> None:
    server.state.set_up(immutable_releases=True)
    ensure_release(api, wanted)
    assert ensure_release(api, replace(wanted, notes="Better notes"))["body"] == "Better notes"


def test_a_published_release_takes_a_missing_file_unless_it_is_immutable(
    api: GitHub, server: LoopbackGitHub, wanted: WantedRelease, tmp_path: Path
) -> None:
    ensure_release(api, wanted)
    (tmp_path / "sbom").write_text("sbom")
    more = replace(wanted, files={**wanted.files, "sbom": tmp_path / "sbom"})
    ensure_release(api, more)
    assert "sbom" in digests(server)
    server.state.set_up(immutable_releases=True)
    ensure_release(api, replace(wanted, tag="v0.1.10"))
    with pytest.raises(ConflictError, match="published and immutable, and lacks sbom"):
        ensure_release(api, replace(more, tag="v0.1.10"))


def test_other_bytes_in_a_published_release_are_a_conflict(
    api: GitHub, server: LoopbackGitHub, wanted: WantedRelease
) -> None:
    ensure_release(api, wanted)
    before = digests(server)
    wanted.files["SHA256SUMS"].write_text("other sums")
    with pytest.raises(ConflictError, match="published with another SHA256SUMS"):
        ensure_release(api, wanted)
    assert digests(server) == before


@pytest.mark.parametrize("what", ["POST releases", "POST assets", "PATCH releases"])
def test_a_lost_answer_costs_nothing(api: GitHub, server: LoopbackGitHub, wanted: WantedRelease, what: str) -> None:
    method, path = what.split()
    server.state.order("lost answer", method=method, path=path)
    assert not ensure_release(api, wanted)["draft"]
    assert len(server.state.rows("releases")) == 1
    assert set(digests(server)) == set(wanted.files)


def test_half_an_upload_is_taken_away_and_made_again(
    api: GitHub, server: LoopbackGitHub, wanted: WantedRelease
) -> None:
    draft = ensure_release(api, replace(wanted, draft=True, files={}))
    upload = urlsplit(draft["upload_url"].partition("{")[0])
    with socket.create_connection((upload.hostname or "", upload.port or 0)) as broken:
        head = f"POST {upload.path}?name=SHA256SUMS HTTP/1.1\r\nHost: x\r\nUser-Agent: x\r\n"
        auth = f"Authorization: Bearer {server.token}\r\nContent-Length: 1000\r\n\r\nhalf"
        broken.sendall((head + auth).encode())
        while not server.state.rows("assets"):
            pass
    assert server.state.rows("assets")[0]["state"] == "starter"
    ensure_release(api, wanted)
    assert all(row["state"] == "uploaded" for row in server.state.rows("assets"))


def test_an_upload_that_keeps_failing_leaves_a_draft_that_the_next_run_finishes(
    api: GitHub, server: LoopbackGitHub, wanted: WantedRelease
) -> None:
    for _ in range(3):
        server.state.order("unavailable", method="POST", path="assets")
    with pytest.raises(UnavailableError, match="502"):
        ensure_release(api, wanted)
    assert server.state.rows("releases")[0]["draft"]
    assert not ensure_release(api, wanted)["draft"]


def test_a_file_without_a_digest_is_compared_by_its_bytes(
    api: GitHub, server: LoopbackGitHub, wanted: WantedRelease
) -> None:
    ensure_release(api, wanted)
    for row in server.state.rows("assets"):
        server.state.update("assets", {**row, "digest": None})  # a file from before GitHub kept digests
    changes = api.changes
    ensure_release(api, wanted)
    assert api.changes == changes


def test_only_the_newest_release_is_marked_as_latest(
    api: GitHub, server: LoopbackGitHub, wanted: WantedRelease
) -> None:
    def latest() -> str:
        return str(api.get("releases/latest")["tag_name"])

    ensure_release(api, wanted)
    ensure_release(api, replace(wanted, tag="v0.1.8"))
    assert latest() == "v0.1.9"
    ensure_release(api, replace(wanted, tag="v0.2.0-rc.1", prerelease=True))
    assert latest() == "v0.1.9"
    ensure_release(api, replace(wanted, tag="release-20260301"))
    assert latest() == "v0.1.9"
    ensure_release(api, replace(wanted, tag="v0.1.10"))
    assert latest() == "v0.1.10"
    assert [row["prerelease"] for row in server.state.rows("releases") if row["tag_name"] == "v0.2.0-rc.1"] == [True]


def test_a_token_that_may_not_is_refused_and_nothing_is_made(
    asking: Asking, server: LoopbackGitHub, wanted: WantedRelease
) -> None:
    with asking(Access(contents="read")) as api, pytest.raises(RefusedError, match="contents: write"):
        ensure_release(api, wanted)
    assert state(server) == ([], [], {})
