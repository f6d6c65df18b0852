"""Whom the loopback registries trust to publish without a password, and the tokens that they have minted.

As all else it lies in the folder that the registries serve, so that any number of servers know the same:

    oidc/trust.json             the issuer, its public key, and each package's trusted publisher
    oidc/used/<sha256>          the ID tokens (`jti`) that were exchanged: each is good for one exchange
    oidc/minted/<sha256>.json   what a minted token may publish and until when; the token itself is kept nowhere
"""

import hashlib
import json
import secrets
import time
from collections.abc import Sequence
from enum import Enum, auto
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from tasker_release_pipeline.loopback.names import canonical
from tasker_release_pipeline.loopback.storage import create, replace
from tasker_release_pipeline.release.endpoints import RegistryName


class Publisher(BaseModel):
    """Who may publish a package: the fields of a registry's own form. `environment` empty: any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    registry: RegistryName
    package: str
    owner: str
    repository: str
    workflow: str
    environment: str = ""


class Trust(BaseModel):
    """`key`: the issuer's public key as JWK. `lifetime`: of minted tokens, in seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str
    key: dict[str, Any]
    publishers: tuple[Publisher, ...]
    lifetime: float = 900


class Grant(BaseModel):
    """What a minted token is good for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    registry: RegistryName
    packages: tuple[str, ...]
    expires_at: float

    def covers(self, package: str) -> bool:
        """Whether `package`, in any spelling, may be published with it."""
        return any(canonical(self.registry, own) == canonical(self.registry, package) for own in self.packages)


class Reason(Enum):
    """Why an ID token is refused; crates.io and PyPI tell these apart."""

    TOKEN = auto()
    REUSED = auto()
    PUBLISHER = auto()


class DeniedError(Exception):
    """An ID token that gets no token of the registry. The message is worded as crates.io's."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def trust(root: Path, whom: Trust) -> None:
    """From now on the registries over `root` trust these publishers, and no others."""
    replace(root / "oidc" / "trust.json", whom.model_dump_json().encode())


def trusted(root: Path) -> Trust | None:
    """Whom the registries over `root` trust; None where nobody was named."""
    try:
        return Trust.model_validate_json((root / "oidc" / "trust.json").read_bytes())
    except FileNotFoundError:
        return None


def admitted(root: Path, jwt: str, audience: str, among: Sequence[Publisher]) -> tuple[Publisher, ...]:
    """The publishers `among` whose fields an ID token matches. It is used up then. Raises DeniedError."""
    claims = _verified(root, jwt, audience)
    repository, signed = str(claims["repository"]), str(claims.get("environment", ""))
    workflow = str(claims["workflow_ref"]).partition("@")[0].rpartition("/")[2]
    here = [p for p in among if f"{p.owner}/{p.repository}".lower() == repository.lower()]
    if not here:
        raise DeniedError(Reason.PUBLISHER, f"No Trusted Publishing config found for repository `{repository}`.")
    prefix = f"The Trusted Publishing config for repository `{repository}`"
    by_workflow = [p for p in here if p.workflow == workflow]
    if not by_workflow:
        expected = ", ".join(f"`{p.workflow}`" for p in here)
        raise DeniedError(
            Reason.PUBLISHER,
            f"{prefix} does not match the workflow filename `{workflow}` in the JWT. "
            f"Expected workflow filenames: {expected}",
        )
    found = tuple(p for p in by_workflow if not p.environment or p.environment.lower() == signed.lower())
    if not found:
        said = (
            f"does not match the environment `{signed}` in the JWT"
            if signed
            else "requires an environment, but the JWT does not specify one"
        )
        expected = ", ".join(f"`{p.environment}`" for p in by_workflow)
        raise DeniedError(Reason.PUBLISHER, f"{prefix} {said}. Expected environments: {expected}")
    if not create(root / "oidc" / "used" / _hash(str(claims["jti"])), b""):
        raise DeniedError(Reason.REUSED, "JWT has already been used")
    return found


def mint(root: Path, prefix: str, registry: RegistryName, packages: Sequence[str]) -> tuple[str, Grant]:
    """A new token for `packages`, beginning as the registry's tokens do."""
    whom = trusted(root)
    lifetime = whom.lifetime if whom else 0
    token = prefix + secrets.token_hex(24)
    grant = Grant(registry=registry, packages=tuple(packages), expires_at=time.time() + lifetime)
    replace(_minted(root, token), grant.model_dump_json().encode())
    return token, grant


def grant_of(root: Path, token: str) -> Grant | None:
    """What a minted token is good for; None for any other, and for one that has expired."""
    try:
        grant = Grant.model_validate_json(_minted(root, token).read_bytes())
    except FileNotFoundError:
        return None
    return grant if grant.expires_at > time.time() else None


def revoke(root: Path, token: str) -> bool:
    """End a token's life; whether it had one."""
    known = grant_of(root, token) is not None
    _minted(root, token).unlink(missing_ok=True)
    return known


def _verified(root: Path, token: str, audience: str) -> dict[str, Any]:
    # Here, as signatures are checked only where somebody configured an issuer, and PyJWT comes with the tests alone.
    import jwt  # noqa: PLC0415

    whom = trusted(root)
    try:
        issuer = str(jwt.decode(token, options={"verify_signature": False}).get("iss"))
        if whom is None or issuer != whom.issuer:
            raise DeniedError(Reason.TOKEN, f"Unsupported JWT issuer: {issuer}")
        needed = ["exp", "iat", "jti", "repository", "workflow_ref"]
        claims: dict[str, Any] = jwt.decode(
            token,
            jwt.PyJWK(whom.key).key,
            algorithms=["RS256"],
            audience=audience,
            issuer=whom.issuer,
            options={"require": needed},
        )
    except (jwt.PyJWTError, json.JSONDecodeError):
        raise DeniedError(Reason.TOKEN, "Failed to decode JWT") from None
    return claims


def _minted(root: Path, token: str) -> Path:
    return root / "oidc" / "minted" / f"{_hash(token)}.json"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
