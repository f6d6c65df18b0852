"""One folder, any number of servers; and what they show of it."""

import hashlib
import os
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tasker_release_pipeline.loopback.app import registries_app
from tasker_release_pipeline.loopback.server import LoopbackRegistries, serve
from tasker_release_pipeline.loopback.storage import create

from .packages import (
    crate,
    crate_body,
    gem,
    npm_document,
    npm_tarball,
    push_gem,
    put_crate,
    put_npm,
    upload_wheel,
    wheel,
    wheel_name,
)

Upload = Callable[[httpx.Client, LoopbackRegistries, str], httpx.Response]
UPLOADS: dict[str, Upload] = {
    "crates_io": lambda client, to, text: put_crate(
        client, to, crate_body("one", "1.0.0", crate("one", "1.0.0", text))
    ),
    "rubygems": lambda client, to, text: push_gem(client, to, gem("one", "1.0.0", text=text)),
    "pypi": lambda client, to, text: upload_wheel(
        client, to, wheel_name("one", "1.0.0"), wheel("one", "1.0.0", text=text)
    ),
    "npm": lambda client, to, text: put_npm(
        client, to, npm_document("one", "1.0.0", npm_tarball("one", "1.0.0", text))
    ),
}


@pytest.mark.parametrize("registry", UPLOADS)
def test_of_simultaneous_uploads_through_two_servers_exactly_one_wins(tmp_path, registry):
    with ExitStack() as stack:
        servers = [stack.enter_context(serve(tmp_path, reserved={}, token="secret")) for _ in range(2)]
        clients = [stack.enter_context(httpx.Client(timeout=30, trust_env=False)) for _ in range(8)]
        gate = threading.Barrier(len(clients))

        def upload(at: int) -> bool:
            gate.wait()
            answer = UPLOADS[registry](clients[at], servers[at % 2], f"content {at}")
            assert answer.status_code < 500, answer.text
            return answer.is_success

        with ThreadPoolExecutor(len(clients)) as pool:
            assert sum(pool.map(upload, range(len(clients)))) == 1
        shown = [httpx.get(f"http://127.0.0.1:{port_of(server)}/_holdings").json() for server in servers]
        assert shown[0] == shown[1]
        (file,) = shown[0][registry]["one"]["1.0.0"]
        assert (
            hashlib.sha256((tmp_path / "files" / file["sha256"][:2] / file["sha256"]).read_bytes()).hexdigest()
            == file["sha256"]
        )


def test_of_simultaneous_writers_of_one_record_exactly_one_wins(tmp_path):
    gate = threading.Barrier(16)

    def write(at: int) -> bool:
        gate.wait()
        return create(tmp_path / "record", str(at).encode() * 10_000)

    with ThreadPoolExecutor(16) as pool:
        won = list(pool.map(write, range(16)))
    assert (tmp_path / "record").read_bytes() == str(won.index(True)).encode() * 10_000
    assert (won.count(True), os.listdir(tmp_path)) == (1, ["record"])


def test_a_later_server_over_the_same_folder_serves_what_an_earlier_one_took(tmp_path, client):
    with serve(tmp_path, reserved={}) as first:
        for upload in UPLOADS.values():
            assert upload(client, first, "").is_success
    with serve(tmp_path, reserved={}) as second:
        assert (
            client.get(f"{second.endpoints.npm}/one")
            .json()["versions"]["1.0.0"]["dist"]["tarball"]
            .startswith(second.endpoints.npm)
        )
        held = client.get(f"http://127.0.0.1:{port_of(second)}/_holdings").json()
        assert {registry: list(packages) for registry, packages in held.items()} == {
            registry: ["one"] for registry in UPLOADS
        }
        page = client.get(f"http://127.0.0.1:{port_of(second)}/").text
        assert held["pypi"]["one"]["1.0.0"][0]["sha256"] in page


def test_an_upload_that_was_killed_before_its_record_leaves_the_version_free(tmp_path, client):
    with serve(tmp_path, reserved={}) as registries:
        data = crate("one", "1.0.0")
        script = (
            "import os, sys; from pathlib import Path\n"
            "from tasker_release_pipeline.loopback import storage\n"
            "from tasker_release_pipeline.release.endpoints import RegistryName\n"
            "storage.os.link = lambda *paths: os._exit(9)\n"
            "held = storage.Storage(Path(sys.argv[1]), RegistryName.CRATES_IO)\n"
            "held.commit('one', '1.0.0', {'sha256': held.keep(sys.stdin.buffer.read())})\n"
        )
        killed = subprocess.run([sys.executable, "-c", script, str(tmp_path)], input=data, check=False)
        assert killed.returncode == 9
        assert client.get(f"{registries.endpoints.cargo_index}/3/o/one").status_code == 404
        assert put_crate(client, registries, crate_body("one", "1.0.0", data)).status_code == 200


def test_a_server_stops_while_clients_keep_their_connections_open(tmp_path):
    # Servers of other tests' fixtures may run in this process.
    others = set(threading.enumerate())
    with ExitStack() as clients, serve(tmp_path, reserved={}) as registries:
        address = ("127.0.0.1", port_of(registries))
        _idle = clients.enter_context(socket.create_connection(address))
        half = clients.enter_context(socket.create_connection(address))
        # With the token, so that the server waits for the rest of the body.
        head = f"PUT /npm/one HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {registries.token}\r\n"
        half.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        assert httpx.get(f"{registries.endpoints.npm}/-/ping").is_success
        started = time.monotonic()
    assert time.monotonic() - started < 10
    assert "loopback-registries" not in [thread.name for thread in set(threading.enumerate()) - others]


def test_a_server_that_nobody_asks_stops_at_once(tmp_path):
    took = []
    for _ in range(21):
        with serve(tmp_path, reserved={}) as registries:
            httpx.get(f"{registries.endpoints.cargo_index}/config.json")
            began = time.monotonic()
        took.append(time.monotonic() - began)
    assert statistics.median(took) < 0.03, took  # uvicorn looks ten times a second, and rests for a tenth


def test_the_token_is_not_shown_and_never_empty(tmp_path):
    with serve(tmp_path, reserved={}) as registries:
        assert registries.token not in repr(registries)
    with pytest.raises(ValueError, match="empty token"):
        registries_app(tmp_path, reserved={}, upstream=None, cache=None, token="")


def test_requests_are_not_logged_unless_asked_for(tmp_path, client, caplog):
    as_cargo = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAMAAABkAAQAoAAAAAIAAAAA"}
    with serve(tmp_path, reserved={}) as registries:
        assert client.get(f"{registries.endpoints.cargo_index}/config.json", headers=as_cargo).status_code == 200
    assert [record for record in caplog.records if record.name.startswith("uvicorn")] == []


def test_a_taken_port_is_an_error_at_once(tmp_path: Path):
    with (
        serve(tmp_path, reserved={}) as registries,
        pytest.raises(OSError, match="in use"),
        serve(tmp_path, reserved={}, port=port_of(registries)),
    ):
        pass


def port_of(registries: LoopbackRegistries) -> int:
    return httpx.URL(registries.endpoints.npm).port or 0
