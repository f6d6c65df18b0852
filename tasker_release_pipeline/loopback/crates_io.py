"""A cargo registry: sparse index, publishing, the API's answers, downloads.

Below `/cargo`: the index under `/index/`, the API under `/api/v1/`. What is not held comes from the upstream.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tasker_release_pipeline.loopback import access, crate_answers, crate_upload, shown
from tasker_release_pipeline.loopback.crate_upload import Upload
from tasker_release_pipeline.loopback.fault_rate import TooManyNewCratesError, admit_new_crate
from tasker_release_pipeline.loopback.names import canonical
from tasker_release_pipeline.loopback.passthrough import PassThrough, UpstreamError
from tasker_release_pipeline.loopback.refusal import RefusedError
from tasker_release_pipeline.loopback.storage import Record, Storage, now
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName

Handler = Callable[[Request], Awaitable[Response]]
USER_AGENT_NEEDED = "We require that all requests include a `User-Agent` header that names the tool and a contact.\n"


def refused(message: str, status: int, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error in the form that cargo prints."""
    return JSONResponse({"errors": [{"detail": message}]}, status, headers)


def identified(handler: Handler) -> Handler:
    """The API asks every client to say who it is; the index and the downloads do not."""

    async def handle(request: Request) -> Response:
        if not request.headers.get("user-agent"):
            return PlainTextResponse(USER_AGENT_NEEDED, 403)
        return await handler(request)

    return handle


def prefix(name: str) -> str:
    """The folders of a crate in an index: `1`, `2`, `3/a`, `ab/cd`."""
    return {1: "1", 2: "2", 3: f"3/{name[:1]}"}.get(len(name), f"{name[:2]}/{name[2:4]}")


def index_path(name: str) -> str:
    """Where a sparse index has the crate, in lowercase."""
    return f"{prefix(name.lower())}/{name.lower()}"


def key(name: str) -> str:
    """The key that a crate's records lie under."""
    return canonical(RegistryName.CRATES_IO, name)


def record_of(line: dict[str, Any], archive: bytes, metadata: dict[str, Any]) -> Record:
    """A record: the index line as it is served, and what the API's answers need besides."""
    return {
        "name": line["name"],
        "version": line["vers"],
        "filename": f"{line['name']}-{line['vers']}.crate",
        "sha256": line["cksum"],
        "size": len(archive),
        "created_at": now(),
        "index": line,
        "metadata": {name: metadata.get(name) for name in ("description", "license", "repository", "homepage")},
    }


