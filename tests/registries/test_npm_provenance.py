"""A live release of a GitHub job publishes to npm with provenance: the real npm, stand-ins for sigstore's hosts."""

import base64
import datetime
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from tasker_release_pipeline.loopback.server import LoopbackRegistries
from tasker_release_pipeline.registries import client_env
from tasker_release_pipeline.registries.client import client
from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.registries.publish import PublishStatus, publish
from tasker_release_pipeline.registries.sending import Patience
from tasker_release_pipeline.release.endpoints import RegistryName

from ..issuer import OWNER, REPOSITORY, REQUEST_TOKEN, WORKFLOW, issuing, key
from . import packages
from .packages import Built

JOB = {
    "GITHUB_REPOSITORY": f"{OWNER}/{REPOSITORY}",
    "GITHUB_WORKFLOW_REF": f"{OWNER}/{REPOSITORY}/.github/workflows/{WORKFLOW}@refs/tags/v0.1.9",
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REF": "refs/tags/v0.1.9",
    "GITHUB_SHA": "0" * 40,
    "GITHUB_EVENT_NAME": "push",
    "GITHUB_REPOSITORY_ID": "1",
    "GITHUB_REPOSITORY_OWNER_ID": "2",
    "GITHUB_RUN_ID": "3",
    "GITHUB_RUN_ATTEMPT": "1",
    "RUNNER_ENVIRONMENT": "github-hosted",
}


def certificate() -> str:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a stand-in for Fulcio")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key().public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(minutes=10))
        .sign(key(), hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


@contextmanager
def sigstore() -> Iterator[tuple[str, list[str]]]:
    """Fulcio and Rekor, as far as npm asks them; their address, and a list of the paths that were asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            sent = self.rfile.read(int(self.headers["content-length"]))
            answer: dict[str, Any] = {"signedCertificateEmbeddedSct": {"chain": {"certificates": [certificate()]}}}
            if self.path == "/api/v1/log/entries":
                entry = json.loads(sent)
                answer = {
                    "ab" * 32: {
                        "body": base64.b64encode(json.dumps(entry).encode()).decode(),
                        "integratedTime": 1_700_000_000,
                        "logID": "cd" * 32,
                        "logIndex": 7,
                        "verification": {"signedEntryTimestamp": base64.b64encode(b"signed").decode()},
                    }
                }
            body = json.dumps(answer).encode()
            self.send_response(201)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), name="sigstore", daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", asked
        finally:
            server.shutdown()


def npm_that_signs_at(url: str, folder: Path) -> Path:
    """A folder with an `npm` that is the real one, but for sigstore's addresses, which no option of npm's changes."""
    real = Path(shutil.which("npm") or "npm").resolve()
    folder.mkdir()
    (folder / "stand-in.cjs").write_text(
        'const here = require("node:module").createRequire(process.argv[1]);\n'
        'const signing = here.resolve("@sigstore/sign").replace(/index\\.js$/, "");\n'
        f'here(signing + "signer/fulcio/index.js").DEFAULT_FULCIO_URL = "{url}";\n'
        f'here(signing + "witness/tlog/index.js").DEFAULT_REKOR_URL = "{url}";\n'
    )
    script = folder / "npm"
    script.write_text(f'#!/bin/sh\nexec node --require "{folder / "stand-in.cjs"}" "{real}" "$@"\n')
    script.chmod(0o755)
    return folder


@pytest.fixture
def older(registries: LoopbackRegistries, credentials: Credentials, tmp_path: Path) -> LoopbackRegistries:
    release(packages.npm_tarball(tmp_path / "older", version="0.1.8"), registries, credentials)
    return registries


def release(built: Built, registries: LoopbackRegistries, credentials: Credentials) -> PublishStatus:
    return publish(
        client(built.registry, registries.endpoints), built.upload, built.artifacts, credentials,
        propagation_seconds=20, patience=Patience(settle=0.2),
    ).status  # fmt: skip


@pytest.mark.toolchain
def test_a_live_release_of_a_job_is_signed_and_published_as_trusted_publisher(
    older: LoopbackRegistries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = packages.npm_tarball(tmp_path / "it", version="0.1.9")
    with issuing() as issuer, sigstore() as (url, asked):
        issuer.trusted(older.root, (RegistryName.NPM, built.upload.name))
        folder = npm_that_signs_at(url, tmp_path / "bin")
        monkeypatch.setenv("PATH", str(folder), prepend=":")
        for name, value in {**issuer.environment, **JOB}.items():
            monkeypatch.setenv(name, value)
        # These endpoints are taken for the public ones: nothing else tells a live release from a rehearsal.
        monkeypatch.setattr(client_env, "is_live", lambda endpoints: endpoints == older.endpoints)
        identity = Credentials.from_environment(issuer.environment, older.endpoints)
        assert release(built, older, identity) is PublishStatus.PUBLISHED

    output = "\n".join(built.lines)
    assert "--provenance" in output
    assert "Signed provenance statement with source and build information from GitHub Actions" in output
    assert asked == ["/api/v2/signingCert", "/api/v1/log/entries"]
    # Ours, npm's own attempt at the same, and sigstore's.
    assert issuer.audiences == ["npm:127.0.0.1", "npm:127.0.0.1", "sigstore"]
    for secret in (*issuer.issued, REQUEST_TOKEN):
        assert secret not in output
