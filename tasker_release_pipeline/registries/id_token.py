"""The identity of a GitHub Actions job: an ID token, a JWT that GitHub signs for one audience."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from tasker_release_pipeline.registries import http
from tasker_release_pipeline.registries.client_env import ID_TOKEN
from tasker_release_pipeline.registries.secret_requests import send
from tasker_release_pipeline.release.errors import RegistryError, UnavailableError
from tasker_release_pipeline.toolchains.redaction import Redactor

REQUEST_URL = "ACTIONS_ID_TOKEN_REQUEST_URL"


@dataclass(frozen=True)
class IdToken:
    """A signed ID token, shown nowhere. `claims`: what it says of the job, which is no secret."""

    jwt: str = field(repr=False)
    claims: Mapping[str, Any]


@dataclass(frozen=True)
class IdTokens:
    """Where a job with the permission `id-token: write` gets its ID tokens: an address, and a token to ask with."""

    url: str
    request_token: str = field(repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "IdTokens | None":
        """What GitHub gives to a job that may have ID tokens; None anywhere else."""
        url, token = environment.get(REQUEST_URL, "").strip(), environment.get(ID_TOKEN, "").strip()
        return cls(url, token) if url and token else None

    def request(self, audience: str) -> IdToken:
        """A fresh ID token for `audience`. Raises UnavailableError, RegistryError."""
        url = str(httpx.URL(self.url).copy_merge_params({"audience": audience}))
        answer = send("GET", url, secret=self.request_token, headers={"Authorization": f"Bearer {self.request_token}"})
        if answer.status_code != 200:
            said = Redactor([self.request_token])(http.words(answer))
            raise RegistryError(f"GitHub gave no ID token for {audience}: HTTP {answer.status_code}: {said}")
        try:
            jwt = str(answer.json()["value"])
            return IdToken(jwt, _claims(jwt))
        except (ValueError, KeyError, TypeError, IndexError):
            raise UnavailableError(f"GitHub's answer has no ID token for {audience} that can be read") from None


def _claims(jwt: str) -> dict[str, Any]:
    """What the token says, unverified: to be shown to people, while the registry decides."""
    payload = jwt.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    if not isinstance(claims, dict):
        raise TypeError("claims are no object")
    return claims
