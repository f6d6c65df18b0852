"""The four packages of an example, and their uploads by plain HTTP."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

from tasker_release_pipeline.loopback.server import LoopbackRegistries
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.manifest import Manifest

from ..loopback import packages

VERSION = "1.0.0"


class Half(httpx.HTTPTransport):
    """Sends the first half of a request's body."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        body = request.read()

        class Stream(httpx.SyncByteStream):
            def __iter__(self) -> Iterator[bytes]:
                yield body[: len(body) // 2]
                raise httpx.WriteError("killed")

        request.stream = Stream()
        return super().handle_request(request)


def files_of(registry: RegistryName, name: str) -> dict[str, bytes]:
    """Small files of the package: of gem and wheel one for each of two platforms."""
    if registry is RegistryName.CRATES_IO:
        return {f"{name}-{VERSION}.crate": packages.crate(name, VERSION)}
    if registry is RegistryName.RUBYGEMS:
        names = {"ruby": f"{name}-{VERSION}.gem", "x86_64-linux": f"{name}-{VERSION}-x86_64-linux.gem"}
        return {file: packages.gem(name, VERSION, platform) for platform, file in names.items()}
    if registry is RegistryName.PYPI:
        platforms = ("manylinux_2_28_x86_64", "win_amd64")
        return {packages.wheel_name(name, VERSION, p): packages.wheel(name, VERSION, text=p) for p in platforms}
    return {f"{name.removeprefix('@').replace('/', '-')}-{VERSION}.tgz": packages.npm_tarball(name, VERSION)}


Sender = Callable[[httpx.Client, LoopbackRegistries, str, Path], httpx.Response]
SENDERS: dict[RegistryName, Sender] = {
    RegistryName.CRATES_IO: lambda client, to, name, path: packages.put_crate(
        client, to, packages.crate_body(name, VERSION, path.read_bytes())
    ),
    RegistryName.RUBYGEMS: lambda client, to, _, path: packages.push_gem(client, to, path.read_bytes()),
    RegistryName.PYPI: lambda client, to, _, path: packages.upload_wheel(client, to, path.name, path.read_bytes()),
    RegistryName.NPM: lambda client, to, name, path: packages.put_npm(
        client, to, packages.npm_document(name, VERSION, path.read_bytes())
    ),
}


def manifest_of(like: Manifest, names: dict[RegistryName, str]) -> Manifest:
    """Tasker's manifest, but with one package of each registry, and patience for seconds."""
    rows = [
        like.of_registry(registry)[0].model_copy(update={"name": name, "phase": 1 if registry == "crates_io" else None})
        for registry, name in names.items()
    ]
    registries = {
        registry: limits.model_copy(update={"propagation_seconds": 2}) for registry, limits in like.registries.items()
    }
    return Manifest.model_construct(
        **{
            **{name: getattr(like, name) for name in Manifest.model_fields},
            "packages": tuple(rows),
            "registries": registries,
        }
    )
