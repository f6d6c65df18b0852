"""npm: the packument, and `npm publish` from a neutral place."""

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import quote, urlsplit

from tasker_release_pipeline.registries import http
from tasker_release_pipeline.registries.base import BaseClient
from tasker_release_pipeline.registries.client_env import ID_TOKEN, client_env, github_env, in_live_github_job
from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.registries.endpoints import with_slash
from tasker_release_pipeline.registries.id_token import IdTokens
from tasker_release_pipeline.registries.model import Holdings, RegistryFile, Upload
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.toolchains.runner import run

_NO_VERSIONS = ("created", "modified", "unpublished")


class NpmClient(BaseClient):
    """An npm registry."""

    registry = RegistryName.NPM

    def holdings(self, name: str) -> Holdings:
        """The packument's versions and dist-tags, and unpublished numbers, which its `time` still knows."""
        url = f"{self.endpoints.npm}/{escaped(name)}"
        packument = http.get_json(url)
        if packument is None:
            return Holdings()
        try:
            _ = packument["name"]  # whatever else lacks, a packument has its name
            versions: dict[str, Any] = packument.get("versions", {})
            times: dict[str, Any] = packument.get("time", {})
            files = tuple(_file(version, entry["dist"]) for version, entry in versions.items())
            gone = [*times, *times.get("unpublished", {}).get("versions", [])]
            numbers = tuple(dict.fromkeys([*(v for v in gone if v not in _NO_VERSIONS), *versions]))
            return Holdings(versions=numbers, files=files, tags=packument.get("dist-tags", {}))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise http.malformed(url, error) from None

    def page(self, name: str, version: str) -> str:
        """The package's page."""
        if self.live:
            return f"https://www.npmjs.com/package/{name}/v/{version}"
        return f"{self.endpoints.npm}/{escaped(name)}"

    def upload(self, upload: Upload, credentials: Credentials) -> None:
        """Publish the tarball under the dist-tag that was planned."""
        if not upload.dist_tag:
            raise InputError(f"{upload.name}: no dist-tag; without one npm would move `latest`")
        home = upload.scratch / "npm-home"
        home.mkdir(parents=True, exist_ok=True)
        (tarball,) = upload.files
        registry = with_slash(self.endpoints.npm)
        token = credentials.needed(self.registry)
        # npm expands the variable itself: the file holds no secret.
        address = urlsplit(registry)
        (home / "npmrc").write_text(f"//{address.netloc}{address.path}:_authToken=${{NPM_TOKEN}}\n")
        github = github_env(self.endpoints)
        env = {
            **client_env(self.endpoints.npm, home),
            "NPM_CONFIG_USERCONFIG": str(home / "npmrc"),
            "NPM_CONFIG_GLOBALCONFIG": str(home / "no-global-npmrc"),
            "NPM_CONFIG_CACHE": str(home / "cache"),
            "NPM_CONFIG_UPDATE_NOTIFIER": "false",
            **github,
            "NPM_TOKEN": token,
        }
        command = [
            *("npm", "publish", f"./{tarball.name}", "--access", upload.access, "--tag", upload.dist_tag),
            *("--registry", registry, "--ignore-scripts", "--fetch-retries", "0"),
            *provenance(self.endpoints),
        ]
        # The public packument keeps the whole path that a tarball was published from: let it say nothing.
        with TemporaryDirectory(prefix="npm-publish-") as neutral:
            shutil.copyfile(tarball, Path(neutral) / tarball.name)
            run(
                command,
                cwd=Path(neutral),
                seconds=upload.seconds,
                log=upload.log,
                env=env,
                secrets=(*credentials.secrets, github.get(ID_TOKEN, "")),
                logfile=upload.logfile,
            )


def provenance(endpoints: Endpoints) -> list[str]:
    """npm's `--provenance` for a release from a GitHub job that has ID tokens to sign with.

    Anywhere else it fails, and it writes a public log entry, which a rehearsal must not.
    """
    has_identity = in_live_github_job(endpoints) and IdTokens.from_environment(os.environ) is not None
    return ["--provenance"] if has_identity else []


def escaped(name: str) -> str:
    """A package's name in a URL: `@scope%2fname`."""
    return quote(name, safe="@").replace("%2F", "%2f")


def _file(version: str, dist: dict[str, str]) -> RegistryFile:
    """`dist.integrity` may hold several digests; only SHA-512 counts, and the old `shasum` (SHA-1) proves nothing."""
    sha512 = next((d for d in dist.get("integrity", "").split() if d.startswith("sha512-")), None)
    url = dist["tarball"]
    return RegistryFile(version=version, file=url.rpartition("/")[2], integrity=sha512, url=url)
