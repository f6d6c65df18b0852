"""Installing from registries on loopback, with the real tools, as a user has it."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tasker_release_pipeline.loopback.seed import seed_gem
from tasker_release_pipeline.loopback.server import LoopbackRegistries, serve
from tasker_release_pipeline.registries.client import client
from tasker_release_pipeline.registries.endpoints import LIVE
from tasker_release_pipeline.registries.model import Credentials, Upload
from tasker_release_pipeline.release.artifact import Artifact
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError, ToolError
from tasker_release_pipeline.release.manifest import Package
from tasker_release_pipeline.toolchains.clean_install import install
from tasker_release_pipeline.toolchains.runner import run
from tasker_release_pipeline.toolchains.runtimes import Runtime, find
from tests.nodes import node

from .conftest import EPOCH, Example, clone_example, silent

pytestmark = pytest.mark.toolchain
SECONDS = 300


@dataclass(frozen=True)
class Staged:
    """Registries that hold the example's packages."""

    example: Example
    registries: LoopbackRegistries

    def install(
        self, packages: list[Package], scratch: Path, version: str = "0.1.0", runtime: Runtime | None = None
    ) -> dict[str, str]:
        registry = packages[0].registry
        return install(
            registry,
            [(package, version) for package in packages],
            endpoints=self.registries.endpoints,
            scratch=scratch,
            seconds=SECONDS,
            log=silent,
            logfile=scratch.parent / "install.log",
            env=self.example.manifest.registries[registry].install_env,
            runtime=runtime,
        )


@pytest.fixture(scope="session")
def staged(example: Example) -> Iterator[Staged]:
    folder = example.shared.folder
    reserved = {
        registry: frozenset(p.name for p in example.manifest.of_registry(registry)) for registry in RegistryName
    }
    with serve(folder / "registries", reserved=reserved, upstream=LIVE, cache=folder / "cache") as registries:
        with example.shared.once("publish") as first:
            if first:
                publish(example, registries)
        yield Staged(example, registries)


def publish(example: Example, registries: LoopbackRegistries) -> None:
    credentials = Credentials(dict.fromkeys(RegistryName, registries.token))
    for registry in RegistryName:
        built: dict[str, Artifact] = {artifact.package: artifact for artifact in example.built(registry)}
        for package in example.manifest.of_registry(registry):
            artifact = built[package.key]
            upload = Upload(
                name=package.name,
                version=artifact.version,
                files=(example.out(registry) / artifact.file,),
                scratch=example.shared.folder / "uploads",
                seconds=SECONDS,
                dist_tag="alpha",
                source=example.source,
                target_dir=example.shared.folder / "target",
            )
            client(registry, registries.endpoints).upload(upload, credentials)


@pytest.mark.parametrize("registry", list(RegistryName))
def test_what_is_installed_reports_its_version(staged: Staged, registry: RegistryName, tmp_path: Path) -> None:
    packages = list(staged.example.manifest.of_registry(registry))
    reported = staged.install(packages, tmp_path / "scratch")
    assert reported == {package.key: "0.1.0" for package in packages}


@pytest.mark.parametrize("registry", list(RegistryName))
def test_a_version_that_is_not_there_is_not_replaced_by_another(
    staged: Staged, registry: RegistryName, tmp_path: Path
) -> None:
    package = staged.example.manifest.of_registry(registry)[0]
    with pytest.raises(ToolError, match=rf"{package.name}(.|\n)*0\.1\.7"):
        staged.install([package], tmp_path / "scratch", version="0.1.7")


