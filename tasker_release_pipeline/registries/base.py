"""What the four clients have in common: downloads and digests."""

import base64
import hashlib
from abc import ABC, abstractmethod

from tasker_release_pipeline.registries import http
from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.registries.endpoints import TITLES, is_live
from tasker_release_pipeline.registries.model import Holdings, RegistryFile, Upload
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName
from tasker_release_pipeline.release.errors import UntoldError


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
            raise UntoldError(f"{file.file}: listed by {TITLES[self.registry]}, but not there: {file.url}")
        content = response.content
        for expected, actual in ((file.sha256, sha256(content)), (file.integrity, integrity(content))):
            if expected is not None and expected != actual:
                raise UntoldError(
                    f"{file.file}: {file.url} gives {actual}, but {TITLES[self.registry]} states {expected}"
                )
        return content


def sha256(content: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def integrity(content: bytes) -> str:
    """npm's kind of digest: `sha512-` and base64."""
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()