@dataclass(frozen=True)
class CratesIo:
    """The registry over one folder."""

    storage: Storage
    token: str
    upstream: PassThrough
    # The upstream's `dl` templates, by index: they don't change within the life of a server.
    _downloads: dict[str, str] = field(default_factory=dict)

    def routes(self) -> list[Route]:
        """The routes below `/cargo`. `new` comes before names: it is a reserved word of the API."""
        return [
            Route("/index/config.json", self.config),
            Route("/index/{path:path}", self.index),
            Route("/api/v1/crates/new", identified(self.publish), methods=["PUT"]),
            Route("/api/v1/crates/{name}", identified(self.crate)),
            Route("/api/v1/crates/{name}/owners", identified(self.owners)),
            Route("/api/v1/crates/{name}/{version}", identified(self.version)),
            Route("/api/v1/crates/{name}/{version}/download", self.download),
        ]

    async def config(self, request: Request) -> Response:
        """The index's `config.json`. There is no `auth-required`: reading is public."""
        base = f"{request.url.scheme}://{request.url.netloc}/cargo"
        return JSONResponse({"dl": f"{base}/api/v1/crates", "api": base}, headers={"cache-control": "no-cache"})

    async def index(self, request: Request) -> Response:
        """One crate's lines, oldest first, with an ETag of their content."""
        path = request.path_params["path"]
        name = path.rpartition("/")[2]
        records = shown.records(self.storage, key(name)) if path == index_path(name) else []
        if records:
            body = "".join(json.dumps(record["index"], separators=(",", ":")) + "\n" for record in records)
            etag = f'"{hashlib.sha256(body.encode()).hexdigest()}"'
            headers = {"etag": etag, "cache-control": "no-cache"}
            if request.headers.get("if-none-match") == etag:
                return Response(status_code=304, headers=headers)
            return PlainTextResponse(body, headers=headers)
        endpoints = self.upstream.endpoints(RegistryName.CRATES_IO, name)
        if endpoints is None:
            return PlainTextResponse("not found\n", 404)
        return await self.upstream.page(f"{endpoints.cargo_index}/{path}", request.headers)

    async def publish(self, request: Request) -> Response:
        """`PUT /api/v1/crates/new`."""
        if not (given := access.bare(request)):
            return refused("this action requires authentication", 403)
        if not access.is_token(given, self.token):
            return refused("authentication failed", 403)
        own_index = f"sparse+{request.url.scheme}://{request.url.netloc}/cargo/index/"
        try:
            if int(request.headers.get("content-length", 0)) > crate_upload.MAX_UPLOAD:
                raise RefusedError(f"max upload size is: {crate_upload.MAX_UPLOAD}", 413)
            upload = crate_upload.parse(await request.body())
            await run_in_threadpool(crate_upload.check, upload, own_index)
            await self._check_dependencies(upload)
            record = await run_in_threadpool(self.accept, upload)
        except TooManyNewCratesError as limit:
            return refused(str(limit), limit.status, {"retry-after": limit.retry_after})
        except RefusedError as refusal:
            return refused(str(refusal), refusal.status)
        except UpstreamError as error:
            return refused(f"a dependency could not be looked up: {error}", error.response.status_code)
        warnings: dict[str, list[str]] = {"invalid_categories": [], "invalid_badges": [], "other": []}
        return JSONResponse({"crate": crate_answers.crate([record]), "warnings": warnings})

    def accept(self, upload: Upload) -> Record:
        """Publish an upload that was checked. Raises `RefusedError` if version or name is taken, or for too many."""
        held = self.storage.records(key(upload.name))
        if held and held[0]["name"] != upload.name:
            raise RefusedError(f"crate was previously named `{held[0]['name']}`")
        if not held:
            admit_new_crate(self.storage.root, upload.name)
        sha256 = self.storage.keep(upload.archive)
        record = record_of(crate_upload.index_line(upload, sha256), upload.archive, upload.metadata)
        if not self.storage.commit(key(upload.name), crate_upload.version_key(upload.version), record):
            raise RefusedError(f"crate version `{upload.version}` is already uploaded")
        return record

    async def crate(self, request: Request) -> Response:
        """`GET /api/v1/crates/NAME`: the crate and its versions, newest first."""
        name = request.path_params["name"]
        if records := shown.records(self.storage, key(name)):
            versions = [crate_answers.version(record) for record in reversed(records)]
            body = {"crate": crate_answers.crate(records), "versions": versions, "keywords": [], "categories": []}
            return JSONResponse(body)
        return await self._api(request, name, f"crate `{name}` does not exist")

    async def version(self, request: Request) -> Response:
        """`GET /api/v1/crates/NAME/VERSION`."""
        name, version = request.path_params["name"], request.path_params["version"]
        record = shown.record(self.storage, key(name), crate_upload.version_key(version))
        if record and record["version"] == version:
            return JSONResponse({"version": crate_answers.version(record)})
        if self.storage.records(key(name)):
            return refused(f"crate `{name}` does not have a version `{version}`", 404)
        return await self._api(request, name, f"crate `{name}` does not exist")

    async def owners(self, request: Request) -> Response:
        """`GET /api/v1/crates/NAME/owners`: whose the crate is."""
        name = request.path_params["name"]
        if self.storage.records(key(name)):
            return JSONResponse({"users": [crate_answers.user(self.storage.owner(key(name)))]})
        return await self._api(request, name, f"crate `{name}` does not exist")

    async def download(self, request: Request) -> Response:
        """The `.crate`, own or from wherever the upstream's index says."""
        name, version = request.path_params["name"], request.path_params["version"]
        if record := self._record(name, version):
            return FileResponse(self.storage.file(record["sha256"]), media_type="application/gzip")
        endpoints = self.upstream.endpoints(RegistryName.CRATES_IO, name)
        if endpoints is None or self.storage.records(key(name)):
            return refused(f"crate `{name}` does not have a version `{version}`", 404)
        try:
            url = await self._upstream_download(endpoints, name, version)
        except UpstreamError as error:
            return error.response
        return await self.upstream.file(url, "application/gzip")

    async def _check_dependencies(self, upload: Upload) -> None:
        """Every dependency's name is known, here or upstream; which versions it has is not looked at, as there."""
        names = {dependency["name"] for dependency in upload.metadata.get("deps") or []}
        outside = sorted(name for name in names if not self.storage.records(key(name)))
        for name, known in zip(outside, await asyncio.gather(*map(self._is_known, outside)), strict=True):
            if not known:
                raise RefusedError(f"no known crate named `{name}`")

    async def _is_known(self, name: str) -> bool:
        endpoints = self.upstream.endpoints(RegistryName.CRATES_IO, name)
        if endpoints is None:
            return False
        answer = await self.upstream.fetch(f"{endpoints.cargo_index}/{index_path(name)}")
        if answer.status_code not in (200, 404, 410, 451):
            raise UpstreamError(f"its index answered {answer.status_code} for {name}", 503)
        return answer.status_code == 200

    async def _upstream_download(self, endpoints: Endpoints, name: str, version: str) -> str:
        """Where the upstream has this file: its `dl`, with markers or the default path."""
        index = endpoints.cargo_index
        if index not in self._downloads:
            config = await self.upstream.json(f"{index}/config.json")
            if not isinstance(config, dict) or not isinstance(config.get("dl"), str):
                raise UpstreamError("its index has no config.json with a `dl`")
            self._downloads[index] = config["dl"]
        template = self._downloads[index]
        markers = {
            "{crate}": name,
            "{version}": version,
            "{prefix}": prefix(name),
            "{lowerprefix}": prefix(name.lower()),
        }
        if "{sha256-checksum}" in template:
            raise UpstreamError("its `dl` asks for checksums, which this pass-through does not look up")
        if not any(marker in template for marker in markers):
            return f"{template}/{name}/{version}/download"
        for marker, value in markers.items():
            template = template.replace(marker, value)
        return template

    async def _api(self, request: Request, name: str, missing: str) -> Response:
        endpoints = self.upstream.endpoints(RegistryName.CRATES_IO, name)
        if endpoints is None:
            return refused(missing, 404)
        path = request.url.path.removeprefix("/cargo")
        return await self.upstream.page(f"{endpoints.cargo_api}{path}", request.headers)

    def _record(self, name: str, version: str) -> Record | None:
        record = self.storage.record(key(name), crate_upload.version_key(version))
        return record if record and record["version"] == version else None
