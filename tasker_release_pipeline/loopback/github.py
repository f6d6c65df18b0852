"""A GitHub API on loopback, for rehearsals and tests: one repository, whose commits are those of a checkout.

It says what the real one says, also when it refuses: 422 for a tag or asset that exists, 403 for a token without a
permission, drafts that are found by number alone, published releases that take no files, pages, rate limits.
"""

import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from tasker_release_pipeline.loopback.access import bearer, is_token
from tasker_release_pipeline.loopback.github_answers import ANONYMOUS, Access, Refusal
from tasker_release_pipeline.loopback.github_artifacts import Artifacts
from tasker_release_pipeline.loopback.github_releases import Releases
from tasker_release_pipeline.loopback.github_repository import Repository
from tasker_release_pipeline.loopback.github_state import GitHubState, Order
from tasker_release_pipeline.loopback.github_workflows import Workflows
from tasker_release_pipeline.loopback.server import running

API_VERSIONS = ("2022-11-28",)


@dataclass(frozen=True)
class LoopbackGitHub:
    """A running GitHub API: its address, the repository, the token that it knows, and its state."""

    url: str
    repository: str
    token: str = field(repr=False)
    state: GitHubState


@contextmanager
def serve_github(
    root: Path, *, source: Path, repository: str, access: Access | None = None, token: str | None = None, port: int = 0
) -> Iterator[LoopbackGitHub]:
    """Serve the folder `root` on 127.0.0.1 until the block ends.

    `source`: the git checkout whose commits and branches count as pushed. `access`: what the token may do, by default
    what a job's token with `contents: write` and `actions: write` may. Raises UnavailableError if it does not start.
    """
    root.mkdir(parents=True, exist_ok=True)
    secret = token or f"ghs_{secrets.token_urlsafe(27)}"
    state = GitHubState(root, source)
    app = github_app(state, repository, secret, access or Access())
    with running(app, what=f"GitHub API over {root}", port=port) as address:
        yield LoopbackGitHub(f"http://127.0.0.1:{address}", repository, secret, state)


def github_app(state: GitHubState, repository: str, token: str, access: Access) -> Starlette:
    """The API of one repository."""
    releases, artifacts = Releases(state, repository), Artifacts(state, repository)
    routes = [
        *Repository(state, repository).routes(),
        *releases.routes(),
        *Workflows(state, repository).routes(),
        *artifacts.routes(),
    ]

    async def refuse(_: Request, refusal: Exception) -> Response:
        assert isinstance(refusal, Refusal)  # noqa: S101 - for mypy: it is registered for these alone
        return refusal.response()

    async def missing(_: Request, __: Exception) -> Response:
        return Refusal(404, "Not Found").response()

    async def guard(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        try:
            request.state.access = _admit(request, token, access)
        except Refusal as refusal:
            return refusal.response()
        order = state.struck(request.method, request.url.path)
        if order is not None and (said := _gone_wrong(order)) is not None:
            return said
        answer = await call(request)
        if request.state.access.expires:
            answer.headers["github-authentication-token-expiration"] = request.state.access.expires
        return answer if order is None else JSONResponse({"message": "Server Error"}, 502)

    return Starlette(
        routes=[
            Route(f"/repos/{repository}", Repository(state, repository).show),
            Route("/installation/repositories", _installation),
            Mount(f"/repos/{repository}", routes=routes),
            Mount(f"/uploads/repos/{repository}", routes=releases.upload_routes()),
            *artifacts.storage_routes(),
        ],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=guard)],
        exception_handlers={Refusal: refuse, 404: missing},
    )


def _admit(request: Request, token: str, access: Access) -> Access:
    if not request.headers.get("user-agent"):
        raise Refusal(403, "Request forbidden by administrative rules. Please make sure it has a User-Agent header")
    version = request.headers.get("x-github-api-version", API_VERSIONS[0])
    if version not in API_VERSIONS:
        raise Refusal(400, f"Invalid API version: {version}")
    given = bearer(request)
    if not given:
        return ANONYMOUS
    if not is_token(given, token):
        raise Refusal(401, "Bad credentials")
    return access


async def _installation(request: Request) -> Response:
    """What only the token of an installation, a job's, may ask."""
    if request.state.access.kind != "installation":
        return Refusal(403, "You must authenticate with an installation access token").response()
    return JSONResponse({"total_count": 1, "repositories": []})


def _gone_wrong(order: Order) -> Response | None:
    """The answer of an order that strikes before anything is done; None for one that strikes after it."""
    if order.what == "secondary limit":
        said = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
        return Refusal(403, said, headers={"retry-after": str(order.seconds)}).response()
    if order.what == "primary limit":
        reset = str(int(time.time()) + order.seconds)
        headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset}
        return Refusal(403, "API rate limit exceeded for installation ID 1.", headers=headers).response()
    if order.what == "refused":
        headers = {"x-accepted-github-permissions": "contents=write"}
        return Refusal(403, "Resource not accessible by integration", headers=headers).response()
    return Refusal(502, "Server Error").response() if order.what == "unavailable" else None
