"""A RubyGems host: push, versions API, compact index, specifications, downloads. Below `/rubygems`."""

import subprocess
from dataclasses import asdict, dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tasker_release_pipeline.loopback import access, compact_index, gem_answers, gem_archive, gem_marshal, shown
from tasker_release_pipeline.loopback.names import canonical
from tasker_release_pipeline.loopback.passthrough import PassThrough, UpstreamError
from tasker_release_pipeline.loopback.refusal import RefusedError
from tasker_release_pipeline.loopback.storage import Record, Storage, now, replace
from tasker_release_pipeline.release.endpoints import RegistryName

DENIED = "Access Denied. Please sign up for an account"
NOT_FOUND = "This rubygem could not be found."
# The public registry answers 200 to the same bytes from the same API key. Keys of trusted publishing live for one
# push, so that a release which pushes again meets this refusal whatever its bytes: hence always the refusal.
REPUSHED = (
    "Repushing of gem versions is not allowed.\n"
    "Please use `gem yank` to remove bad gem releases, and push a new version.\n"
    "Please bump the version number and push a new different release."
)


def key(name: str) -> str:
    """The key that a gem's records lie under."""
    return canonical(RegistryName.RUBYGEMS, name)


def accept(storage: Storage, data: bytes) -> Record:
    """Publish a gem. Raises `RefusedError` if its version is taken, `UnreadableGemError` if it can't be read."""
    spec = gem_archive.read(data)
    held = storage.records(key(spec.name))
    if held and held[0]["name"] != spec.name:
        raise RefusedError("Unable to change case of gem name with indexed versions", 409)
    record = asdict(spec) | {
        "number": spec.number,
        "filename": f"{spec.full_name}.gem",
        "sha256": storage.keep(data),
        "size": len(data),
        "created_at": now(),
    }
    canonical_number = f"{gem_archive.canonical_version(spec.version)}-{spec.platform}"
    if not storage.commit(key(spec.name), canonical_number, record):
        taken = storage.record(key(spec.name), canonical_number) or record
        if taken["version"] == spec.version:
            raise RefusedError(REPUSHED, 409)
        message = f"Number has already been taken. Existing version: {taken['version']}"
        raise RefusedError(f"There was a problem saving your gem: {message}", 403)
    return record


