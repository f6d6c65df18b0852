"""What the registries let us in with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError

VARIABLES = {
    RegistryName.CRATES_IO: "CARGO_REGISTRY_TOKEN",
    RegistryName.RUBYGEMS: "GEM_HOST_API_KEY",
    RegistryName.PYPI: "UV_PUBLISH_TOKEN",
    RegistryName.NPM: "NPM_TOKEN",
}
"""The environment variables that tokens come in: the names that the registries' own clients use."""


@dataclass(frozen=True)
class Credentials:
    """A token for each registry that one is known for; shown nowhere."""

    tokens: Mapping[RegistryName, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Credentials":
        """The tokens that `environment` holds; an empty one counts as none."""
        found = {registry: environment.get(name, "").strip() for registry, name in VARIABLES.items()}
        return cls({registry: token for registry, token in found.items() if token})

    def token(self, registry: RegistryName) -> str | None:
        """The registry's token. Without one PyPI's and npm's clients try trusted publishing."""
        return self.tokens.get(registry) or None

    def needed(self, registry: RegistryName) -> str:
        """The registry's token. Raises InputError where there is none."""
        if token := self.token(registry):
            return token
        raise InputError(f"no token for {registry}: set {VARIABLES[registry]} in the environment")

    @property
    def secrets(self) -> tuple[str, ...]:
        """All tokens, to be redacted."""
        return tuple(token for token in self.tokens.values() if token)
