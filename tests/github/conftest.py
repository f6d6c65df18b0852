"""A repository, GitHub's API on loopback over it, and a client."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tasker_release_pipeline.github.api import GitHub
from tasker_release_pipeline.loopback.github import LoopbackGitHub, serve_github
from tasker_release_pipeline.loopback.github_answers import Access
from tests.release.building import Repository, workspace

from .released import Released

NAME = "tasker-systems/tasker-core"
LOCKFILES = {
    "Cargo.lock": (
        '[[package]]\nname = "tasker-pgmq"\nversion = "0.1.9"\ndependencies = ["heck"]\n'
        '[[package]]\nname = "heck"\nversion = "0.5.0"\nsource = "registry"\nchecksum = "' + "ab" * 32 + '"\n'
    ),
    "workers/typescript/bun.lock": (
        '{"packages": {"ms": ["ms@2.1.3", "", {}, "sha512-' + "A" * 86 + '=="],}}\n'  # with Bun's trailing comma
    ),
}
Asking = Callable[..., AbstractContextManager[GitHub]]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "A")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "a@example.invalid")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    return Repository(tmp_path / "repository")


@pytest.fixture
def commit(repository: Repository) -> str:
    return repository.commit(files={"VERSION": "0.1.9\n"})


@pytest.fixture
def server(repository: Repository, commit: str, tmp_path: Path) -> Iterator[LoopbackGitHub]:
    """GitHub for the token of a job that may write contents."""
    assert commit  # a repository without one has no branch
    with serve_github(tmp_path / "github", source=repository.path, repository=NAME) as served:
        yield served


@pytest.fixture
def api(server: LoopbackGitHub) -> Iterator[GitHub]:
    with GitHub.at(server.url, server.repository, server.token) as client:
        yield client


@pytest.fixture
def asking(repository: Repository, commit: str, tmp_path: Path) -> Asking:
    """A client over the same state, with a token that has this access; `None`: without one."""
    assert commit

    @contextmanager
    def ask(access: Access | None, wait_seconds: float = 5.0) -> Iterator[GitHub]:
        served = serve_github(tmp_path / "github", source=repository.path, repository=NAME, access=access)
        with served as other, GitHub.at(other.url, NAME, other.token if access else None, wait_seconds) as client:
            yield client

    return ask


@pytest.fixture
def world(repository: Repository, tmp_path: Path) -> Iterator[Released]:
    """Nothing is planned yet; the released commit is on main, which was pushed."""
    base = repository.commit("v0.1.8", files=workspace() | LOCKFILES)
    for message in ("feat(core): queues wait", "fix: no longer lost", "Words that follow no convention"):
        repository.git("commit", "--quiet", "--allow-empty", f"--message={message}")
    commit = repository.git("rev-parse", "HEAD")
    with serve_github(tmp_path / "github", source=repository.path, repository=NAME) as served:
        yield Released(tmp_path, repository, served, "v0.1.9", base, commit)