@dataclass(frozen=True)
class RubyGems:
    """The registry over one folder."""

    storage: Storage
    token: str
    upstream: PassThrough

    def routes(self) -> list[Route]:
        """The routes below `/rubygems`."""
        return [
            # gem asks with HEAD whether the host knows the compact index, and falls back to `specs.4.8.gz` if not.
            Route("/", self.front),
            Route("/api/v1/gems", self.push, methods=["POST"]),
            Route("/api/v1/gems/{name}/owners.json", self.owners),
            Route("/api/v1/gems/{name}.json", self.gem),
            Route("/api/v1/versions/{name}.json", self.versions_api),
            Route("/versions", self.versions),
            Route("/names", self.names),
            Route("/info/{name}", self.info),
            Route("/gems/{file}.gem", self.download),
            Route("/quick/Marshal.4.8/{file}.gemspec.rz", self.specification),
            Route("/{kind}.4.8.gz", self.specs),
        ]

    async def front(self, _: Request) -> Response:
        """That this is a RubyGems host."""
        return PlainTextResponse("rubygems on loopback\n")

    async def push(self, request: Request) -> Response:
        """`POST /api/v1/gems`, the gem as the raw body, the key bare in `Authorization`."""
        if not access.is_token(access.bare(request), self.token):
            return PlainTextResponse(DENIED, 401)
        try:
            record = await run_in_threadpool(accept, self.storage, await request.body())
        except RefusedError as refusal:
            return PlainTextResponse(str(refusal), refusal.status)
        except gem_archive.UnreadableGemError as error:
            help_text = "Please try rebuilding it and installing it locally to make sure it's valid."
            return PlainTextResponse(f"RubyGems cannot process this gem.\n{help_text}\nError:\n{error}\n", 422)
        return PlainTextResponse(f"Successfully registered gem: {record['name']} ({record['number']})")

    async def gem(self, request: Request) -> Response:
        """`GET /api/v1/gems/NAME.json`: the newest version, a release before a pre-release."""
        name = request.path_params["name"]
        if records := shown.records(self.storage, key(name)):
            released = [record for record in records if not gem_archive.is_prerelease(record["version"])]
            return JSONResponse(
                gem_answers.gem((released or records)[-1], f"{request.url.scheme}://{request.url.netloc}")
            )
        return await self._pass_on(request, name)

    async def versions_api(self, request: Request) -> Response:
        """`GET /api/v1/versions/NAME.json`: one entry for each file, newest first."""
        name = request.path_params["name"]
        if records := shown.records(self.storage, key(name)):
            return JSONResponse([gem_answers.version(record) for record in reversed(records)])
        return await self._pass_on(request, name)

    async def owners(self, request: Request) -> Response:
        """`GET /api/v1/gems/NAME/owners.json`: whose the gem is."""
        name = request.path_params["name"]
        if self.storage.records(key(name)):
            return JSONResponse([{"id": 1, "handle": self.storage.owner(key(name))}])
        return await self._pass_on(request, name)

    async def versions(self, request: Request) -> Response:
        """`versions`: with an upstream, its gems as well, as Bundler takes no gem that is not listed here."""
        upstream = ""
        if self.upstream.upstream is not None:
            try:
                url = f"{self.upstream.upstream.rubygems}/versions"
                upstream = await self.upstream.text_kept(url, "rubygems-versions")
            except UpstreamError as error:
                return error.response
        hidden = {key(name) for name in self.upstream.reserved.get(RegistryName.RUBYGEMS, frozenset())}
        return self._text(request, await run_in_threadpool(compact_index.versions, self._held(), upstream, hidden))

    async def names(self, request: Request) -> Response:
        """`names`: what is held here; no client resolves by it."""
        return self._text(request, compact_index.names(self._held()))

    async def info(self, request: Request) -> Response:
        """`info/NAME`."""
        name = request.path_params["name"]
        if records := shown.records(self.storage, key(name)):
            return self._text(request, compact_index.info(records))
        return await self._pass_on(request, name)

    async def download(self, request: Request) -> Response:
        """The gem, own or the upstream's."""
        file = request.path_params["file"]
        if record := self._by_full_name(file):
            return FileResponse(self.storage.file(record["sha256"]), media_type="application/octet-stream")
        return await self._pass_file_on(f"gems/{file}.gem", file)

    async def specification(self, request: Request) -> Response:
        """`N-V.gemspec.rz`, made on the first request and kept."""
        file = request.path_params["file"]
        if not (record := self._by_full_name(file)):
            return await self._pass_file_on(f"quick/Marshal.4.8/{file}.gemspec.rz", file)
        path = self.storage.derived(f"{record['sha256']}.gemspec.rz")
        if not path.is_file():
            try:
                made = await run_in_threadpool(gem_marshal.specification, self.storage.file(record["sha256"]))
            except (OSError, subprocess.SubprocessError) as error:
                return PlainTextResponse(f"ruby could not read the specification of {file}: {error}\n", 500)
            replace(path, made)
        return FileResponse(path, media_type="application/octet-stream")

    async def specs(self, request: Request) -> Response:
        """`[latest_|prerelease_]specs.4.8.gz`, for `gem list --remote` and `gem fetch`: own gems only."""
        kind = request.path_params["kind"]
        if kind not in ("specs", "latest_specs", "prerelease_specs"):
            return PlainTextResponse("not found\n", 404)
        rows = [
            (record["name"], record["version"], record["platform"])
            for records in self._held().values()
            for record in (self._latest(records) if kind == "latest_specs" else records)
            if gem_archive.is_prerelease(record["version"]) == (kind == "prerelease_specs")
        ]
        try:
            made = await run_in_threadpool(gem_marshal.index, rows)
        except (OSError, subprocess.SubprocessError) as error:
            return PlainTextResponse(f"ruby could not write the index: {error}\n", 500)
        return Response(made, media_type="application/octet-stream")

    def _held(self) -> dict[str, list[Record]]:
        found = (shown.records(self.storage, package) for package in self.storage.packages())
        return {records[0]["name"]: records for records in found if records}

    def _latest(self, records: list[Record]) -> list[Record]:
        """The last published release of each platform."""
        released = [record for record in records if not gem_archive.is_prerelease(record["version"])]
        return list({record["platform"]: record for record in released}.values())

    def _by_full_name(self, file: str) -> Record | None:
        """The record of `NAME-NUMBER[-PLATFORM]`; where the name ends only the holdings say."""
        for at, letter in enumerate(file):
            if letter == "-" and file[at + 1 : at + 2].isdigit():
                for record in self.storage.records(key(file[:at])):
                    if record["filename"] == f"{file}.gem":
                        return record
        return None

    async def _pass_on(self, request: Request, name: str) -> Response:
        endpoints = self.upstream.endpoints(RegistryName.RUBYGEMS, name)
        if endpoints is None:
            return PlainTextResponse(NOT_FOUND, 404)
        path = request.url.path.removeprefix("/rubygems")
        return await self.upstream.page(f"{endpoints.rubygems}{path}", request.headers)

    async def _pass_file_on(self, path: str, file: str) -> Response:
        """Every way to split the file's name is checked: no reading of it may be one of our own gems."""
        splits = [file[:at] for at, letter in enumerate(file) if letter == "-" and file[at + 1 : at + 2].isdigit()]
        endpoints = None
        for name in splits:
            endpoints = self.upstream.endpoints(RegistryName.RUBYGEMS, name)
            if endpoints is None or self.storage.records(key(name)):
                return PlainTextResponse(NOT_FOUND, 404)
        if endpoints is None:
            return PlainTextResponse(NOT_FOUND, 404)
        return await self.upstream.file(f"{endpoints.rubygems}/{path}", "application/octet-stream")

    def _text(self, request: Request, text: str) -> Response:
        """Bundler takes the ETag for the text's MD5, and refuses a text with another one."""
        etag = f'"{compact_index.md5(text)}"'
        headers = {"etag": etag, "cache-control": "no-cache"}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return PlainTextResponse(text, headers=headers)
