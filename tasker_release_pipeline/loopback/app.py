"""The four registries as one ASGI application.

/cargo      cargo registry: index below /cargo/index, API below /cargo/api/v1
/rubygems   RubyGems host
/pypi       PyPI: upload /pypi/legacy/, index /pypi/simple/NAME/, JSON API /pypi/pypi/NAME/json
/npm        npm registry
/           what they hold, for people; /_holdings the same as JSON
/_faults    the faults that are ordered
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount, Route

from tasker_release_pipeline.loopback import accounts, fault_admin, holdings
from tasker_release_pipeline.loopback.crates_io import CratesIo
from tasker_release_pipeline.loopback.fault_middleware import Faults
from tasker_release_pipeline.loopback.names import Reserved
from tasker_release_pipeline.loopback.npm import Npm
from tasker_release_pipeline.loopback.oidc import Exchanges
from tasker_release_pipeline.loopback.oidc_access import MintedTokens
from tasker_release_pipeline.loopback.passthrough import PassThrough
from tasker_release_pipeline.loopback.pypi import PyPI
from tasker_release_pipeline.loopback.rubygems import RubyGems
from tasker_release_pipeline.loopback.storage import Storage
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName


def registries_app(
    root: Path,
    *,
    reserved: Reserved,
    upstream: Endpoints | None,
    cache: Path | None,
    token: str,
    middleware: Sequence[Middleware] = (),
) -> Starlette:
    """The registries over the folder `root`.

    `reserved` names are never passed on. `upstream` None passes nothing on: what is not held is a 404. `cache` keeps
    the upstream's files. `token` is what all four accept, beside those that they mint for trusted publishers (see
    `oidc_trust`). `middleware` stands before all routes and sees each request with its path as listed above.
    """
    if not token:
        raise ValueError("an empty token would accept requests without one")
    passthrough = PassThrough(upstream, reserved, cache)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await passthrough.aclose()

    crates_io = CratesIo(Storage(root, RegistryName.CRATES_IO), token, passthrough)
    rubygems = RubyGems(Storage(root, RegistryName.RUBYGEMS), token, passthrough)
    pypi = PyPI(Storage(root, RegistryName.PYPI), token, passthrough)
    npm = Npm(Storage(root, RegistryName.NPM), token, passthrough)
    exchanges = Exchanges(root)

    def identity(registry: RegistryName) -> list[Route]:
        return [*exchanges.routes(registry), *accounts.routes(registry, token)]

    return Starlette(
        routes=[
            Mount("/cargo", routes=[*identity(RegistryName.CRATES_IO), *crates_io.routes()]),
            Mount("/rubygems", routes=[*identity(RegistryName.RUBYGEMS), *rubygems.routes()]),
            Mount("/pypi", routes=[*identity(RegistryName.PYPI), *pypi.routes()]),
            Mount("/npm", routes=[*identity(RegistryName.NPM), *npm.routes()]),
            *holdings.routes(root),
            *fault_admin.routes(root),
        ],
        middleware=[*middleware, Middleware(Faults, root), Middleware(MintedTokens, root, token)],
        lifespan=lifespan,
    )
