"""Uploads with a token that was minted for a trusted publisher: let in for its own packages, until it expires."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tasker_release_pipeline.loopback import access, crates_io, npm, oidc_trust, pypi
from tasker_release_pipeline.loopback.fault_requests import asked, package_of
from tasker_release_pipeline.loopback.faults import RequestKind
from tasker_release_pipeline.loopback.names import canonical
from tasker_release_pipeline.loopback.storage import Storage
from tasker_release_pipeline.release.endpoints import RegistryName


class MintedTokens:
    """ASGI middleware: an upload with a minted token goes on with the registries' own; all else goes on as it came."""

    def __init__(self, app: ASGIApp, root: Path, token: str) -> None:
        self.app = app
        self.root = root
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        about = asked(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if about is None or about.kind is not RequestKind.UPLOAD:
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        grant = oidc_trust.grant_of(self.root, access.given(request))
        if grant is None or grant.registry is not about.registry:
            await self.app(scope, receive, send)
            return
        body = await request.body()
        content_type = request.headers.get("content-type", "")
        package = package_of(about.registry, content_type, body) if about.package is None else about.package
        if not grant.covers(package):
            held = Storage(self.root, about.registry).records(canonical(about.registry, package))
            await _not_covered(about.registry, package, bool(held))(scope, receive, send)
            return
        headers = [pair for pair in scope["headers"] if pair[0] != b"authorization"]
        headers.append((b"authorization", access.in_its_form(request, self.token).encode()))

        async def again() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app({**scope, "headers": headers}, again, send)


def _not_covered(registry: RegistryName, package: str, exists: bool) -> Response:
    """The registries' words for a good token of another package."""
    if registry is RegistryName.CRATES_IO:
        if not exists:
            return crates_io.refused(
                "Trusted Publishing tokens do not support creating new crates. Publish the crate manually, first", 403
            )
        return crates_io.refused(f"The provided access token is not valid for crate `{package}`", 403)
    if registry is RegistryName.PYPI:
        return pypi.failed(f"Invalid API Token: OIDC scoped token is not valid for project '{package}'", 403)
    if registry is RegistryName.NPM:
        return npm.failed(f'You do not have permission to publish "{package}".', 403)
    return PlainTextResponse("You do not have permission to push to this gem.", 403)
