"""Servers that give the answers a test wants, on a real socket."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tasker_release_pipeline.release.endpoints import Endpoints

Answer = Callable[[Request], Response]


@dataclass
class Answers:
    """What each path answers, one after the other, the last one for ever; and what was asked."""

    url: str
    paths: dict[str, list[Response]] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)

    def give(self, path: str, *answers: Response) -> str:
        self.paths[path] = list(answers)
        return self.url + path

    def endpoints(self) -> Endpoints:
        return Endpoints(
            cargo_index=f"{self.url}/index", cargo_api=self.url, rubygems=self.url, pypi=self.url,
            pypi_upload=f"{self.url}/legacy/", npm=self.url,
        )  # fmt: skip

    async def answer(self, request: Request) -> Response:
        self.asked.append(request)
        raw = request.scope["raw_path"].decode()
        answers = self.paths.get(raw, [PlainTextResponse("nothing here", 404)])
        return answers.pop(0) if len(answers) > 1 else answers[0]


def json_answer(document: object, kind: str = "application/json") -> Response:
    return JSONResponse(document, media_type=kind)


@contextmanager
def answering() -> Iterator[Answers]:
    """Serve until the block ends."""
    with socket.create_server(("127.0.0.1", 0)) as bound:
        answers = Answers(f"http://127.0.0.1:{bound.getsockname()[1]}")
        app = Starlette(routes=[Route("/{path:path}", answers.answer, methods=["GET", "POST", "PUT"])])
        config = uvicorn.Config(app, log_config=None, lifespan="off", loop="asyncio", http="h11", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([bound],), daemon=True)
        thread.start()
        try:
            yield answers
        finally:
            server.should_exit = True
            thread.join(10)


@contextmanager
def hanging_up() -> Iterator[tuple[str, list[int]]]:
    """A server that drops every connection after the request came; its address, and a list that grows with each."""
    dropped: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as bound:

        def serve() -> None:
            while True:
                try:
                    connection, _ = bound.accept()
                except OSError:
                    return
                with connection:
                    if not connection.recv(4096):
                        return
                    dropped.append(1)  # before the drop, which is when the other side goes on

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = bound.getsockname()[1]
        yield f"http://127.0.0.1:{port}", dropped
        with socket.create_connection(("127.0.0.1", port)):
            pass  # a connection without a word ends the server
        thread.join(10)


@contextmanager
def losing_answers(upstream: str) -> Iterator[str]:
    """A way to `upstream` on which uploads arrive, but their answers never come back; the address of that way.

    `upstream` is an address on loopback. Each connection is for one request, so that none is dropped by mistake.
    """
    host, port = upstream.removeprefix("http://").split(":")

    def carry(client: socket.socket) -> None:
        with client, socket.create_connection((host, int(port))) as server:
            head = b""
            while b"\r\n\r\n" not in head:
                if not (chunk := client.recv(65536)):
                    return
                head += chunk
            lines, _, body = head.partition(b"\r\n\r\n")
            server.sendall(lines + b"\r\nConnection: close\r\n\r\n" + body)
            threading.Thread(target=_pump, args=(client, server), daemon=True).start()
            lost = lines.startswith((b"PUT ", b"POST "))
            while chunk := server.recv(65536):
                if not lost:
                    client.sendall(chunk)
            client.shutdown(socket.SHUT_RDWR)  # closing alone would wait for the other direction's thread

    def serve() -> None:
        while True:
            try:
                client, _ = bound.accept()
            except OSError:
                return
            threading.Thread(target=carry, args=(client,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as bound:
        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"
        bound.shutdown(socket.SHUT_RDWR)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            sink.sendall(chunk)
