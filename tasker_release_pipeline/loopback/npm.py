"""An npm registry: publish, packuments, tarballs, dist-tags. Below `/npm`.

Protocol: https://github.com/npm/registry/blob/main/docs/REGISTRY-API.md. A scoped name comes as `@scope%2fname` or as
`@scope/name`; servers see both as `@scope/name`, so that paths are read here and not by the router.
"""

import json
from dataclasses import dataclass
from typing import Any

import semver
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from tasker_release_pipeline.loopback import access, npm_publish, shown
from tasker_release_pipeline.loopback.passthrough import PassThrough, UpstreamError
from tasker_release_pipeline.loopback.refusal import RefusedError
from tasker_release_pipeline.loopback.storage import OWNER, Record, Storage
from tasker_release_pipeline.release.endpoints import RegistryName

ABBREVIATED = "application/vnd.npm.install-v1+json"
ABBREVIATED_FIELDS = frozenset(
    [
        "name",
        "version",
        "deprecated",
        "dependencies",
        "optionalDependencies",
        "devDependencies",
        "bundleDependencies",
        "peerDependencies",
        "peerDependenciesMeta",
        "acceptDependencies",
        "bin",
        "directories",
        "dist",
        "engines",
        "cpu",
        "os",
        "libc",
        "funding",
        "hasInstallScript",
        "_hasShrinkwrap",
    ]
)
TARBALL = "application/octet-stream"


def failed(message: str, status: int) -> JSONResponse:
    """An error in the form that npm prints."""
    return JSONResponse({"error": message}, status)


def not_found() -> JSONResponse:
    """The answer for what is neither held nor passed on."""
    return failed("Not found", 404)


def split(path: str) -> tuple[str, str]:
    """The package's name at the path's beginning, and the rest without a slash."""
    parts = path.strip("/").split("/")
    length = 2 if parts[0].startswith("@") else 1
    return "/".join(parts[:length]), "/".join(parts[length:])


