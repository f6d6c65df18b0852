"""Connections that break off: the server's protocol hands each request the means to cut its own."""

import asyncio

from starlette.types import Receive, Scope
from uvicorn.protocols.http.h11_impl import H11Protocol

_ABORT = "abort_connection"


class DroppingProtocol(H11Protocol):
    """uvicorn's protocol; the scope's `state` has the transport's `abort` beside what lifespan put there."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Keep the transport's `abort` for this connection's requests."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, _ABORT: transport.abort}


async def drop(scope: Scope, receive: Receive) -> None:
    """Break off the request's connection. Returns when the server knows, so that it misses no answer."""
    scope["state"][_ABORT]()
    while (await receive())["type"] != "http.disconnect":
        pass
