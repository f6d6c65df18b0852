"""What the four clients have in common: downloads, and waiting for an index."""

import base64
import hashlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from tasker_release_pipeline.registries import http
from tasker_release_pipeline.registries.compare import Difference, conflict, files_of, identity, stated
from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.registries.endpoints import TITLES, is_live
from tasker_release_pipeline.registries.model import Holdings, RegistryFile, Upload
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName
from tasker_release_pipeline.release.errors import NotVisibleError, RegistryError, UnavailableError

FIRST_PAUSE, GROWTH, LONGEST_PAUSE = 0.2, 1.6, 10.0


class BaseClient(ABC):
    """A registry at its endpoints; see `model.RegistryClient` for what each method promises."""

    registry: RegistryName

    def __init__(self, endpoints: Endpoints) -> None:
        self.endpoints = endpoints

    @property
    def live(self) -> bool:
        """Whether an upload is for ever."""
        return is_live(self.endpoints)

    @abstractmethod
    def holdings(self, name: str) -> Holdings:
        """All that is published under `name`."""

    @abstractmethod
    def page(self, name: str, version: str) -> str:
        """The page for people; on loopback, which has none, the registry's own record of the package."""

    @abstractmethod
    def upload(self, upload: Upload, credentials: Credentials) -> None:
        """Send the files with the registry's own client."""

    def fetch(self, file: RegistryFile) -> bytes:
        """The file's bytes, verified against every digest that the registry states."""
        response = http.get(file.url, fresh=False)
        if response is None:
            raise RegistryError(f"{file.file}: listed by {TITLES[self.registry]}, but not there: {file.url}")
        content = response.content
        for expected, actual in ((file.sha256, sha256(content)), (file.integrity, integrity(content))):
            if expected is not None and expected != actual:
                raise RegistryError(
                    f"{file.file}: {file.url} gives {actual}, but {TITLES[self.registry]} states {expected}"
                )
        return content

    def digest(self, file: RegistryFile) -> str:
        """The published file's digest of the kind that we compare; downloads it where the registry states none."""
        if known := stated(file, self.registry):
            return known
        content = self.fetch(file)
        return integrity(content) if self.registry is RegistryName.NPM else sha256(content)

    def wait_until_visible(
        self, name: str, version: str, files: Mapping[str, str], limit_seconds: float, log: Callable[[str], None]
    ) -> float:
        """Ask until the registry serves all `files` of the version; the seconds that it took."""
        title, started, pause = TITLES[self.registry], time.monotonic(), FIRST_PAUSE
        while True:
            wait = pause
            try:
                missing = self._missing(name, version, files)
                if not missing:
                    return time.monotonic() - started
                state = f"does not serve {', '.join(missing)} yet"
            except UnavailableError as error:
                state, wait = f"could not be asked: {error}", max(pause, error.retry_after or 0)
            waited = time.monotonic() - started
            if waited >= limit_seconds:
                raise NotVisibleError(
                    f"{name} {version}: uploaded to {title}, not yet visible after {waited:.0f} s ({title} {state}); "
                    "run again: what is there by then counts as published, and nothing is uploaded twice"
                )
            log(f"{name} {version}: {title} {state}; {waited:.0f} of {limit_seconds:.0f} s")
            time.sleep(min(wait, limit_seconds - waited))
            pause = min(pause * GROWTH, LONGEST_PAUSE)

    def _missing(self, name: str, version: str, files: Mapping[str, str]) -> list[str]:
        """Those of `files` that are not served. Raises ConflictError for other content."""
        served = {identity(self.registry, f.file): f for f in files_of(self.holdings(name), version, self.registry)}
        found = {file: served.get(identity(self.registry, file)) for file in files}
        theirs = {file: (self.digest(published), published) for file, published in found.items() if published}
        differences = [
            Difference(file=file, ours=files[file], theirs=their_digest, url=published.url)
            for file, (their_digest, published) in theirs.items()
            if their_digest != files[file]
        ]
        if differences:
            raise conflict(self.registry, name, version, differences, {})
        return [file for file, published in found.items() if published is None]


def sha256(content: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def integrity(content: bytes) -> str:
    """npm's kind of digest: `sha512-` and base64."""
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
