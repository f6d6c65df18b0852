"""What every registry's clients do, in plain HTTP, with a package `one`."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from tasker_release_pipeline.loopback.server import LoopbackRegistries
from tasker_release_pipeline.release.endpoints import RegistryName

from . import packages

ACCEPT = {"accept": "application/vnd.pypi.simple.v1+json, application/json;q=0.9, */*;q=0.1"}


@dataclass(frozen=True)
class Actions:
    """One registry's. `index` and `file` are addresses, `digests` reads those that an index states, by version."""

    registry: RegistryName
    build: Callable[[str], bytes]
    upload: Callable[[httpx.Client, LoopbackRegistries, bytes, str], httpx.Response]
    index: Callable[[LoopbackRegistries], str]
    file: Callable[[LoopbackRegistries, str], str]
    digests: Callable[[httpx.Response], dict[str, str]]
    algorithm: str = "sha256"

    def publish(self, client: httpx.Client, to: LoopbackRegistries, version: str = "1.0.0") -> httpx.Response:
        return self.upload(client, to, self.build(version), version)

    def shown(self, client: httpx.Client, to: LoopbackRegistries) -> dict[str, str]:
        """Version and digest of what the index serves."""
        answer = client.get(self.index(to), headers=ACCEPT)
        return {} if answer.status_code == 404 else self.digests(answer.raise_for_status())

    def held(self, client: httpx.Client, to: LoopbackRegistries) -> list[str]:
        """The versions that are really there."""
        return list(client.get(f"{base(to)}/_holdings").json()[self.registry].get("one", {}))


def base(to: LoopbackRegistries) -> str:
    return to.endpoints.npm.removesuffix("/npm")


def _integrity(packument: httpx.Response) -> dict[str, str]:
    stated = {version: entry["dist"]["integrity"] for version, entry in packument.json()["versions"].items()}
    return {version: base64.b64decode(value.removeprefix("sha512-")).hex() for version, value in stated.items()}


CARGO = Actions(
    RegistryName.CRATES_IO,
    build=lambda version: packages.crate("one", version),
    upload=lambda client, to, data, version: packages.put_crate(client, to, packages.crate_body("one", version, data)),
    index=lambda to: f"{to.endpoints.cargo_index}/3/o/one",
    file=lambda to, version: f"{to.endpoints.cargo_api}/api/v1/crates/one/{version}/download",
    digests=lambda answer: {line["vers"]: line["cksum"] for line in map(json.loads, answer.text.splitlines())},
)
GEM = Actions(
    RegistryName.RUBYGEMS,
    build=lambda version: packages.gem("one", version),
    upload=lambda client, to, data, _: packages.push_gem(client, to, data),
    index=lambda to: f"{to.endpoints.rubygems}/api/v1/versions/one.json",
    file=lambda to, version: f"{to.endpoints.rubygems}/gems/one-{version}.gem",
    digests=lambda answer: {entry["number"]: entry["sha"] for entry in answer.json()},
)
PYPI = Actions(
    RegistryName.PYPI,
    build=lambda version: packages.wheel("one", version),
    upload=lambda client, to, data, version: packages.upload_wheel(
        client, to, packages.wheel_name("one", version), data
    ),
    index=lambda to: f"{to.endpoints.pypi}/simple/one/",
    file=lambda to, version: f"{to.endpoints.pypi}/files/one/{packages.wheel_name('one', version)}",
    digests=lambda answer: {
        file["filename"].split("-")[1]: file["hashes"]["sha256"] for file in answer.json()["files"]
    },
)
NPM = Actions(
    RegistryName.NPM,
    build=lambda version: packages.npm_tarball("one", version),
    upload=lambda client, to, data, version: packages.put_npm(client, to, packages.npm_document("one", version, data)),
    index=lambda to: f"{to.endpoints.npm}/one",
    file=lambda to, version: f"{to.endpoints.npm}/one/-/one-{version}.tgz",
    digests=_integrity,
    algorithm="sha512",
)
ALL = (CARGO, GEM, PYPI, NPM)
