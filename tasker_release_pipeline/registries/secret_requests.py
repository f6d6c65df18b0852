"""Requests that carry a secret: sent once, never redirected, and no error has the secret in it."""

from collections.abc import Mapping
from typing import Any

import httpx

from tasker_release_pipeline.registries import http
from tasker_release_pipeline.registries.endpoints import is_loopback
from tasker_release_pipeline.release.errors import UnavailableError
from tasker_release_pipeline.toolchains.redaction import Redactor

_TIMEOUT = httpx.Timeout(20.0, connect=5.0)


def send(
    method: str, url: str, *, secret: str, headers: Mapping[str, str] | None = None, json: Any = None
) -> httpx.Response:
    """One request's answer, a refusal (4xx) too.

    It is not repeated: an ID token is used up by the first exchange that reads it. A redirect would carry the secret
    to another host. Raises UnavailableError (408, 425, 429, 3xx, 5xx, no connection, no answer in time).
    """
    redact = Redactor([secret])
    where = redact(str(httpx.URL(url).copy_with(query=None)))
    try:
        with httpx.Client(timeout=_TIMEOUT, trust_env=not is_loopback(url)) as client:
            told = {"User-Agent": http.user_agent(), "Accept": "application/json", **(headers or {})}
            response = client.request(method, url, headers=told, json=json)
    except httpx.HTTPError as error:
        raise UnavailableError(f"{where}: could not ask ({type(error).__name__}: {redact(str(error))})") from None
    status = response.status_code
    if http.is_transient(status) or 300 <= status < 400:
        wait = http.retry_after(response.headers.get("retry-after"))
        hint = "" if wait is None else f", try again in {wait:.0f} s"
        said = redact(http.words(response))
        raise UnavailableError(f"{where}: HTTP {status}{hint}: {said}", retry_after=wait)
    return response
