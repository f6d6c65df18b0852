"""The registries behind a real socket, in a thread of this process."""

import asyncio
import itertools
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from tasker_release_pipeline.loopback.app import registries_app
from tasker_release_pipeline.loopback.dropping import DroppingProtocol
from tasker_release_pipeline.loopback.faults import Fault
from tasker_release_pipeline.loopback.names import Reserved
from tasker_release_pipeline.loopback.orders import order
from tasker_release_pipeline.release.endpoints import Endpoints
from tasker_release_pipeline.release.errors import UnavailableError

START_LIMIT = 60.0
# Seconds that requests under way get when the server stops; then their connections are dropped.
GRACE = 2
STOP_LIMIT = 15.0
_TICK_SECONDS = 0.1  # uvicorn's own
_ROUNDS = 10  # of the loop, within which an idle connection is closed


@dataclass(frozen=True)
class LoopbackRegistries:
    """Running registries: where they answer, the token they all accept, the folder that holds their state."""

    endpoints: Endpoints
    token: str = field(repr=False)
    root: Path


class _Server(uvicorn.Server):
    """Says when it is ready, or has given up, and stops at once. In a thread uvicorn leaves signals alone by itself."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()
        self._wake: Callable[[], object] = lambda: None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.settled.set()

    async def main_loop(self) -> None:
        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        self._wake = lambda: loop.call_soon_threadsafe(woken.set)
        for tick in itertools.count():
            if await self.on_tick(tick):
                return
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(woken.wait(), _TICK_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in list(self.server_state.connections):
            connection.shutdown()
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)
        if self.server_state.connections or self.server_state.tasks:  # requests under way
            await super().shutdown(sockets)
            return
        for server in self.servers:
            server.close()
        await self.lifespan.shutdown()

    def stop(self) -> None:
        """End it, from another thread. Each step of a rehearsal waits for that."""
        self.should_exit = True
        with suppress(RuntimeError):  # it has ended by itself
            self._wake()

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            super().run(sockets)
        finally:
            self.settled.set()


def loopback_endpoints(port: int) -> Endpoints:
    """The addresses of the registries on this port."""
    host = f"http://127.0.0.1:{port}"
    return Endpoints(
        cargo_index=f"{host}/cargo/index",
        cargo_api=f"{host}/cargo",
        rubygems=f"{host}/rubygems",
        pypi=f"{host}/pypi",
        pypi_upload=f"{host}/pypi/legacy/",
        npm=f"{host}/npm",
    )


@contextmanager
def serve(
    root: Path,
    *,
    reserved: Reserved,
    upstream: Endpoints | None = None,
    cache: Path | None = None,
    token: str | None = None,
    port: int = 0,
    log: bool = False,
    faults: Sequence[Fault] = (),
) -> Iterator[LoopbackRegistries]:
    """Serve the folder `root` on 127.0.0.1 until the block ends.

    Several servers, in this process or in others, may serve one root. `token` None makes a new secret, `port` 0 takes a
    free one, `log` prints a line for each request. `faults` are ordered first, for all servers over `root`. Raises
    `UnavailableError` if the server does not start.
    """
    root.mkdir(parents=True, exist_ok=True)
    for fault in faults:
        order(root, fault)
    secret = token or secrets.token_urlsafe(32)
    app = registries_app(root, reserved=reserved, upstream=upstream, cache=cache, token=secret)
    with running(app, what=f"loopback registries over {root}", port=port, log=log) as address:
        yield LoopbackRegistries(loopback_endpoints(address), secret, root)


@contextmanager
def running(app: Starlette, *, what: str, port: int = 0, log: bool = False) -> Iterator[int]:
    """Run an application on 127.0.0.1 until the block ends; its port. `what` names it if it does not start."""
    # Bound here and handed over, so that the port is known and nobody else can take it in between.
    bound = socket.create_server(("127.0.0.1", port), backlog=128)
    # Connections inherit it; without it each answer on a kept connection waits 40 ms for the client's acknowledgement.
    bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(
        app,
        loop="asyncio",
        http=DroppingProtocol,
        ws="none",
        lifespan="on",
        # Below errors stays silent: cargo offers HTTP/2 with each request, and uvicorn would warn of each.
        log_level=None if log else "error",
        access_log=log,
        timeout_graceful_shutdown=GRACE,
        log_config=uvicorn.config.LOGGING_CONFIG if log else None,
    )
    server = _Server(config)
    thread = threading.Thread(target=server.run, args=([bound],), name="loopback-registries", daemon=True)
    thread.start()
    try:
        if not server.settled.wait(START_LIMIT) or not server.started:
            raise UnavailableError(f"the {what} did not start")
        yield bound.getsockname()[1]
    finally:
        server.stop()
        thread.join(STOP_LIMIT)
        bound.close()
