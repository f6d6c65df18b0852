"""PyPI: the simple index, as JSON or HTML, and `uv publish`."""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote, urljoin

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion

from tasker_release_pipeline.registries import http
from tasker_release_pipeline.registries.base import BaseClient
from tasker_release_pipeline.registries.client_env import client_env
from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.registries.endpoints import with_slash
from tasker_release_pipeline.registries.model import Holdings, RegistryFile, Upload
from tasker_release_pipeline.registries.simple_page import links
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.toolchains.runner import run

_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.2, */*;q=0.1"


class PyPIClient(BaseClient):
    """A Python package index."""

    registry = RegistryName.PYPI

    def holdings(self, name: str) -> Holdings:
        """The simple index's files. Mirrors may serve it as HTML only, or only the JSON API beside it."""
        page = f"{self.endpoints.pypi}/simple/{canonicalize_name(name)}/"
        response = http.get(page, accept=_ACCEPT)
        if response is None:
            return self._by_json_api(name)
        if "html" in response.headers.get("content-type", ""):
            found = [_file(*link) for link in links(response.text, page)]
            # A portal's page is HTML as well. A project without files has this mark (PEP 629).
            if not any(found) and "pypi:repository-version" not in response.text:
                raise http.malformed(page, ValueError("HTML, but no simple index"))
            return _held(found, ())
        document = http.parsed(response)
        try:
            files = [
                _file(
                    entry["filename"],
                    urljoin(page, entry["url"]),
                    entry.get("hashes", {}).get("sha256"),
                    bool(entry.get("yanked", False)),
                )
                for entry in document["files"]
            ]
            return _held(files, document.get("versions", ()))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise http.malformed(page, error) from None

    def page(self, name: str, version: str) -> str:
        """The project's page."""
        if self.live:
            return f"{self.endpoints.pypi}/project/{canonicalize_name(name)}/{quote(version)}/"
        return f"{self.endpoints.pypi}/simple/{canonicalize_name(name)}/"

    def upload(self, upload: Upload, credentials: Credentials) -> None:
        """Send the files, each once: whether a dropped one arrived is for the caller to ask."""
        home = upload.scratch / "uv-home"
        home.mkdir(parents=True, exist_ok=True)
        env = {
            **client_env(self.endpoints.pypi_upload, home),
            "UV_CACHE_DIR": str(home / "cache"),
            "UV_NO_CONFIG": "1",
            "UV_KEYRING_PROVIDER": "disabled",
            "UV_HTTP_RETRIES": "0",
            "UV_PUBLISH_TOKEN": credentials.needed(self.registry),
        }
        run(
            [
                *("uv", "publish", "--publish-url", with_slash(self.endpoints.pypi_upload)),
                # A trusted publisher's token is minted already, with words for a refusal that uv has not.
                *("--trusted-publishing", "never"),
                *(str(file.absolute()) for file in upload.files),
            ],
            cwd=home,
            seconds=upload.seconds,
            log=upload.log,
            env=env,
            secrets=credentials.secrets,
            logfile=upload.logfile,
        )

    def _by_json_api(self, name: str) -> Holdings:
        url = f"{self.endpoints.pypi}/pypi/{canonicalize_name(name)}/json"
        document: Any = http.get_json(url)
        if document is None:
            return Holdings()
        try:
            files = [
                RegistryFile(
                    version=version,
                    file=entry["filename"],
                    sha256=entry.get("digests", {}).get("sha256"),
                    url=entry["url"],
                    yanked=bool(entry.get("yanked", False)),
                )
                for version, entries in document["releases"].items()
                for entry in entries
            ]
            return _held(files, document["releases"])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise http.malformed(url, error) from None


def _held(files: Sequence[RegistryFile | None], versions: Iterable[str]) -> Holdings:
    known = tuple(file for file in files if file is not None)
    return Holdings(versions=tuple(dict.fromkeys([*versions, *(file.version for file in known)])), files=known)


def _file(file: str, url: str, sha256: str | None, yanked: bool) -> RegistryFile | None:
    """A file whose version its name tells; None for what no one can install any more (.exe, .egg, .rpm)."""
    try:
        version = str((parse_wheel_filename if file.endswith(".whl") else parse_sdist_filename)(file)[1])
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return None
    return RegistryFile(version=version, file=file, sha256=sha256, url=url, yanked=yanked)
