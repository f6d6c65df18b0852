"""What registries tell whoever asks with a token, without an effect: whether they know it."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tasker_release_pipeline.loopback import access, crates_io, rubygems
from tasker_release_pipeline.release.endpoints import RegistryName

# Both know the token, and have nothing for it here: crates.io takes a browser's session only, RubyGems a scope that a
# key for pushing lacks.
WEBSITE_ONLY = "this action can only be performed on the crates.io website"
NO_SCOPE = "This API key cannot perform the specified action on this gem."


def routes(registry: RegistryName, token: str) -> list[Route]:
    """The routes below a registry's mount."""
    if registry is RegistryName.CRATES_IO:
        return [Route("/api/v1/me", crates_io.identified(_me(token)))]
    if registry is RegistryName.RUBYGEMS:
        return [Route("/api/v1/gems.json", _gems(token))]
    return []


def _me(token: str) -> Callable[[Request], Awaitable[Response]]:
    async def me(request: Request) -> Response:
        known = access.is_token(access.bare(request), token)
        return crates_io.refused(WEBSITE_ONLY if known else "authentication failed", 403)

    return me


def _gems(token: str) -> Callable[[Request], Awaitable[Response]]:
    async def gems(request: Request) -> Response:
        if access.is_token(access.bare(request), token):
            return PlainTextResponse(NO_SCOPE, 403)
        return PlainTextResponse(rubygems.DENIED, 401)

    return gems
