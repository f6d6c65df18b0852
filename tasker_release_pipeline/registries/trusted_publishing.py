"""Trusted publishing: a GitHub Actions job's ID token, exchanged for a short-lived token of a registry."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from tasker_release_pipeline.registries import http
from tasker_release_pipeline.registries.id_token import IdTokens
from tasker_release_pipeline.registries.publisher_form import refused
from tasker_release_pipeline.registries.secret_requests import send
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName
from tasker_release_pipeline.release.errors import RegistryError, ToolError, UnavailableError
from tasker_release_pipeline.toolchains.redaction import Redactor
from tasker_release_pipeline.toolchains.runner import run
from tasker_release_pipeline.toolchains.tools import search_path

LIFETIMES = {
    RegistryName.CRATES_IO: 30 * 60,
    RegistryName.RUBYGEMS: 15 * 60,
    RegistryName.PYPI: 15 * 60,
    RegistryName.NPM: 15 * 60,
}
"""The longest that a token is trusted to live, in seconds. An answer may say less."""

_TOKEN_FIELD = {RegistryName.RUBYGEMS: "rubygems_api_key"}


@dataclass(frozen=True)
class Minted:
    """A registry's short-lived token, and the ID token that it was given for. Times in seconds of the epoch."""

    registry: RegistryName
    token: str = field(repr=False)
    id_token: str = field(repr=False)
    claims: Mapping[str, Any]
    minted_at: float
    expires_at: float

    @property
    def renew_at(self) -> float:
        """From then on a new one is minted: what starts before has at least half of the token's life to end in."""
        return (self.minted_at + self.expires_at) / 2


@dataclass(frozen=True)
class TrustedPublishing:
    """The exchanges of four registries, for the job that `id_tokens` belongs to."""

    endpoints: Endpoints
    id_tokens: IdTokens
    clock: Callable[[], float] = time.time

    def mint(self, registry: RegistryName, name: str) -> Minted:
        """A token for an upload of `name`.

        Raises RegistryError, with the claims beside the fields of the publisher's configuration, where the registry
        refuses; UnavailableError where GitHub or the registry can't be asked.
        """
        id_token = self.id_tokens.request(self.audience(registry))
        minted_at = self.clock()
        answer = self._exchange(registry, name, id_token.jwt)
        redact = Redactor([id_token.jwt, self.id_tokens.request_token])
        if answer.status_code not in (200, 201):
            said = redact(f"HTTP {answer.status_code}: {_words(answer)}")
            raise RegistryError(refused(registry, name, id_token.claims, said))
        try:
            document = answer.json()
            token = document[_TOKEN_FIELD.get(registry, "token")]
        except (ValueError, KeyError, TypeError):
            token = None
        if not isinstance(token, str) or not token:
            raise UnavailableError(f"{answer.url}: the exchange's answer has no token")
        ends = _stated_end(document) or minted_at + LIFETIMES[registry]
        expires_at = min(ends, minted_at + LIFETIMES[registry])
        return Minted(registry, token, id_token.jwt, id_token.claims, minted_at, expires_at)

    def revoke(self, minted: Minted) -> None:
        """End the token's life where the registry has a way to: crates.io. Raises UnavailableError, RegistryError."""
        if minted.registry is not RegistryName.CRATES_IO:
            return
        answer = send(
            "DELETE", self._crates_io, secret=minted.token, headers={"Authorization": f"Bearer {minted.token}"}
        )
        if answer.status_code not in (200, 204):
            said = Redactor([minted.token])(_words(answer))
            raise RegistryError(f"{answer.url}: HTTP {answer.status_code}: {said}")

    def audience(self, registry: RegistryName) -> str:
        """Whom the ID token is for: the registry's host, so that a stand-in's is worth nothing at the real one."""
        if registry is RegistryName.PYPI:
            url = f"{self.endpoints.pypi}/_/oidc/audience"
            document = http.get_json(url)
            try:
                return str(document["audience"])
            except (KeyError, TypeError) as error:
                raise http.malformed(url, error) from None
        urls = {
            RegistryName.CRATES_IO: self.endpoints.cargo_api,
            RegistryName.RUBYGEMS: self.endpoints.rubygems,
            RegistryName.NPM: self.endpoints.npm,
        }
        host = urlsplit(urls[registry]).hostname or ""
        return f"npm:{host}" if registry is RegistryName.NPM else host

    @property
    def _crates_io(self) -> str:
        return f"{self.endpoints.cargo_api}/api/v1/trusted_publishing/tokens"

    def _exchange(self, registry: RegistryName, name: str, jwt: str) -> httpx.Response:
        if registry is RegistryName.CRATES_IO:
            return send("POST", self._crates_io, secret=jwt, json={"jwt": jwt})
        if registry is RegistryName.RUBYGEMS:
            url = f"{self.endpoints.rubygems}/api/v1/oidc/trusted_publisher/exchange_token"
            return send("POST", url, secret=jwt, json={"jwt": jwt})
        if registry is RegistryName.PYPI:
            return send("POST", f"{self.endpoints.pypi}/_/oidc/mint-token", secret=jwt, json={"token": jwt})
        escaped = quote(name, safe="@").replace("%2F", "%2f")
        url = f"{self.endpoints.npm}/-/npm/v1/oidc/token/exchange/package/{escaped}"
        # As npm itself sends it, without a body: the registry is said to read the client's age from its user agent.
        headers = {"Authorization": f"Bearer {jwt}", "npm-command": "publish", **_npm_user_agent()}
        return send("POST", url, secret=jwt, headers=headers)


@cache
def _npm_user_agent() -> dict[str, str]:
    """Who uploads: the npm at hand, and then us."""
    try:
        said = run(
            ["npm", "config", "get", "user-agent"],
            cwd=Path(gettempdir()),
            seconds=30,
            log=lambda _: None,
            env={"PATH": search_path(), "NPM_CONFIG_UPDATE_NOTIFIER": "false"},
        )
    except ToolError:
        return {}
    return {"User-Agent": f"{said.output.strip().splitlines()[-1]} {http.user_agent()}"} if said.output.strip() else {}


def _words(answer: httpx.Response) -> str:
    """The registry's words; PyPI lists its reasons with a code and a description."""
    try:
        errors = answer.json()["errors"]
        return "; ".join(f"{error['code']}: {error['description']}" for error in errors)
    except (ValueError, KeyError, TypeError):
        return http.words(answer)


def _stated_end(answer: Mapping[str, Any]) -> float | None:
    """When the token ends, in seconds of the epoch: PyPI says a number, others an RFC 3339 time, crates.io nothing."""
    stated = answer.get("expires", answer.get("expires_at"))
    if isinstance(stated, int | float):
        return float(stated)
    try:
        return datetime.fromisoformat(str(stated)).timestamp()
    except ValueError:
        return None
