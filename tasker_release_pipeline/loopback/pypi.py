"""A PyPI: legacy upload, simple index (JSON and HTML), JSON API, downloads. Below `/pypi`."""

from dataclasses import dataclass

from packaging.utils import canonicalize_name
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from tasker_release_pipeline.loopback import access, multipart, pypi_pages, pypi_upload, shown
from tasker_release_pipeline.loopback.passthrough import PassThrough, UpstreamError
from tasker_release_pipeline.loopback.refusal import RefusedError
from tasker_release_pipeline.loopback.storage import Storage
from tasker_release_pipeline.release.endpoints import RegistryName

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
WHEEL = "application/octet-stream"
NOT_AUTHENTICATED = "Invalid or non-existent authentication information. See the help on invalid authentication."


def failed(message: str, status: int) -> PlainTextResponse:
    """An error as PyPI words it: the status twice, for clients that print the body alone."""
    title = {400: "Bad Request", 403: "Forbidden"}[status]
    preamble = {
        400: "The server could not comply with the request since it is either malformed or otherwise incorrect."
    }
    return PlainTextResponse(f"{status} {title}\n\n{preamble.get(status, 'Access was denied.')}\n\n{message}\n", status)


@dataclass(frozen=True)
class PyPI:
    """The registry over one folder."""

    storage: Storage
    token: str
    upstream: PassThrough

    def routes(self) -> list[Route]:
        """The routes below `/pypi`."""
        return [
            Route("/legacy/", self.upload, methods=["POST"]),
            Route("/simple/{name}", self.add_slash),
            Route("/simple/{name}/", self.simple),
            Route("/pypi/{name}/json", self.project),
            Route("/pypi/{name}/{version}/json", self.release),
            Route("/files/{name}/{filename}", self.download),
            Route("/upstream/{name}/{sha256}/{filename}", self.upstream_download),
        ]

    async def upload(self, request: Request) -> Response:
        """`POST /legacy/`. Without a token, or with another one, PyPI answers 403 alike."""
        if not access.is_token(access.basic_password(request), self.token):
            return failed(NOT_AUTHENTICATED, 403)
        try:
            form = multipart.parse(request.headers.get("content-type", ""), await request.body())
            await run_in_threadpool(pypi_upload.accept, self.storage, form)
        except (multipart.MalformedFormError, RefusedError) as refusal:
            return failed(str(refusal), 400)
        return Response(status_code=200)

    async def add_slash(self, request: Request) -> Response:
        """The simple index's pages end in a slash, as links in them are relative to it."""
        return RedirectResponse(f"{request.url.path}/", 301)

    async def simple(self, request: Request) -> Response:
        """`GET /simple/NAME/`, JSON (PEP 691) or HTML (PEP 503) by `Accept`."""
        name = canonicalize_name(request.path_params["name"])
        host = f"{request.url.scheme}://{request.url.netloc}/pypi"
        if records := shown.records(self.storage, name):
            return pypi_pages.simple_page(
                request,
                name,
                [pypi_pages.simple_file(record, host) for record in records],
                pypi_pages.versions(records),
            )
        if (endpoints := self.upstream.endpoints(RegistryName.PYPI, name)) is None:
            return PlainTextResponse("404 Not Found\n", 404)
        try:
            page = await self.upstream.json(f"{endpoints.pypi}/simple/{name}/", pypi_pages.SIMPLE_JSON)
        except UpstreamError as error:
            return error.response
        if page is None:
            return PlainTextResponse("404 Not Found\n", 404)
        # Without a digest a file can't be kept by content: its address stays the upstream's.
        files = [pypi_pages.at_this_server(file, f"{host}/upstream/{name}") for file in page["files"]]
        return pypi_pages.simple_page(request, name, files, page.get("versions", []))

    async def project(self, request: Request) -> Response:
        """`GET /pypi/NAME/json`: the newest release's metadata and every release's files."""
        return await self._json(request, None)

    async def release(self, request: Request) -> Response:
        """`GET /pypi/NAME/VERSION/json`; versions that PEP 440 holds to be equal are one release."""
        return await self._json(request, request.path_params["version"])

    async def download(self, request: Request) -> Response:
        """An own file."""
        name, filename = canonicalize_name(request.path_params["name"]), request.path_params["filename"]
        if record := self.storage.record(name, filename):
            return FileResponse(self.storage.file(record["sha256"]), media_type=WHEEL)
        return PlainTextResponse("404 Not Found\n", 404)

    async def upstream_download(self, request: Request) -> Response:
        """An upstream's file by its digest. Where it lies is looked up in the index, and only if it is not kept.

        `NAME.whl.metadata` is that file's metadata (PEP 658), whose digest is not in the path.
        """
        name, sha256, filename = (request.path_params[part] for part in ("name", "sha256", "filename"))
        if (endpoints := self.upstream.endpoints(RegistryName.PYPI, name)) is None:
            return PlainTextResponse("404 Not Found\n", 404)
        is_metadata = filename.endswith(".metadata")
        if not is_metadata and (kept := self.upstream.kept_digest(sha256)):
            return FileResponse(kept, media_type=WHEEL)
        try:
            page = await self.upstream.json(
                f"{endpoints.pypi}/simple/{canonicalize_name(name)}/", pypi_pages.SIMPLE_JSON
            )
        except UpstreamError as error:
            return error.response
        for file in page["files"] if page else []:
            if file["filename"] == filename.removesuffix(".metadata") and file["hashes"].get("sha256") == sha256:
                url = file["url"].partition("#")[0]
                if is_metadata:
                    return await self.upstream.file(f"{url}.metadata", WHEEL)
                return await self.upstream.file(url, WHEEL, sha256)
        return PlainTextResponse("404 Not Found\n", 404)

    async def _json(self, request: Request, version: str | None) -> Response:
        name = canonicalize_name(request.path_params["name"])
        host = f"{request.url.scheme}://{request.url.netloc}/pypi"
        if records := shown.records(self.storage, name):
            document = pypi_pages.project(records, host, version, self.storage.owner(name))
            return JSONResponse(document) if document else JSONResponse({"message": "Not Found"}, 404)
        if (endpoints := self.upstream.endpoints(RegistryName.PYPI, name)) is None:
            return JSONResponse({"message": "Not Found"}, 404)
        tail = f"{version}/json" if version else "json"
        return await self.upstream.page(f"{endpoints.pypi}/pypi/{name}/{tail}", request.headers)
