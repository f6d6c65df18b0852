"""Servers that give the answers a test wants, on a real socket."""

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
                dropped.append(1)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = bound.getsockname()[1]
        yield f"http://127.0.0.1:{port}", dropped
        with socket.create_connection(("127.0.0.1", port)):
            pass  # a connection without a word ends the server
        thread.join(10)
