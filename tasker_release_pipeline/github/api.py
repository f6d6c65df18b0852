"""One way to ask GitHub's REST API: who asks, how long, how often, and what the answers mean."""

import json
import random
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import metadata
from typing import Any
from urllib.parse import urlsplit

import httpx

from tasker_release_pipeline.release.errors import InputError, RegistryError, UnavailableError

API_VERSION = "2022-11-28"
TRIES = 3
WAIT_SECONDS = 90.0
"""How long one client waits for rate limits in all; a longer wait is told, for a later run."""
_TIMEOUT = httpx.Timeout(30.0, connect=5.0)
_MINUTE = 60.0
"""What GitHub asks for after a secondary rate limit that names no time."""


class RefusedError(RegistryError):
    """GitHub's no. `status`: of HTTP; `codes`: of the fields that did not do (`already_exists`)."""

    def __init__(self, message: str, status: int, codes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.codes = codes


@dataclass
class GitHub:
    """One repository's API.

    `token` None asks as anyone may. `changes`: how often something was changed; `expires`: when
    the token ends, where GitHub tells, which it does with its first answer.
    """

    http: httpx.Client = field(repr=False)
    repository: str
    token: str | None = field(repr=False)
    wait_seconds: float = WAIT_SECONDS
    changes: int = 0
    expires: str = ""

    @classmethod
    @contextmanager
    def at(cls, url: str, repository: str, token: str | None, wait_seconds: float = WAIT_SECONDS) -> Iterator["GitHub"]:
        """A client until the block ends. Raises InputError for an address that a token must not be sent to."""
        parts = urlsplit(url)
        is_loopback = parts.hostname in ("127.0.0.1", "::1", "localhost")
        if parts.scheme != "https" and not is_loopback:
            raise InputError(f"GITHUB_API_URL {url}: a token goes over https alone; correct the address")
        headers = {"User-Agent": _user_agent(), "X-GitHub-Api-Version": API_VERSION}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        # A proxy can't reach this machine's own loopback.
        with httpx.Client(
            base_url=url.rstrip("/"), headers=headers, timeout=_TIMEOUT, verify=_trust(), trust_env=not is_loopback
        ) as http:
            yield cls(http, repository, token, wait_seconds)

    def get(self, path: str, **query: str) -> Any:
        """What is at `path` below the repository (or, with a slash before it, the API); None for 404.

        For this and all others: raises UnavailableError (no connection, 5xx, a rate limit that lasts too long) and
        RefusedError, with what is missing.
        """
        answer = self._ask(self._url(path), query)
        return None if answer.status_code == 404 else _parsed(answer)

    def pages(self, path: str, wrapped: str = "", **query: str) -> Iterator[Any]:
        """The rows of all pages of a list; `wrapped`: the name that it has in an object. Nothing for 404."""
        answer = self._ask(self._url(path), {"per_page": "100", **query})
        while answer.status_code != 404:
            rows = _parsed(answer)
            yield from rows[wrapped] if wrapped else rows
            following = answer.links.get("next", {}).get("url")
            if not following:
                return
            answer = self._ask(following, {})

    def download(self, path: str) -> bytes:
        """A file of a release."""
        answer = self._ask(self._url(path), {}, accept="application/octet-stream")
        if answer.status_code == 404:
            raise self._refused(answer)
        return answer.content

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Change something, and give what GitHub says of it; None where it says nothing.

        Sent once: after a lost answer the caller has to look what became of it. A request that a rate limit refused was
        not acted on, and is sent again.
        """
        return self._sent(method, self._url(path), json=body)

    def upload(self, url: str, name: str, content: bytes) -> Any:
        """Send a file to a release's upload address (a URI template, as the API gives it)."""
        address = url.partition("{")[0]
        return self._sent(
            "POST",
            address,
            params={"name": name},
            content=content,
            headers={"Content-Type": "application/octet-stream"},
        )

    def _url(self, path: str) -> str:
        return path if path.startswith("/") else f"/repos/{self.repository}/{path}".rstrip("/")

    def _ask(self, url: str, query: Mapping[str, str], accept: str = "application/vnd.github+json") -> httpx.Response:
        for attempt in range(1, TRIES + 1):
            try:
                answer = self._within_limits(
                    # Only reads follow: a moved repository would turn a POST into a GET.
                    "GET",
                    url,
                    params=dict(query) or None,
                    headers={"Accept": accept},
                    follow_redirects=True,
                )
                break
            except UnavailableError as error:
                if attempt == TRIES or error.retry_after is not None:
                    raise
                time.sleep(random.uniform(0, 0.25 * 2**attempt))  # noqa: S311 - no secret hangs on it
        if answer.status_code not in (200, 404):
            raise self._refused(answer)
        return answer

    def _sent(self, method: str, url: str, **rest: Any) -> Any:
        answer = self._within_limits(method, url, **rest)
        if not answer.is_success:
            raise self._refused(answer)
        self.changes += 1
        return _parsed(answer) if answer.content else None

    def _within_limits(self, method: str, url: str, **rest: Any) -> httpx.Response:
        """Send a request, and again once a rate limit is over. Raises UnavailableError."""
        while True:
            try:
                answer = self.http.request(method, url, **rest)
            except httpx.HTTPError as error:
                raise UnavailableError(
                    f"{method} {self.http.base_url.join(url)}: no answer ({type(error).__name__}: {error})"
                ) from error
            if answer.status_code >= 500:
                raise UnavailableError(f"{method} {answer.url}: HTTP {answer.status_code}: {_words(answer)}")
            self.expires = answer.headers.get("github-authentication-token-expiration", "")
            wait = _limited(answer)
            if wait is None:
                return answer
            if wait > self.wait_seconds:
                at = (datetime.now(UTC) + timedelta(seconds=wait)).strftime("%H:%M:%S UTC")
                raise UnavailableError(
                    f"{method} {answer.url}: GitHub's rate limit ({_words(answer)}); run it again after {at}",
                    retry_after=wait,
                )
            self.wait_seconds -= wait
            time.sleep(wait)

    def _refused(self, answer: httpx.Response) -> RefusedError:
        said = _words(answer)
        errors = _json(answer).get("errors") if isinstance(_json(answer), dict) else None
        codes = tuple(str(e.get("code", "")) for e in errors or [] if isinstance(e, dict))
        message = f"{answer.request.method} {answer.url}: HTTP {answer.status_code}: {said}"
        if hint := self._way_out(answer):
            message += f"; {hint}"
        return RefusedError(message, answer.status_code, codes)

    def _way_out(self, answer: httpx.Response) -> str:
        status = answer.status_code
        accepted = answer.headers.get("x-accepted-github-permissions", "")
        said = ""
        if self.token is None and status in (401, 403, 404):
            said = "no token: set GITHUB_TOKEN in the environment, one that may write the repository's contents"
        elif status == 401:
            said = "the token in GITHUB_TOKEN is not (or no longer) valid: give another"
        elif status == 403 and "workflows" in accepted:
            said = (
                "the commit has other workflow files than the default branch, and a job's token may not put a tag on "
                "it: push the tag by hand, or give a token with the permission `workflows`"
            )
        elif status == 403:
            wanted = accepted.replace("=", ": ").replace(",", ", ") or "contents: write"
            said = f"the token lacks a permission: give the job `{wanted}`, or a person's token with it"
        elif status == 404:
            said = f"either {self.repository} has no such thing, or the token may not see or change it"
        elif 300 <= status < 400:
            said = f"the repository has moved: correct GITHUB_REPOSITORY ({self.repository})"
        return said


@cache
def _trust() -> ssl.SSLContext:
    """Whom to trust (SSL_CERT_FILE counts); kept, as reading the certificates takes longer than most answers."""
    return httpx.create_ssl_context()


def _limited(answer: httpx.Response) -> float | None:
    """The seconds that a rate limit asks to wait; None for an answer that is none of it."""
    if answer.status_code not in (403, 429):
        return None
    after = answer.headers.get("retry-after", "")
    if after.isdigit():
        return float(after)
    if answer.headers.get("x-ratelimit-remaining") == "0":
        reset = answer.headers.get("x-ratelimit-reset", "")
        return max(1.0, float(reset) - time.time() + 1) if reset.isdigit() else _MINUTE
    return _MINUTE if answer.status_code == 429 or "secondary rate limit" in _words(answer) else None


def _parsed(answer: httpx.Response) -> Any:
    """The answer's JSON. Raises UnavailableError: a page of a proxy says nothing about the repository."""
    try:
        return json.loads(answer.content)
    except ValueError:
        kind = answer.headers.get("content-type", "no content type")
        raise UnavailableError(f"{answer.url}: answered with {kind} where JSON was expected") from None


def _json(answer: httpx.Response) -> Any:
    try:
        return json.loads(answer.content)
    except ValueError:
        return None


def _words(answer: httpx.Response) -> str:
    """GitHub's own words, on one line."""
    said = _json(answer)
    if not isinstance(said, dict):
        return " ".join(answer.text.split())[:300] or "(no words)"
    words = [str(said.get("message", ""))]
    for error in said.get("errors") or []:
        if isinstance(error, dict):
            words.append(
                str(error.get("message") or " ".join(str(error.get(key, "")) for key in ("resource", "field", "code")))
            )
        else:
            words.append(str(error))
    return " ".join(": ".join(word for word in words if word).split())[:400]


def _user_agent() -> str:
    try:
        version = metadata.version("tasker-release-pipeline")
    except metadata.PackageNotFoundError:
        version = "0"
    return f"tasker-release-pipeline/{version}"
