"""The exchanges of ID tokens for tokens of the registries, each in its registry's own form.

/cargo      POST /api/v1/trusted_publishing/tokens, DELETE revokes
/rubygems   POST /api/v1/oidc/trusted_publisher/exchange_token
/pypi       GET /_/oidc/audience, POST /_/oidc/mint-token
/npm        POST /-/npm/v1/oidc/token/exchange/package/NAME

Sources: https://github.com/rust-lang/crates.io `controllers/trustpub`, https://github.com/rubygems/rubygems.org
`oidc/trusted_publisher_controller`, https://github.com/pypi/warehouse `oidc/views.py`, npm's `lib/utils/oidc.js`.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tasker_release_pipeline.loopback import access, crates_io, oidc_trust
from tasker_release_pipeline.loopback.names import canonical
from tasker_release_pipeline.loopback.oidc_trust import DeniedError, Grant, Publisher, Reason
from tasker_release_pipeline.loopback.storage import Storage
from tasker_release_pipeline.release.endpoints import RegistryName

PYPI_AUDIENCE = "loopback-pypi"


@dataclass(frozen=True)
class Exchanges:
    """The exchanges of the registries over one folder."""

    root: Path

    def routes(self, registry: RegistryName) -> list[Route]:
        """One registry's routes, below its mount."""
        tokens = "/api/v1/trusted_publishing/tokens"
        return {
            RegistryName.CRATES_IO: [
                Route(tokens, crates_io.identified(self.crates_io), methods=["POST"]),
                Route(tokens, crates_io.identified(self.revoke), methods=["DELETE"]),
            ],
            RegistryName.RUBYGEMS: [
                Route("/api/v1/oidc/trusted_publisher/exchange_token", self.rubygems, methods=["POST"])
            ],
            RegistryName.PYPI: [
                Route("/_/oidc/audience", self.audience),
                Route("/_/oidc/mint-token", self.pypi, methods=["POST"]),
            ],
            RegistryName.NPM: [
                Route("/-/npm/v1/oidc/token/exchange/package/{name:path}", self.npm, methods=["POST"]),
            ],
        }[registry]

    async def crates_io(self, request: Request) -> Response:
        """A token for all crates whose publisher matches. A crate that does not exist has none."""
        jwt = await _field(request, "jwt")
        try:
            token, _ = await self._mint(RegistryName.CRATES_IO, jwt, request.url.hostname or "", "cio_tp_")
        except DeniedError as denied:
            return crates_io.refused(str(denied), 400)
        return JSONResponse({"token": token})

    async def revoke(self, request: Request) -> Response:
        """Revoke the token that asks for it."""
        if oidc_trust.revoke(self.root, access.bearer(request)):
            return Response(status_code=204)
        return crates_io.refused("Invalid authentication token", 401)

    async def rubygems(self, request: Request) -> Response:
        """An API key for pushing. RubyGems gives no reasons: it does not find a publisher, whatever was wrong."""
        jwt = await _field(request, "jwt")
        try:
            token, grant = await self._mint(RegistryName.RUBYGEMS, jwt, request.url.hostname or "", "rubygems_")
        except DeniedError:
            return PlainTextResponse("Not Found", 404)
        ends = datetime.fromtimestamp(grant.expires_at, UTC).isoformat()
        return JSONResponse({"rubygems_api_key": token, "scopes": ["push_rubygem"], "expires_at": ends}, 201)

    async def audience(self, _: Request) -> Response:
        """Whom an ID token has to be for."""
        return JSONResponse({"audience": PYPI_AUDIENCE})

    async def pypi(self, request: Request) -> Response:
        """A token for the projects whose publisher matches."""
        jwt = await _field(request, "token")
        try:
            token, grant = await self._mint(RegistryName.PYPI, jwt, PYPI_AUDIENCE, "pypi-AgEIcHlwaS5vcmc")
        except DeniedError as denied:
            code, description = {
                Reason.TOKEN: ("invalid-token", "malformed or invalid token"),
                Reason.REUSED: ("invalid-reuse-token", "invalid token: already used"),
                Reason.PUBLISHER: (
                    "invalid-publisher",
                    "valid token, but no corresponding publisher (Publisher with matching claims was not found)",
                ),
            }[denied.reason]
            errors = [{"code": code, "description": description}]
            return JSONResponse({"message": "Token request failed", "errors": errors}, 422)
        return JSONResponse({"success": True, "token": token, "expires": int(grant.expires_at)})

    async def npm(self, request: Request) -> Response:
        """A token for one package. npm gives one reason for all that does not match, and for a package it lacks."""
        jwt, name = access.bearer(request), request.path_params["name"]
        try:
            token, grant = await self._mint(RegistryName.NPM, jwt, f"npm:{request.url.hostname}", "npm_", name)
        except DeniedError as denied:
            if denied.reason is Reason.PUBLISHER:
                return _npm_refused("OIDC token exchange error - package not found", 404)
            return _npm_refused("OIDC token exchange error - unauthorized", 401)
        ends = datetime.fromtimestamp(grant.expires_at, UTC).isoformat()
        return JSONResponse({"token_type": "oidc", "token": token, "expires": ends}, 201)

    async def _mint(
        self, registry: RegistryName, jwt: str, audience: str, prefix: str, package: str = ""
    ) -> tuple[str, Grant]:
        def exchange() -> tuple[str, Grant]:
            among = [p for p in self._publishers(registry) if not package or p.package == package]
            found = oidc_trust.admitted(self.root, jwt, audience, among)
            return oidc_trust.mint(self.root, prefix, registry, [p.package for p in found])

        return await run_in_threadpool(exchange)

    def _publishers(self, registry: RegistryName) -> list[Publisher]:
        """Those that can exist: RubyGems and PyPI keep pending ones, the others need the package first."""
        whom = oidc_trust.trusted(self.root)
        mine = [p for p in whom.publishers if p.registry is registry] if whom else []
        if registry in (RegistryName.RUBYGEMS, RegistryName.PYPI):
            return mine
        storage = Storage(self.root, registry)
        return [p for p in mine if storage.records(canonical(registry, p.package))]


async def _field(request: Request, name: str) -> str:
    try:
        return str(json.loads(await request.body())[name])
    except (ValueError, KeyError, TypeError):
        return ""


def _npm_refused(message: str, status: int) -> Response:
    return JSONResponse({"message": message}, status)
