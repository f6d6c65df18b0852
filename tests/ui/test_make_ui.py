"""`make ui`, as a person starts and ends it."""

import os
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.pipeline.conftest import ROOT, Pipeline
from tests.pipeline.test_kills import processes, until
from tests.shared.postgres import free_port

_ASSETS = "{ assetNodes { assetKey { path } } }"
_LISTENS = "0A"


@pytest.mark.service
def test_it_serves_the_graph_on_loopback_and_ends_with_all_its_processes(tmp_path: Path) -> None:
    port = free_port()
    output = tmp_path / "output"
    with output.open("wb") as printed:
        made = subprocess.Popen(
            ["make", "ui", f"PORT={port}"],
            cwd=ROOT,
            env=Pipeline(tmp_path, tmp_path / "source").environment(DAGSTER_POSTGRES_URL=""),
            stdin=subprocess.DEVNULL,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
    try:
        assert until(lambda: assets(port) or made.poll() is not None, 120), output.read_text()
        assert {"release_plan", "gate", "npm/tasker"} <= set(assets(port)), output.read_text()
        assert listening(port) == ["0100007F"]  # 127.0.0.1
    finally:
        made.send_signal(signal.SIGTERM)
        until(lambda: not processes(tmp_path), 60)
        left = processes(tmp_path)
        for process in left:
            os.kill(process, signal.SIGKILL)
        made.wait()
    assert not left, output.read_text()


def assets(port: int) -> list[str]:
    """The graph's assets, once the server has loaded them."""
    try:
        answer = httpx.post(f"http://127.0.0.1:{port}/graphql", json={"query": _ASSETS}, timeout=60)
    except httpx.TransportError:
        return []
    return ["/".join(node["assetKey"]["path"]) for node in answer.json()["data"]["assetNodes"]]


def listening(port: int) -> list[str]:
    """The addresses at which the port is open, as the kernel writes them."""
    rows = [row.split() for name in ("tcp", "tcp6") for row in Path("/proc/net", name).read_text().splitlines()[1:]]
    return [row[1].split(":")[0] for row in rows if row[3] == _LISTENS and int(row[1].split(":")[1], 16) == port]
