"""The web UI as its users run it: web server and daemon as processes, and a real browser."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from tests.pipeline.conftest import ROOT, Pipeline, first_release, second, shared
from tests.pipeline.test_kills import until

__all__ = ["first_release", "second", "shared"]  # fixtures

_PATIENCE_MILLISECONDS = 120_000
_CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@contextmanager
def served(world: Pipeline, **environment: str) -> Iterator[str]:
    """Web server and daemon over the world's instance; gives the address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    world.home.mkdir(parents=True, exist_ok=True)
    world.share_cache()
    shutil.copy(ROOT / "config" / "dagster.yaml", world.home)
    with ExitStack() as stack:
        for command in (
            ["dagster-webserver", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)],
            ["dagster-daemon", "run", "-w", "workspace.yaml"],
        ):
            stack.enter_context(_process(world, command, environment))
        address = f"http://127.0.0.1:{port}"
        assert until(lambda: _answers(address), 90), (world.folder / "dagster-webserver.txt").read_text()[-3000:]
        yield address


@contextmanager
def _process(world: Pipeline, command: list[str], environment: dict[str, str]) -> Iterator[None]:
    with (world.folder / f"{command[0]}.txt").open("wb") as output:
        process = subprocess.Popen(
            [str(Path(sys.executable).with_name(command[0])), *command[1:]],
            cwd=ROOT,
            env=world.environment(**environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/server_info", timeout=5):  # noqa: S310  # loopback
            return True
    except OSError:
        return False


def ask(address: str, query: str, **variables: Any) -> Any:
    """Ask as the pages do."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{address}/graphql", body, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # loopback
        said = json.loads(answer.read())
    assert "errors" not in said, said
    return said["data"]


@pytest.fixture
def page() -> Iterator[Page]:
    """A page of the system's Chromium, headless."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=_CHROMIUM)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(_PATIENCE_MILLISECONDS)
        expect.set_options(timeout=_PATIENCE_MILLISECONDS)
        yield page
        browser.close()


@pytest.fixture
def keep(page: Page, tmp_path: Path) -> Callable[[str], Path]:
    """Takes a picture of the page; SCREENSHOTS names the folder that keeps them (docs/images)."""
    folder = Path(os.environ.get("SCREENSHOTS") or tmp_path).absolute()

    def take(name: str) -> Path:
        page.mouse.move(0, 0)
        path = folder / f"{name}.png"
        page.screenshot(path=path, animations="disabled")
        return path

    return take
