"""What a run of GitHub Actions left: listed and downloaded as the real API gives it."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasker_release_pipeline.github.api import GitHub, RefusedError
from tasker_release_pipeline.github.artifacts import artifacts_of, downloaded
from tasker_release_pipeline.loopback.github import LoopbackGitHub, serve_github
from tasker_release_pipeline.loopback.github_artifacts import keep_artifact
from tasker_release_pipeline.release.errors import InputError, UnavailableError
from tests.github.conftest import NAME


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LoopbackGitHub]:
    with serve_github(tmp_path / "github", source=tmp_path, repository=NAME) as served:
        yield served


@pytest.fixture
def api(server: LoopbackGitHub) -> Iterator[GitHub]:
    with GitHub.at(server.url, NAME, server.token) as client:
        yield client


@pytest.fixture
def run(server: LoopbackGitHub) -> int:
    number: int = server.state.add("runs", lambda _: {"path": ".github/workflows/release.yml"})["id"]
    return number


def names(content: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(content)).namelist()


def test_a_runs_artifacts_are_those_of_the_name_in_the_order_of_their_upload(
    api: GitHub, server: LoopbackGitHub, run: int
) -> None:
    for name in ("store-plan", "store-gate", "coverage", "store-plan"):  # the job `plan` ran a second time
        keep_artifact(server.state, run, name, {f"v0.1.9/{name}.json": b"{}"})
    keep_artifact(server.state, run + 1, "store-other", {"other": b""})
    found = artifacts_of(api, run, "store-*")
    assert [artifact.name for artifact in found] == ["store-gate", "store-plan"]
    assert [names(content) for _, content in downloaded(api, found)] == [
        ["v0.1.9/store-gate.json"],
        ["v0.1.9/store-plan.json"],
    ]


def test_a_run_that_is_not_there_is_no_run_without_artifacts(api: GitHub, run: int) -> None:
    assert artifacts_of(api, run) == []
    with pytest.raises(InputError, match=rf"run {run + 1}: {NAME} has no such run of Actions"):
        artifacts_of(api, run + 1)


def test_what_has_expired_is_named(api: GitHub, server: LoopbackGitHub, run: int) -> None:
    row = keep_artifact(server.state, run, "store-gate", {"a": b""})
    server.state.update("artifacts", {**row, "expired": True})
    with pytest.raises(InputError, match="GitHub has deleted store-gate by now"):
        artifacts_of(api, run)


def test_a_zip_of_other_content_is_not_taken(api: GitHub, server: LoopbackGitHub, run: int) -> None:
    row = keep_artifact(server.state, run, "store-gate", {"a": b""})
    found = artifacts_of(api, run)
    server.state.update("artifacts", {**row, "sha256": server.state.keep(b"cut")})
    with pytest.raises(UnavailableError, match=r"store-gate of run \d+: came with sha256:.*GitHub says sha256:"):
        list(downloaded(api, found))


def test_downloads_need_a_token_also_where_all_may_look(server: LoopbackGitHub, run: int) -> None:
    keep_artifact(server.state, run, "store-gate", {"a": b""})
    with GitHub.at(server.url, NAME, None) as anyone:
        found = artifacts_of(anyone, run)
        with pytest.raises(RefusedError, match="no token: set GITHUB_TOKEN"):
            list(downloaded(anyone, found))
