"""crates.io: the sparse index, and `cargo publish` held to the bytes that were proven."""

import json
import os
from functools import cached_property
from pathlib import Path

from tasker_release_pipeline.registries import http
from tasker_release_pipeline.registries.base import BaseClient, sha256
from tasker_release_pipeline.registries.client_env import client_env
from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.registries.endpoints import with_slash
from tasker_release_pipeline.registries.model import Holdings, RegistryFile, Upload
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import ConflictError, InputError
from tasker_release_pipeline.toolchains.runner import run

STAND_IN = "rehearsal"
"""What cargo calls a registry that stands in for crates.io."""


class CratesIoClient(BaseClient):
    """A cargo registry. It is asked through the index, as the API takes one request a second only."""

    registry = RegistryName.CRATES_IO

    def holdings(self, name: str) -> Holdings:
        """The index's lines; yanked versions are among them."""
        url = f"{self.endpoints.cargo_index}/{index_path(name)}"
        response = http.get(url)
        if response is None:
            return Holdings()
        try:
            lines = [json.loads(line) for line in response.text.splitlines() if line.strip()]
            files = tuple(
                RegistryFile(
                    version=line["vers"],
                    file=f"{line['name']}-{line['vers']}.crate",
                    sha256=line["cksum"],
                    url=self._download(line["name"], line["vers"], line["cksum"]),
                    yanked=line.get("yanked", False),
                )
                for line in lines
            )
        except (ValueError, KeyError, TypeError) as error:
            raise http.malformed(url, error) from None
        return Holdings(versions=tuple(f.version for f in files), files=files)

    def page(self, name: str, version: str) -> str:
        """The crate's page."""
        if self.live:
            return f"{self.endpoints.cargo_api}/crates/{name}/{version}"
        return f"{self.endpoints.cargo_index}/{index_path(name)}"

    def upload(self, upload: Upload, credentials: Credentials) -> None:
        """Package once more without verifying, compare, and only then publish.

        `cargo publish` takes no archive: it packages the tree itself, so what it will send is made first, with the
        same arguments in the same place.
        """
        if upload.source is None or upload.target_dir is None:
            raise InputError(f"{upload.name}: cargo publishes from the stamped source; none was given")
        settings, env = self._cargo(upload, credentials)
        common = [
            *("-p", upload.name, "--no-verify", "--locked", "--target-dir", str(upload.target_dir)),
            *("--registry", "crates-io" if self.live else STAND_IN),
        ]
        for command in ("package", "publish"):
            # Packaging needs no token, and a dependency's build script could read one.
            token = {} if command == "package" else self._token(credentials)
            run(
                ["cargo", *settings, command, *common],
                cwd=upload.source,
                seconds=upload.seconds,
                log=upload.log,
                env={**env, **token},
                secrets=credentials.secrets,
                logfile=upload.logfile,
            )
            if command == "package":
                _same_bytes(upload, upload.target_dir / "package" / f"{upload.name}-{upload.version}.crate")

    def _download(self, name: str, version: str, sha256_hex: str) -> str:
        """Where an archive is; the index tells it, as cargo's reference describes."""
        prefix = index_path(name).rpartition("/")[0]
        markers = {
            "crate": name,
            "version": version,
            "sha256-checksum": sha256_hex,
            "prefix": prefix,
            "lowerprefix": prefix,
        }
        url = self._template
        for marker, value in markers.items():
            url = url.replace(f"{{{marker}}}", value)
        return url

    @cached_property
    def _template(self) -> str:
        url = f"{self.endpoints.cargo_index}/config.json"
        try:
            template = str(http.get_json(url)["dl"])
        except (KeyError, TypeError) as error:
            raise http.malformed(url, error) from None
        return template if "{" in template else template + "/{crate}/{version}/download"

    def _cargo(self, upload: Upload, credentials: Credentials) -> tuple[list[str], dict[str, str]]:
        """Settings as arguments, and the environment: a home of its own, without anyone's logins or mirrors."""
        if not credentials.has(self.registry):
            raise InputError(credentials.missing(self.registry))
        home = upload.scratch / "cargo-home"
        home.mkdir(parents=True, exist_ok=True)
        # rustup's cargo finds its toolchains beside the usual home, which CARGO_HOME would move. HOME stays: git's
        # settings are in it, and a checkout that git does not trust would be packaged without its commit's hash.
        rustup = os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup"))
        env = {
            **client_env(self.endpoints.cargo_index, Path.home()),
            "CARGO_HOME": str(home),
            "RUSTUP_HOME": rustup,
            "CARGO_TERM_COLOR": "never",
        }
        if self.live:
            return [], env
        index = f"sparse+{with_slash(self.endpoints.cargo_index)}"
        settings = [
            *("--config", f'registries.{STAND_IN}.index="{index}"'),
            *("--config", f'source.crates-io.replace-with="{STAND_IN}"'),
        ]
        return settings, env

    def _token(self, credentials: Credentials) -> dict[str, str]:
        name = "CARGO_REGISTRY_TOKEN" if self.live else f"CARGO_REGISTRIES_{STAND_IN.upper()}_TOKEN"
        return {name: credentials.needed(self.registry)}


def index_path(name: str) -> str:
    """Where a sparse index has the crate: `1/a`, `2/ab`, `3/a/abc`, `ab/cd/abcd`, in lowercase."""
    name = name.lower()
    if len(name) <= 3:
        return f"{len(name)}/{name[0]}/{name}" if len(name) == 3 else f"{len(name)}/{name}"
    return f"{name[:2]}/{name[2:4]}/{name}"


def _same_bytes(upload: Upload, packaged: Path) -> None:
    """Raise ConflictError where cargo would send other bytes than those that were proven."""
    (artifact,) = upload.files
    ours, theirs = sha256(artifact.read_bytes()), sha256(packaged.read_bytes())
    if ours != theirs:
        raise ConflictError(
            f"{upload.name} {upload.version}: cargo would upload {theirs} ({packaged}), but {ours} ({artifact}) went "
            "through the gate. Another cargo version can give other bytes: package with the cargo that built it; or "
            f"the source {upload.source} is not at the commit that it was built from"
        )
