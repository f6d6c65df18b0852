"""What receives messages, on loopback: somebody's webhook, and Slack's API."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

HOOK = "/services/T0/secret-part-of-the-address"
TOKEN = "xoxb-a-secret-token"
CHANNEL = "#releases"


@dataclass
class Receiver:
    """`hooked`: the bodies that came to the webhook; `posted`: to Slack. `statuses`: its next answers, then 200."""

    port: int
    hooked: list[dict[str, Any]] = field(default_factory=list)
    posted: list[dict[str, str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    slack: dict[str, Any] = field(default_factory=lambda: {"ok": True})

    @property
    def webhook(self) -> dict[str, str]:
        return {"TASKER_RELEASE_WEBHOOK_URL": f"http://127.0.0.1:{self.port}{HOOK}"}

    @property
    def chat(self) -> dict[str, str]:
        return {
            "TASKER_RELEASE_SLACK_TOKEN": TOKEN,
            "TASKER_RELEASE_SLACK_CHANNEL": CHANNEL,
            "TASKER_RELEASE_SLACK_API": f"http://127.0.0.1:{self.port}/api",
        }

    def take(self, path: str, token: str, body: bytes) -> tuple[int, bytes]:
        if path == HOOK:
            status = self.statuses.pop(0) if self.statuses else 200
            if status == 200:
                self.hooked.append(json.loads(body))
            return status, b"{}"
        if path == "/api/chat.postMessage" and token == f"Bearer {TOKEN}":
            said = json.loads(body) if body.startswith(b"{") else {n: v[0] for n, v in parse_qs(body.decode()).items()}
            self.posted.append(said)
            return 200, json.dumps(self.slack).encode()
        return 404, b"{}"


@contextmanager
def receiving() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = receiver.take(self.path, self.headers.get("Authorization", ""), body)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(server.server_port)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