@dataclass(frozen=True)
class Npm:
    """The registry over one folder."""

    storage: Storage
    token: str
    upstream: PassThrough

    def routes(self) -> list[Route]:
        """The routes below `/npm`."""
        return [
            Route("/-/ping", self.ping),
            Route("/-/whoami", self.whoami),
            Route("/-/package/{path:path}", self.package, methods=["GET", "PUT", "POST", "DELETE"]),
            Route("/-/{path:path}", self.unknown, methods=["GET", "PUT", "POST", "DELETE"]),
            Route("/{path:path}", self.read),
            Route("/{path:path}", self.publish, methods=["PUT"]),
        ]

    async def ping(self, _: Request) -> Response:
        """`npm ping`."""
        return JSONResponse({})

    async def whoami(self, request: Request) -> Response:
        """`npm whoami`: whether the token is good, without an effect."""
        return self._unauthorized(request) or JSONResponse({"username": OWNER})

    async def unknown(self, _: Request) -> Response:
        """What this registry does not have: audits, search, accounts."""
        return not_found()

    async def publish(self, request: Request) -> Response:
        """`PUT /NAME`."""
        if refused := self._unauthorized(request):
            return refused
        name, rest = split(request.path_params["path"])
        if rest:
            return not_found()
        try:
            upload = await run_in_threadpool(npm_publish.parse, name, await request.body())
            await run_in_threadpool(npm_publish.accept, self.storage, upload)
        except RefusedError as refusal:
            return failed(str(refusal), refusal.status)
        return JSONResponse({"ok": True, "success": True}, 201)

    async def read(self, request: Request) -> Response:
        """A packument (`/NAME`), one version's manifest (`/NAME/VERSION-OR-TAG`) or a tarball (`/NAME/-/FILE`)."""
        name, rest = split(request.path_params["path"])
        if rest.startswith("-/"):
            return await self._tarball(name, rest.removeprefix("-/"))
        records = shown.records(self.storage, name)
        if not records:
            return await self._pass_on(request, name, rest)
        document = self._packument(request, records)
        if rest:
            version = document["dist-tags"].get(rest, rest)
            found = document["versions"].get(version)
            return JSONResponse(found) if found else failed(f"version not found: {rest}", 404)
        return self._in_asked_form(request, document)

    async def package(self, request: Request) -> Response:
        """`/-/package/NAME/dist-tags[/TAG]` and `/-/package/NAME/collaborators`."""
        name, rest = split(request.path_params["path"])
        what, _, tag = rest.partition("/")
        if not (records := self.storage.records(name)):
            if request.method != "GET" or not (endpoints := self.upstream.endpoints(RegistryName.NPM, name)):
                return not_found()
            return await self.upstream.page(
                f"{endpoints.npm}/-/package/{name.replace('/', '%2f')}/{rest}", request.headers
            )
        if request.method == "GET" and rest == "dist-tags":
            return JSONResponse(self._tags(name, records))
        if request.method == "GET" and rest == "collaborators":
            return JSONResponse({self.storage.owner(name): "write"})
        if what != "dist-tags" or not tag or request.method == "GET":
            return not_found()
        return self._unauthorized(request) or await self._set_tag(request, name, tag)

    async def _set_tag(self, request: Request, name: str, tag: str) -> Response:
        """The body of a PUT is the version as a JSON string. `latest` can be moved, never removed."""
        if request.method == "DELETE":
            if tag == "latest":
                return failed("Cannot delete the latest tag", 400)
            self.storage.untag(name, tag)
            return JSONResponse({"ok": True})
        try:
            version = json.loads(await request.body())
        except ValueError:
            version = None
        if not isinstance(version, str) or not self.storage.record(name, version):
            return failed(f"version not found: {version}", 404)
        if semver.Version.is_valid(tag):
            return failed(f"a tag can't be a version: {tag}", 400)
        self.storage.tag(name, tag, version)
        return JSONResponse({"ok": True}, 201)

    async def _tarball(self, name: str, file: str) -> Response:
        records = self.storage.records(name)
        for record in records:
            if record["filename"] == file:
                return FileResponse(self.storage.file(record["sha256"]), media_type=TARBALL)
        endpoints = self.upstream.endpoints(RegistryName.NPM, name)
        if records or endpoints is None:
            return not_found()
        return await self.upstream.file(f"{endpoints.npm}/{name}/-/{file}", TARBALL)

    async def _pass_on(self, request: Request, name: str, rest: str) -> Response:
        """The upstream's packument, with the tarballs' addresses here."""
        if (endpoints := self.upstream.endpoints(RegistryName.NPM, name)) is None:
            return not_found()
        url = f"{endpoints.npm}/{name.replace('/', '%2f')}"
        if rest:
            return await self.upstream.page(f"{url}/{rest}", request.headers)
        try:
            document = await self.upstream.json(url, request.headers.get("accept", "application/json"))
        except UpstreamError as error:
            return error.response
        if document is None:
            return not_found()
        for manifest in document.get("versions", {}).values():
            file = manifest["dist"]["tarball"].rpartition("/")[2]
            manifest["dist"]["tarball"] = self._address(request, name, file)
        return self._in_asked_form(request, document)

    def _packument(self, request: Request, records: list[Record]) -> dict[str, Any]:
        name = records[0]["name"]
        versions = {}
        for record in records:
            address = {"tarball": self._address(request, name, record["filename"])}
            versions[record["version"]] = record["manifest"] | {"dist": record["manifest"]["dist"] | address}
        time = {"created": records[0]["created_at"], "modified": records[-1]["created_at"]}
        return {
            "_id": name,
            "name": name,
            "description": records[-1]["manifest"].get("description"),
            "dist-tags": self._tags(name, records),
            "versions": versions,
            "time": time | {record["version"]: record["created_at"] for record in records},
            "maintainers": [{"name": self.storage.owner(name)}],
        }

    def _tags(self, name: str, records: list[Record]) -> dict[str, str]:
        """The dist-tags, but for those of versions that are held and not among `records`, as they are not shown yet.

        A package always has a `latest`, as on the public registry: until one is set it is the first version, whatever
        tag that was published with.
        """
        hidden = {record["version"] for record in self.storage.records(name)} - {
            record["version"] for record in records
        }
        tags = {tag: version for tag, version in self.storage.tags(name).items() if version not in hidden}
        return {"latest": records[0]["version"]} | tags

    def _in_asked_form(self, request: Request, document: dict[str, Any]) -> Response:
        headers = {"cache-control": "no-cache", "vary": "accept"}
        if ABBREVIATED not in request.headers.get("accept", ""):
            return JSONResponse(document, headers=headers)
        versions = {
            version: {field: value for field, value in manifest.items() if field in ABBREVIATED_FIELDS}
            for version, manifest in document["versions"].items()
        }
        modified = document.get("modified") or document.get("time", {}).get("modified")
        short = {
            "name": document["name"],
            "modified": modified,
            "dist-tags": document["dist-tags"],
            "versions": versions,
        }
        return JSONResponse(short, headers=headers, media_type=ABBREVIATED)

    def _address(self, request: Request, name: str, file: str) -> str:
        return f"{request.url.scheme}://{request.url.netloc}/npm/{name}/-/{file}"

    def _unauthorized(self, request: Request) -> Response | None:
        if access.is_token(access.bearer(request), self.token):
            return None
        return failed("Unauthorized: you must be logged in with a valid token", 401)
