"""What a registry holds, what an upload needs, and what every registry's client offers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict

from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName


class RegistryFile(BaseModel):
    """One published file.

    `version` and `file` as the registry writes them, `sha256` hex and `integrity` (npm's `sha512-...`) where the
    registry states them, `url` its download. `yanked`: still there, but withdrawn.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    file: str
    sha256: str | None = None
    integrity: str | None = None
    url: str
    yanked: bool = False


class Holdings(BaseModel):
    """All that a registry has under one name; empty where it does not know the name.

    `versions`: every number that is used up, as the registry writes it, oldest first where the registry orders them:
    also those without a file (npm's unpublished ones). RubyGems does not tell yanked ones, PyPI not deleted ones.
    `tags`: npm's dist-tags and the versions that they point at.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    versions: tuple[str, ...] = ()
    files: tuple[RegistryFile, ...] = ()
    tags: dict[str, str] = {}


def _no_log(_: str) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class Upload:
    """One upload of one version of one package.

    `version` is in the registry's own style. `files` go up in this order. `scratch` is a private folder for the
    client's home, settings and caches: the same one for several uploads to the same registries spares downloads, and
    nothing may be in it that is not ours. `dist_tag` and `access` are npm's. `source` (the stamped tree) and
    `target_dir` are for crates, which cargo packages again. `seconds` limits each command.
    """

    name: str
    version: str
    files: tuple[Path, ...]
    scratch: Path
    seconds: float
    log: Callable[[str], None] = _no_log
    logfile: Path | None = None
    dist_tag: str = ""
    access: str = "public"
    source: Path | None = None
    target_dir: Path | None = None


class RegistryClient(Protocol):
    """One registry, at one set of endpoints. Names and versions are written as the registry writes them."""

    @property
    def registry(self) -> RegistryName:
        """Which of the four."""

    @property
    def endpoints(self) -> Endpoints:
        """Where it answers."""

    def holdings(self, name: str) -> Holdings:
        """All that is published under `name`; empty for an unknown name. Raises UnavailableError, RegistryError."""

    def page(self, name: str, version: str) -> str:
        """The page for people."""

    def fetch(self, file: RegistryFile) -> bytes:
        """The file's bytes, verified against every digest that the registry states of it.

        Raises UnavailableError, and RegistryError for other bytes or a file that is not there.
        """

    def upload(self, upload: Upload, credentials: Credentials) -> None:
        """Send the files with the registry's own client.

        Raises ToolError with the client's last words: the files may have arrived all the same, so ask the registry.
        Raises ConflictError before anything is sent, where the client would send other bytes than these.
        """
