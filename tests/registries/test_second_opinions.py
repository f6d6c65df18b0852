"""The same publishing against registries that others wrote: pypiserver and verdaccio."""

import base64
import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tasker_release_pipeline.registries.client import client
from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.registries.publish import PublishResult, PublishStatus, publish
from tasker_release_pipeline.registries.sending import Patience
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName
from tasker_release_pipeline.release.errors import ConflictError, ToolError, UnavailableError

from . import packages
from .packages import Built

VERDACCIO = Path(sys.prefix).parent / ".tools" / "node" / "node_modules" / ".bin" / "verdaccio"
TOKEN = "a-token-for-tests-0123456789"

pytestmark = pytest.mark.toolchain


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port: int = bound.getsockname()[1]
        return port


def endpoints_at(url: str) -> Endpoints:
    return Endpoints(cargo_index=url, cargo_api=url, rubygems=url, pypi=url, pypi_upload=url, npm=url)


@contextmanager
def running(folder: Path, url: str, *command: str | Path) -> Iterator[None]:
    """A server process, from its first answer until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    env = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as process,
    ):
        try:
            until = time.monotonic() + 60
            while True:
                assert process.poll() is None, (folder / "log").read_text()
                assert time.monotonic() < until, (folder / "log").read_text()
                with contextlib.suppress(httpx.HTTPError):
                    httpx.get(url, trust_env=False)
                    break
                time.sleep(0.05)
            yield
        finally:
            process.terminate()


def release(built: Built, endpoints: Endpoints, token: str) -> PublishResult:
    return publish(
        client(built.registry, endpoints), built.upload, built.artifacts, Credentials({built.registry: token}),
        propagation_seconds=20, patience=Patience(settle=0.2),
    )  # fmt: skip


def follows_the_rules(first: Built, other: Built, endpoints: Endpoints, token: str) -> None:
    """Refused, published, already there, conflict."""
    # A server that refuses before it has read the file may cut the line: whether that one arrived is then not known.
    with pytest.raises((ToolError, UnavailableError), match="has nothing of it"):
        release(first, endpoints, "a-wrong-token-0123456789")
    assert release(first, endpoints, token).status is PublishStatus.PUBLISHED
    held = client(first.registry, endpoints).holdings(first.upload.name)
    assert held.versions == (first.upload.version,)
    assert client(first.registry, endpoints).fetch(held.files[0]) == first.upload.files[0].read_bytes()
    assert release(first, endpoints, token).status is PublishStatus.ALREADY_PUBLISHED
    with pytest.raises(ConflictError):
        release(other, endpoints, token)
    assert not [line for line in (*first.lines, *other.lines) if token in line]


@pytest.fixture
def pypiserver(tmp_path: Path) -> Iterator[Endpoints]:
    folder, port = tmp_path / "pypiserver", free_port()
    (folder / "packages").mkdir(parents=True)
    sha1 = base64.b64encode(hashlib.sha1(TOKEN.encode()).digest()).decode()  # noqa: S324 - a form that htpasswd has
    (folder / "htpasswd").write_text(f"__token__:{{SHA}}{sha1}\n")
    url = f"http://127.0.0.1:{port}"
    options = ("-i", "127.0.0.1", "-p", str(port), "-P", "htpasswd", "-a", "update", "--hash-algo", "sha256")
    server = Path(sys.executable).with_name("pypi-server")
    with running(folder, url, server, "run", *options, "--disable-fallback", "packages"):
        yield endpoints_at(url)


def test_pypiserver_takes_our_wheels(tmp_path: Path, pypiserver: Endpoints) -> None:
    first, other = packages.wheel(tmp_path / "first", "1"), packages.wheel(tmp_path / "other", "22")
    follows_the_rules(first, other, pypiserver, TOKEN)
    both = packages.wheel(tmp_path / "both", "1", platforms=("any", "manylinux_2_28_x86_64"))
    assert release(both, pypiserver, TOKEN).uploaded == (both.artifacts[1].file,)


@pytest.fixture
def verdaccio(tmp_path: Path) -> Iterator[tuple[Endpoints, str]]:
    if not VERDACCIO.exists():
        pytest.skip("verdaccio is not installed (`make setup` does)")
    folder, port = tmp_path / "verdaccio", free_port()
    folder.mkdir()
    config = {
        "storage": "./storage",
        "auth": {"htpasswd": {"file": "./htpasswd", "max_users": 10}},
        "uplinks": {},
        "packages": {"**": {"access": "$all", "publish": "$authenticated"}},
        "log": {"type": "stdout", "format": "pretty", "level": "warn"},
    }
    (folder / "config.yaml").write_text(json.dumps(config))  # JSON is YAML
    url = f"http://127.0.0.1:{port}"
    with running(folder, f"{url}/-/ping", VERDACCIO, "--config", "config.yaml", "--listen", f"127.0.0.1:{port}"):
        user = {"name": "tiny", "password": "a-long-enough-password-1"}
        answer = httpx.put(f"{url}/-/user/org.couchdb.user:tiny", json=user, trust_env=False)
        yield endpoints_at(url), answer.json()["token"]


def test_verdaccio_takes_our_tarball(tmp_path: Path, verdaccio: tuple[Endpoints, str]) -> None:
    endpoints, token = verdaccio
    first, other = packages.npm_tarball(tmp_path / "first", "1"), packages.npm_tarball(tmp_path / "other", "22")
    follows_the_rules(first, other, endpoints, token)
    assert client(RegistryName.NPM, endpoints).holdings("@tiny-systems/tiny").tags["alpha"] == "0.1.9"
