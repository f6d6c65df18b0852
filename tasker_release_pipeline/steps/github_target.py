"""The repository that a release is recorded in: the real one, or in a rehearsal one on loopback."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tasker_release_pipeline.github.api import WAIT_SECONDS, GitHub
from tasker_release_pipeline.loopback.github import serve_github
from tasker_release_pipeline.registries.endpoints import GITHUB_API
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.git import Checkout, GitError
from tasker_release_pipeline.release.settings import Registries
from tasker_release_pipeline.steps.registry_sets import rehearsal_folder
from tasker_release_pipeline.steps.run import ReleaseRun

TOKEN_VARIABLES = ("GITHUB_TOKEN", "GH_TOKEN")
_REMOTE = re.compile(r"(?:[/:])([\w.-]+/[\w.-]+?)(?:\.git)?/?$")


@contextmanager
def github(run: ReleaseRun, wait_seconds: float = WAIT_SECONDS) -> Iterator[GitHub]:
    """The repository's API.

    Live: that of GITHUB_REPOSITORY, else of the checkout's `origin`, with the token in GITHUB_TOKEN or GH_TOKEN (or
    none: reading a public repository needs none). A rehearsal records on loopback, in the folder of its registries; the
    checkout stands for what was pushed. Raises InputError, UnavailableError.
    """
    if run.settings.registries is Registries.LIVE:
        url = run.environment.get("GITHUB_API_URL") or GITHUB_API
        named = repository(run.environment, lambda: run.checkout)
        with GitHub.at(url, named, token(run.environment), wait_seconds) as api:
            yield api
        return
    with (
        serve_github(
            github_folder(run), source=run.checkout.path, repository=f"rehearsal/{run.manifest.name}"
        ) as served,
        GitHub.at(served.url, served.repository, served.token, wait_seconds) as api,
    ):
        yield api


def github_folder(run: ReleaseRun) -> Path:
    """Where a rehearsal's GitHub keeps its state."""
    return rehearsal_folder(run) / "github"


def token(environment: Mapping[str, str]) -> str | None:
    """The token at hand."""
    found = (environment.get(name, "").strip() for name in TOKEN_VARIABLES)
    return next(filter(None, found), None)


def repository(environment: Mapping[str, str], checkout: Callable[[], Checkout]) -> str:
    """The repository's `owner/name`; `checkout` is asked where the environment has none. Raises InputError."""
    if named := environment.get("GITHUB_REPOSITORY"):
        return named
    source = checkout()
    try:
        origin = source.run("remote", "get-url", "origin").strip()
    except GitError:
        origin = ""
    found = _REMOTE.search(origin)
    if found is None or Path(origin).exists():
        raise InputError(
            "the GitHub repository is not known: set GITHUB_REPOSITORY=owner/name in the environment, or give "
            f"{source.path} a remote `origin` that leads to it"
        )
    return found[1]
