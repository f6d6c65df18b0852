"""An issuer of ID tokens on loopback: it signs what GitHub signs for a job, or what a test wants it to say instead."""

import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tasker_release_pipeline.loopback.oidc_trust import Publisher, Trust, trust
from tasker_release_pipeline.release.endpoints import RegistryName

OWNER, REPOSITORY, WORKFLOW = "tasker-systems", "tasker-core", "release.yml"
REQUEST_TOKEN = "the-token-that-asks-for-id-tokens-0123456789"


@cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Issuer:
    """`says`: claims that replace the usual ones; None leaves one out. `issued`: the tokens, `audiences`: for whom."""

    url: str
    says: dict[str, Any] = field(default_factory=dict)
    issued: list[str] = field(default_factory=list)
    audiences: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """What GitHub gives to a job with `id-token: write`."""
        return {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": REQUEST_TOKEN,
        }

    def trusted(self, root: Path, *packages: tuple[RegistryName, str], **changed: Any) -> None:
        """Let the registries over `root` trust this issuer's usual job for these packages."""
        fields = {"owner": OWNER, "repository": REPOSITORY, "workflow": WORKFLOW, "environment": "release"}
        lifetime = changed.pop("lifetime", 900)
        publishers = tuple(
            Publisher(registry=registry, package=package, **(fields | changed)) for registry, package in packages
        )
        public = jwt.algorithms.RSAAlgorithm.to_jwk(key().public_key(), as_dict=True)
        trust(root, Trust(issuer=self.url, key=public, publishers=publishers, lifetime=lifetime))

    def sign(self, audience: str) -> str:
        """An ID token. Claims as in https://docs.github.com/en/actions/reference/security/oidc."""
        now = int(time.time())
        path = f"{OWNER}/{REPOSITORY}/.github/workflows/{WORKFLOW}@refs/tags/v0.1.9"
        claims = {
            "iss": self.url, "aud": audience, "iat": now, "nbf": now - 5, "exp": now + 300, "jti": str(uuid.uuid4()),
            "sub": f"repo:{OWNER}/{REPOSITORY}:environment:release", "repository": f"{OWNER}/{REPOSITORY}",
            "repository_owner": OWNER, "repository_owner_id": "4711", "environment": "release", "event_name": "push",
            "ref": "refs/tags/v0.1.9", "workflow_ref": path, "job_workflow_ref": path,
        } | self.says  # fmt: skip
        token = jwt.encode(
            {name: value for name, value in claims.items() if value is not None}, key(), "RS256", {"kid": "one"}
        )
        self.issued.append(token)
        return token


@contextmanager
def issuing() -> Iterator[Issuer]:
    """An issuer that answers as GitHub's does until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            audience = parse_qs(urlsplit(self.path).query).get("audience", ["(none)"])[0]
            if self.headers.get("authorization") != f"Bearer {REQUEST_TOKEN}":
                self._answer(401, {"message": "not this job's token"})
                return
            issuer.audiences.append(audience)
            self._answer(200, {"count": 1, "value": issuer.sign(audience)})

        def _answer(self, status: int, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer = Issuer(f"http://127.0.0.1:{server.server_address[1]}")
        threading.Thread(target=server.serve_forever, args=(0.01,), name="issuer", daemon=True).start()
        try:
            yield issuer
        finally:
            server.shutdown()