def test_what_a_user_has_set_for_the_tools_does_not_count(
    staged: Staged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, nowhere = tmp_path / "home", "http://127.0.0.1:9"
    (home / ".cargo").mkdir(parents=True)
    (home / ".config" / "uv").mkdir(parents=True)
    mirror = f'[source.crates-io]\nreplace-with = "mirror"\n[source.mirror]\nregistry = "sparse+{nowhere}/"\n'
    (home / ".cargo" / "config.toml").write_text(mirror)
    (home / ".gemrc").write_text(f":sources: [{nowhere}/]\ngem: --bogus-option\n")
    (home / ".npmrc").write_text(f"@tasker-systems:registry={nowhere}\nregistry={nowhere}\n")
    (home / ".config" / "uv" / "uv.toml").write_text(f'index-url = "{nowhere}/simple"\nno-binary = true\n')
    monkeypatch.setenv("RUSTUP_HOME", str(Path.home() / ".rustup"))
    settings = {"HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), "UV_DEFAULT_INDEX": nowhere}
    settings |= {"npm_config_registry": nowhere, "RUBYOPT": "-rno_such_library", "NODE_OPTIONS": "--require=/none.js"}
    settings |= {"PYTHONPATH": "/none", "HTTP_PROXY": nowhere, "http_proxy": nowhere, "CARGO_TARGET_DIR": "/proc/none"}
    settings |= {"CARGO_NET_OFFLINE": "true", "CC": "/none", "PROTOC": "/none", "LD_LIBRARY_PATH": "/none"}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    manifest = staged.example.manifest
    for key in ("crates_io/tasker-pgmq", "rubygems/tasker-rb", "pypi/tasker-py", "npm/tasker"):
        # Below the home, whose .cargo is then one of a folder above.
        reported = staged.install([manifest.package(key)], home / "scratch" / manifest.package(key).registry)
        assert reported == {key: "0.1.0"}


@pytest.mark.parametrize("name", ["Cargo.toml", "package.json", "Gemfile", "node_modules", ".git"])
def test_a_place_inside_a_project_is_refused(example: Example, tmp_path: Path, name: str) -> None:
    (tmp_path / "project" / name).mkdir(parents=True)
    scratch = tmp_path / "project" / "tmp" / "scratch"
    with pytest.raises(InputError, match=rf"project/{name} lies above it, .*TMPDIR"):
        Staged(example, LoopbackRegistries(LIVE, "", tmp_path)).install(
            [example.manifest.package("npm/tasker")], scratch
        )
    assert not scratch.exists()


def test_a_wheel_installs_with_the_python_that_is_asked_for(staged: Staged, tmp_path: Path) -> None:
    other = next((found for line in ("3.12", "3.13", "3.14") if (found := find("python", line))), None)
    if other is None:
        pytest.skip("there is no second Python")
    said = '"0." + ".".join(map(str, __import__("sys").version_info[:2])) if __import__("tasker_core") else ""'
    package = staged.example.manifest.package("pypi/tasker-py").model_copy(update={"load": said})
    reported = staged.install([package], tmp_path / "scratch", runtime=other)
    assert reported == {"pypi/tasker-py": f"0.{'.'.join(other.version.split('.')[:2])}"}


def test_a_tarball_installs_and_loads_with_the_node_that_is_asked_for(staged: Staged, tmp_path: Path) -> None:
    programs = node(tmp_path / "nvm", "18.20.8", npm="10.9.2")
    other = find("node", "18", {"PATH": os.environ["PATH"], "NVM_DIR": str(tmp_path / "nvm")})
    assert other == Runtime(programs / "node", "18.20.8")
    package = staged.example.manifest.package("npm/tasker")
    said = f"({package.load}) && process.versions.node"
    package = package.model_copy(update={"load": said})
    assert staged.install([package], tmp_path / "scratch", runtime=other) == {"npm/tasker": "18.20.8"}
    # npm was that Node's own, too.
    assert (programs / "npm").resolve().is_relative_to(tmp_path)


def test_a_gem_compiles_and_loads_with_the_ruby_that_is_asked_for(staged: Staged, tmp_path: Path) -> None:
    # There is one Ruby alone to be had: it lies a second time where rbenv keeps its own, and says who was called.
    programs, calls = tmp_path / "rbenv" / "versions" / "0.9.9" / "bin", tmp_path / "calls"
    programs.mkdir(parents=True)
    for name in ("ruby", "gem"):
        (programs / name).write_text(
            f'#!/bin/sh\n[ "$1" = --version ] && exec echo {name} 0.9.9\n'
            f'echo {name} >> "{calls}"\nexec "{shutil.which(name)}" "$@"\n'
        )
        (programs / name).chmod(0o755)
    other = find("ruby", "0.9", {"PATH": os.environ["PATH"], "RBENV_ROOT": str(tmp_path / "rbenv")})
    assert other == Runtime(programs / "ruby", "0.9.9")
    package = staged.example.manifest.package("rubygems/tasker-rb")
    assert staged.install([package], tmp_path / "scratch", runtime=other) == {"rubygems/tasker-rb": "0.1.0"}
    first, *rest = calls.read_text().split()
    assert (first, set(rest)) == ("gem", {"ruby"})


def test_a_gem_that_compiles_inside_the_workspace_only_does_not_install(staged: Staged, tmp_path: Path) -> None:
    manifest, source = staged.example.manifest, clone_example(tmp_path / "source")
    folder = source / "workers" / "ruby"
    cargo = folder / "ext" / "tasker_core" / "Cargo.toml"
    cargo.write_text(cargo.read_text().replace('edition = "2021"', "edition.workspace = true"))
    version = folder / "lib" / "tasker_core" / "version.rb"
    version.write_text(version.read_text().replace('VERSION = "0.1.0"', 'VERSION = "0.1.3"', 1))
    gem = build_gem(folder, tmp_path / "tasker-rb.gem")
    with serve(
        tmp_path / "registries",
        reserved={RegistryName.RUBYGEMS: frozenset({"tasker-rb"})},
        upstream=staged.registries.endpoints,
    ) as registries:
        seed_gem(registries.root, gem.read_bytes())
        with pytest.raises(ToolError, match=r"gem install tasker-rb(.|\n)*(edition|workspace)"):
            Staged(staged.example, registries).install(
                [manifest.package("rubygems/tasker-rb")], tmp_path / "scratch", version="0.1.3"
            )


def build_gem(folder: Path, target: Path) -> Path:
    command = ["gem", "build", "tasker-rb.gemspec", "--output", str(target)]
    run(command, cwd=folder, seconds=SECONDS, log=silent, env={"SOURCE_DATE_EPOCH": str(EPOCH)})
    return target


def test_a_prerelease_is_given_as_its_registry_writes_it(staged: Staged, tmp_path: Path) -> None:
    wheel = staged.example.manifest.package("pypi/tasker-py").model_copy(update={"load": '"0.2.0-rc.1"'})
    assert staged.install([wheel], tmp_path / "wheel") == {"pypi/tasker-py": "0.2.0rc1"}
    tarball = staged.example.manifest.package("npm/tasker").model_copy(update={"load": '"not a version".slice(4, 5)'})
    assert staged.install([tarball], tmp_path / "tarball") == {"npm/tasker": "a"}


def test_a_package_that_reports_nothing_is_named_with_its_load(staged: Staged, tmp_path: Path) -> None:
    package = staged.example.manifest.package("npm/tasker").model_copy(update={"load": '""'})
    with pytest.raises(ToolError, match=r'@tasker-systems/tasker: installed, but `""` gave no version; correct `load`'):
        staged.install([package], tmp_path / "scratch")


def test_a_folder_with_something_in_it_is_refused(staged: Staged, tmp_path: Path) -> None:
    (tmp_path / "tasker-rb-0.1.0.gem").touch()
    with pytest.raises(InputError, match=r"is not empty; .*give an empty folder"):
        staged.install([staged.example.manifest.package("rubygems/tasker-rb")], tmp_path)


def test_a_local_file_of_the_same_name_is_not_taken(
    staged: Staged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (artifact,) = staged.example.built(RegistryName.RUBYGEMS)
    shutil.copy(staged.example.out(RegistryName.RUBYGEMS) / artifact.file, tmp_path)
    monkeypatch.chdir(tmp_path)
    reserved = {RegistryName.RUBYGEMS: frozenset({"tasker-rb"})}
    package = staged.example.manifest.package("rubygems/tasker-rb")
    with (
        serve(tmp_path / "empty", reserved=reserved) as registries,
        pytest.raises(ToolError, match=r"Could not find a valid gem 'tasker-rb'"),
    ):
        Staged(staged.example, registries).install([package], tmp_path / "scratch")
