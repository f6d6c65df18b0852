"""The same packages published by hand: a plain sequence of the registries' own clients, and single uploads."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from bench.world import RELEASE, World
from tasker_release_pipeline.loopback.fault_words import parse_faults
from tasker_release_pipeline.loopback.server import LoopbackRegistries, serve
from tasker_release_pipeline.registries.endpoints import LIVE
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.manifest import load
from tasker_release_pipeline.toolchains.tools import search_path

_SCRIPT = Path(__file__).with_name("plain.sh")


@dataclass(frozen=True)
class Clients:
    """The registries' clients, set up for loopback registries, with a home of their own."""

    registries: LoopbackRegistries
    home: Path

    def environment(self, world: World) -> dict[str, str]:
        """What the clients read."""
        ends, token = self.registries.endpoints, self.registries.token
        self.home.mkdir(parents=True, exist_ok=True)
        (self.home / "out").mkdir(exist_ok=True)
        (self.home / "config.toml").write_text(
            f'[registries.rehearsal]\nindex = "sparse+{ends.cargo_index}/"\n'
            '[source.crates-io]\nreplace-with = "rehearsal"\n'
        )
        npm = urlsplit(f"{ends.npm}/")
        (self.home / "npmrc").write_text(f"//{npm.netloc}{npm.path}:_authToken=${{NPM_TOKEN}}\n")
        return {
            "PATH": search_path(),
            "HOME": str(Path.home()),
            "RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup")),
            "CARGO_HOME": str(self.home),
            "CARGO_TARGET_DIR": str(self.home / "target"),
            "CARGO_REGISTRIES_REHEARSAL_TOKEN": token,
            "SQLX_OFFLINE": "true",
            "BUNDLE_FROZEN": "true",
            "GEM_HOST_API_KEY": token,
            "UV_PUBLISH_TOKEN": token,
            "NPM_TOKEN": token,
            "NPM_CONFIG_USERCONFIG": str(self.home / "npmrc"),
            "NPM_CONFIG_CACHE": str(self.home / "npm-cache"),
            "NPM_CONFIG_UPDATE_NOTIFIER": "false",
            "no_proxy": "127.0.0.1,localhost",
            "SOURCE": str(world.source),
            "OUT": str(self.home / "out"),
            "RUBYGEMS": ends.rubygems,
            "PYPI": ends.pypi_upload,
            "NPM": f"{ends.npm}/",
        }

    def run(self, world: World, command: list[str]) -> float:
        """The seconds of a command that publishes."""
        return world.run(command, **self.environment(world))

    def npm_publish(self, world: World) -> float:
        """The bare upload of the release's stored tarball."""
        (tarball,) = (world.folder / "store" / RELEASE / "artifacts").glob("*.tgz")
        publish = ["npm", "publish", str(tarball), "--access", "public", "--tag", "alpha", "--ignore-scripts"]
        return self.run(world, [*publish, "--registry", f"{self.registries.endpoints.npm}/"])


@contextmanager
def served(folder: Path, cache: Path, propagation: int = 0) -> Iterator[Clients]:
    """Fresh registries over a folder, and clients for them."""
    manifest = load("tasker")
    reserved = {name: frozenset(p.name for p in manifest.of_registry(name)) for name in RegistryName}
    late = parse_faults(f"any:index:late={propagation}") if propagation else ()
    with serve(folder / "registries", reserved=reserved, upstream=LIVE, cache=cache, faults=late) as registries:
        yield Clients(registries, folder / "home")


def plain_sequence(world: World, cache: Path, propagation: int) -> float:
    """The seconds, without any sleep, that it takes to publish everything by hand."""
    with served(world.folder / "plain", cache, propagation) as clients:
        return clients.run(world, ["bash", str(_SCRIPT)])


def workspace_publish(world: World, cache: Path) -> float:
    """The seconds that one `cargo publish` takes for all crates."""
    crates = [part for crate in load("tasker").crates for part in ("-p", crate.name)]
    command = ["cargo", "publish", *crates, "--locked", "--registry", "rehearsal"]
    manifest_path = ["--manifest-path", str(world.source / "Cargo.toml")]
    with served(world.folder / "workspace", cache) as clients:
        return clients.run(world, [*command, *manifest_path])
