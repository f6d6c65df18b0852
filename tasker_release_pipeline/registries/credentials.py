"""What the registries let us in with: a token from the environment, or one minted for a trusted publisher.

crates.io, RubyGems    the token in the environment; without one, trusted publishing where the job has ID tokens
PyPI, npm              in GitHub Actions trusted publishing alone; anywhere else the token in the environment
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from tasker_release_pipeline.registries.endpoints import LIVE, TITLES
from tasker_release_pipeline.registries.id_token import IdTokens
from tasker_release_pipeline.registries.publisher_form import NO_FIRST_PUBLISH, first_publish
from tasker_release_pipeline.registries.trusted_publishing import Minted, TrustedPublishing
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName
from tasker_release_pipeline.release.errors import InputError, ReleaseError

VARIABLES = {
    RegistryName.CRATES_IO: "CARGO_REGISTRY_TOKEN",
    RegistryName.RUBYGEMS: "GEM_HOST_API_KEY",
    RegistryName.PYPI: "UV_PUBLISH_TOKEN",
    RegistryName.NPM: "NPM_TOKEN",
}
"""The environment variables that tokens come in: the names that the registries' own clients use."""

ALSO = {RegistryName.PYPI: "MATURIN_PYPI_TOKEN"}
"""Second names, read where the first is not set."""

BY_IDENTITY = (RegistryName.PYPI, RegistryName.NPM)
"""Registries that a GitHub Actions job publishes to as trusted publisher, whatever tokens lie about."""


@dataclass(frozen=True)
class Credentials:
    """A token for each registry that one is known for, and `trusted` for those without; shown nowhere."""

    tokens: Mapping[RegistryName, str] = field(default_factory=dict, repr=False)
    trusted: TrustedPublishing | None = field(default=None, repr=False)
    in_actions: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], endpoints: Endpoints = LIVE) -> "Credentials":
        """What `environment` gives for the registries at `endpoints`; an empty variable counts as none."""
        in_actions = environment.get("GITHUB_ACTIONS") == "true"
        id_tokens = IdTokens.from_environment(environment) if in_actions else None
        found = {
            registry: environment.get(name, "").strip() or environment.get(ALSO.get(registry, ""), "").strip()
            for registry, name in VARIABLES.items()
            if not (in_actions and registry in BY_IDENTITY)
        }
        return cls(
            {registry: token for registry, token in found.items() if token},
            TrustedPublishing(endpoints, id_tokens) if id_tokens else None,
            in_actions,
        )

    def token(self, registry: RegistryName) -> str | None:
        """The registry's token, None without one. Within `for_package` it is minted, and again when it is old."""
        return self.tokens.get(registry) or None

    def needed(self, registry: RegistryName) -> str:
        """The registry's token. Raises InputError where there is none; what `for_package` gives also as `mint` does."""
        if token := self.token(registry):
            return token
        raise InputError(self.missing(registry))

    def is_trusted(self, registry: RegistryName) -> bool:
        """Whether an upload mints its token as trusted publisher."""
        return self.trusted is not None and not self.tokens.get(registry)

    def has(self, registry: RegistryName) -> bool:
        """Whether an upload has a token, or a way to mint one; mints none."""
        return bool(self.tokens.get(registry)) or self.trusted is not None

    def missing(self, registry: RegistryName) -> str:
        """That there is neither token nor identity, and the way out."""
        variable = VARIABLES[registry]
        if not self.in_actions:
            return f"no token for {registry}: set {variable} in the environment"
        grant = "give the job `permissions: id-token: write`"
        if registry in BY_IDENTITY:
            return (
                f"no token for {registry}: a GitHub Actions job publishes there as trusted publisher: {grant} and "
                f"`environment: {registry}` ({variable} counts outside of GitHub Actions only)"
            )
        return f"no token for {registry}: set {variable} in the job's environment, or for trusted publishing {grant}"

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that is to be redacted."""
        asking = (self.trusted.id_tokens.request_token,) if self.trusted else ()
        return (*(token for token in self.tokens.values() if token), *asking)

    @contextmanager
    def for_package(
        self, registry: RegistryName, name: str, *, exists: Callable[[], bool], log: Callable[[str], None]
    ) -> Iterator["Credentials"]:
        """What one upload of `name` uses. Where a token is minted, it is at its first use; revoked when the block ends.

        `exists` asks whether the registry has any version of `name`; `log` takes a line. Raises InputError for a first
        publish that no trusted publisher may do.
        """
        if not self.is_trusted(registry) or self.trusted is None:
            yield self
            return
        if registry in NO_FIRST_PUBLISH and not exists():
            raise InputError(f"{name}: never published on {TITLES[registry]}, and {first_publish(registry, name)}")
        minting = _Minting(self.tokens, self.trusted, self.in_actions, registry=registry, name=name, log=log)
        try:
            yield minting
        finally:
            minting.revoke(self.trusted)


@dataclass(frozen=True)
class _Minting(Credentials):
    """Credentials that mint the token of one registry for one package."""

    registry: RegistryName = RegistryName.PYPI
    name: str = ""
    log: Callable[[str], None] = field(default=print, repr=False)
    minted: list[Minted] = field(default_factory=list, repr=False)

    def token(self, registry: RegistryName) -> str | None:
        if registry is not self.registry or self.trusted is None:
            return super().token(registry)
        if not self.minted or self.trusted.clock() >= self.minted[-1].renew_at:
            self.minted.append(self.trusted.mint(registry, self.name))
            self.log(f"{self.name}: {TITLES[registry]} gave a token to this job as trusted publisher")
        return self.minted[-1].token

    @property
    def secrets(self) -> tuple[str, ...]:
        return (*super().secrets, *(secret for minted in self.minted for secret in (minted.token, minted.id_token)))

    def revoke(self, trusted: TrustedPublishing) -> None:
        """Revoke what was minted. What can't be is said, and ends by itself: it fails no upload."""
        while self.minted:
            minted = self.minted.pop()
            try:
                trusted.revoke(minted)
            except ReleaseError as error:
                self.log(f"{self.name}: the minted token could not be revoked, and expires by itself: {error}")
