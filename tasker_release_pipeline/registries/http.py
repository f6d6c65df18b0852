"""One way to ask a registry: who asks, how long, how often, and what the answers mean."""

import json
import random
import ssl
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from importlib import metadata
from typing import Any

import httpx

from tasker_release_pipeline.registries.endpoints import is_loopback
from tasker_release_pipeline.release.errors import UnavailableError, UntoldError

TRIES = 3
RETRY_SECONDS = 4.0
"""Past this many seconds since the first try no other one starts; a longer Retry-After is the caller's to wait."""
_TIMEOUT = httpx.Timeout(20.0, connect=5.0)
_GONE = (404, 410)


def get(url: str, *, accept: str = "*/*", fresh: bool = True) -> httpx.Response | None:
    """What is at `url`; None for 404 and 410. Tries up to three times within about four seconds.

    `fresh`: caches on the way are to ask the registry again.
    Raises UnavailableError (408, 429, 5xx, no connection, no answer in time), UntoldError (other 4xx).
    """
    headers = {"User-Agent": user_agent(), "Accept": accept}
    if fresh:
        headers["Cache-Control"] = "no-cache"
    until = time.monotonic() + RETRY_SECONDS
    for attempt in range(1, TRIES + 1):
        try:
            return _once(url, headers)
        except UnavailableError as error:
            # Full jitter: many packages that ask at the same moment do not ask again at the same moment.
            pause = random.uniform(0, 0.25 * 2**attempt)  # noqa: S311 - no secret hangs on it
            pause = max(pause, error.retry_after or 0)
            if attempt == TRIES or time.monotonic() + pause > until:
                raise
        time.sleep(pause)
    raise AssertionError("unreachable")


def get_json(url: str, *, accept: str = "application/json") -> Any:
    """The JSON at `url`; None for 404 and 410. Raises as `get`, and UnavailableError for anything but JSON."""
    response = get(url, accept=accept)
    return None if response is None else parsed(response)


def parsed(response: httpx.Response) -> Any:
    """The answer's JSON. Raises UnavailableError: a page of a portal or proxy says nothing about the registry."""
    try:
        return json.loads(response.content)
    except ValueError:
        kind = response.headers.get("content-type", "no content type")
        raise UnavailableError(f"{response.url}: answered with {kind} where JSON was expected") from None


def malformed(url: str, error: Exception) -> UnavailableError:
    """For an answer that lacks what it must have: as good as none."""
    return UnavailableError(f"{url}: an answer that can't be read ({type(error).__name__}: {error})")


@cache
def user_agent() -> str:
    """Who asks, with a contact, as crates.io demands."""
    try:
        version = metadata.version("tasker-release-pipeline")
    except metadata.PackageNotFoundError:
        version = "0"
    return f"tasker-release-pipeline/{version} (+https://github.com/tasker-systems/tasker-core)"


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """The seconds that a Retry-After header asks for, as a number or as an HTTP date; None without a legible one."""
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment.astimezone(UTC) - (now or datetime.now(UTC))).total_seconds())


def is_transient(status: int) -> bool:
    """Whether an answer of this HTTP status may be another one the next time."""
    return status in (408, 425, 429) or status >= 500


@cache
def _trust() -> ssl.SSLContext:
    """Whom to trust (SSL_CERT_FILE counts); kept, as reading the certificates takes longer than most answers."""
    return httpx.create_ssl_context()


def _once(url: str, headers: dict[str, str]) -> httpx.Response | None:
    # A proxy can't reach this machine's own loopback.
    proxies = not is_loopback(url)
    try:
        with httpx.Client(
            headers=headers, timeout=_TIMEOUT, follow_redirects=True, verify=_trust(), trust_env=proxies
        ) as client:
            response = client.get(url)
    except httpx.HTTPError as error:
        raise UnavailableError(f"{url}: could not ask ({type(error).__name__}: {error})") from error
    if response.status_code in _GONE:
        return None
    if is_transient(response.status_code):
        wait = retry_after(response.headers.get("retry-after"))
        hint = "" if wait is None else f", try again in {wait:.0f} s"
        raise UnavailableError(f"{url}: HTTP {response.status_code}{hint}: {words(response)}", retry_after=wait)
    if response.status_code != 200:
        raise UntoldError(f"{url}: HTTP {response.status_code}: {words(response)}")
    return response


def words(response: httpx.Response) -> str:
    """The registry's own words, on one line: its JSON's message where it has one, else the start of the text."""
    try:
        said = json.loads(response.content)
    except ValueError:
        said = response.text
    if isinstance(said, dict):
        errors = said.get("errors")
        if isinstance(errors, list) and errors and isinstance(errors[0], dict):
            said = errors[0].get("detail", said)
        else:
            said = said.get("error") or said.get("message") or said
    return " ".join(str(said).split())[:300] or "(no words)"
