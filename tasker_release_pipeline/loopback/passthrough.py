"""What the loopback registries do not hold, from the public ones.

Unknown is never "no": an upstream that cannot be reached is a 502 (a 504 if it is too slow), and only an upstream's own
404 becomes a 404 here.
"""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse

from tasker_release_pipeline.loopback.names import Reserved, is_reserved
from tasker_release_pipeline.loopback.storage import replace, whole_file
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName

PASSED_ON = ("content-type", "etag", "last-modified", "retry-after", "vary")
CONDITIONAL = ("accept", "if-none-match", "if-modified-since")
TIMEOUT = httpx.Timeout(60.0, connect=15.0)
USER_AGENT = "tasker-release-pipeline-loopback"


class UpstreamError(Exception):
    """The upstream could not be asked, or gave no answer that means anything. `response` is what the client gets."""

    def __init__(self, message: str, status: int = 502) -> None:
        super().__init__(message)
        self.response = PlainTextResponse(f"the upstream registry could not be asked: {message}\n", status)


@dataclass
class PassThrough:
    """Asks the upstream registries, for the life of one server.

    `cache`, a folder that servers share, keeps files that never change; without one nothing is kept. Index pages are
    never kept.
    """

    upstream: Endpoints | None
    reserved: Reserved
    cache: Path | None
    # Made on first use: loading the CA bundle takes long, and most servers never pass anything on.
    _client: httpx.AsyncClient | None = field(default=None, init=False, repr=False)

    def endpoints(self, registry: RegistryName, name: str) -> Endpoints | None:
        """Where to ask for `name`; None if nobody may be asked."""
        return None if is_reserved(self.reserved, registry, name) else self.upstream

    async def fetch(self, url: str, headers: dict[str, str] | None = None) -> httpx.Response:
        """One page, whole, whatever its status below 500. Raises `UpstreamError`."""
        try:
            response = await self._http().get(url, headers=headers)
        except httpx.HTTPError as error:
            raise _unreachable(error) from error
        if response.status_code >= 500:
            raise UpstreamError(f"it answered {response.status_code}", 502)
        return response

    async def json(self, url: str, accept: str = "application/json") -> Any:
        """A JSON document; None where the upstream has none. Raises `UpstreamError`."""
        response = await self.fetch(url, {"accept": accept})
        if response.status_code in (404, 410):
            return None
        if response.status_code != 200:
            raise UpstreamError(f"it answered {response.status_code}", 503)
        try:
            return response.json()
        except ValueError as error:
            raise UpstreamError("its answer is not JSON") from error

    async def page(self, url: str, request_headers: Any) -> Response:
        """An index page as it is: status, type, ETag and body."""
        asked = {name: request_headers[name] for name in CONDITIONAL if name in request_headers}
        try:
            answer = await self.fetch(url, asked)
        except UpstreamError as error:
            return error.response
        headers = {name: answer.headers[name] for name in PASSED_ON if name in answer.headers}
        return Response(answer.content, answer.status_code, headers=headers)

    async def file(self, url: str, media_type: str, sha256: str | None = None) -> Response:
        """A file that never changes, streamed, and kept if there is a cache.

        With `sha256` the cache is keyed by content, and bytes with another digest are never kept.
        """
        kept = self._kept(url, sha256)
        if kept is not None and kept.is_file():
            return FileResponse(kept, media_type=media_type)
        request = self._http().build_request("GET", url, headers={"accept-encoding": "identity"})
        try:
            answer = await self._http().send(request, stream=True)
        except httpx.HTTPError as error:
            return _unreachable(error).response
        if answer.status_code != 200:
            await answer.aclose()
            if answer.status_code >= 500:
                return UpstreamError(f"it answered {answer.status_code}").response
            headers = {name: answer.headers[name] for name in PASSED_ON if name in answer.headers}
            return Response(status_code=answer.status_code, headers=headers)
        # With the length known the client notices a body that ends early.
        length = {"content-length": answer.headers["content-length"]} if "content-length" in answer.headers else {}
        return StreamingResponse(_copied(answer, kept, sha256), media_type=media_type, headers=length)

    def kept_digest(self, sha256: str) -> Path | None:
        """The file with this digest, if an earlier pass-through kept it."""
        path = self._kept("", sha256)
        return path if path and path.is_file() else None

    async def text_kept(self, url: str, name: str) -> str:
        """A large text that changes: fetched again only if its ETag changed, where there is a cache."""
        # One file, ETag in the first line: two servers that write it at once can't mix one's tag with the other's text.
        path = self.cache / f"{name}.tagged" if self.cache else None
        known, _, text = path.read_text().partition("\n") if path and path.is_file() else ("", "", "")
        answer = await self.fetch(url, {"if-none-match": known} if known else None)
        if answer.status_code == 304 and known:
            return text
        if answer.status_code != 200:
            raise UpstreamError(f"it answered {answer.status_code}", 503)
        if path and "etag" in answer.headers:
            replace(path, f"{answer.headers['etag']}\n{answer.text}".encode())
        return answer.text

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    def _http(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=True, headers={"user-agent": USER_AGENT})
        return self._client

    def _kept(self, url: str, sha256: str | None) -> Path | None:
        if self.cache is None:
            return None
        if sha256:
            return self.cache / "by-digest" / sha256[:2] / sha256
        digest = hashlib.sha256(url.encode()).hexdigest()
        return self.cache / "by-url" / digest[:2] / digest


async def _copied(answer: httpx.Response, kept: Path | None, sha256: str | None) -> AsyncIterator[bytes]:
    """The body, as it arrives; kept under `kept` once it has arrived whole and has the digest it should have."""
    try:
        if kept is None:
            async for chunk in answer.aiter_bytes():
                yield chunk
            return
        digest = hashlib.sha256()
        with whole_file(kept) as new:
            with new.open("wb") as file:
                async for chunk in answer.aiter_bytes():
                    digest.update(chunk)
                    file.write(chunk)
                    yield chunk
            if sha256 in (None, digest.hexdigest()):
                new.replace(kept)
    finally:
        await answer.aclose()


def _unreachable(error: httpx.HTTPError) -> UpstreamError:
    status = 504 if isinstance(error, httpx.TimeoutException) else 502
    return UpstreamError(f"{type(error).__name__}: {error}", status)
