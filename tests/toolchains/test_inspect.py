"""What artifacts say of themselves, whatever their file is called."""

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.toolchains.inspect import gem_file_name, identify

from .conftest import Example

GEM = """\
--- !ruby/object:Gem::Specification
name: {name}
version: !ruby/object:Gem::Version
  version: {version}
platform: {platform}
dependencies:
- !ruby/object:Gem::Dependency
  name: rake
  version_requirements: !ruby/object:Gem::Requirement
    requirements:
    - - ">="
      - !ruby/object:Gem::Version
        version: '13.0'
"""


def tar(path: Path, members: dict[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def gem(path: Path, name: str = "tasker-rb", version: str = "0.1.0", platform: str = "ruby") -> Path:
    metadata = gzip.compress(GEM.format(name=name, version=version, platform=platform).encode())
    return tar(path, {"data.tar.gz": b"", "metadata.gz": metadata}, mode="w")


def wheel(path: Path, metadata: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tasker_core/vendored-1.dist-info/METADATA", "Name: other\nVersion: 9\n")
        archive.writestr("tasker_py-0.2.0rc1.dist-info/METADATA", metadata)
    return path


@pytest.mark.toolchain
def test_real_artifacts_say_their_names_and_versions(example: Example) -> None:
    for registry in RegistryName:
        names = {package.key: package.name for package in example.manifest.of_registry(registry)}
        for artifact in example.built(registry):
            found = identify(example.out(registry) / artifact.file, registry)
            assert found == (names[artifact.package], "0.1.0")


def test_a_crate_is_known_by_its_outermost_cargo_toml(tmp_path: Path) -> None:
    inner = b'[package]\nname = "fixture"\nversion = "9.9.9"\n'
    outer = b'[package]\nname = "tasker-pgmq"\nversion = "0.2.0-rc.1"\n'
    members = {"tasker-pgmq-0.2.0-rc.1/tests/Cargo.toml": inner, "tasker-pgmq-0.2.0-rc.1/Cargo.toml": outer}
    path = tar(tmp_path / "x.crate", members)
    assert identify(path, RegistryName.CRATES_IO) == ("tasker-pgmq", "0.2.0-rc.1")


def test_a_gem_is_known_by_its_metadata_not_by_that_of_its_dependencies(tmp_path: Path) -> None:
    assert identify(gem(tmp_path / "x.gem", version="0.2.0.rc.1"), RegistryName.RUBYGEMS) == ("tasker-rb", "0.2.0.rc.1")
    assert identify(gem(tmp_path / "y.gem", version="'1.0'"), RegistryName.RUBYGEMS) == ("tasker-rb", "1.0")


def test_a_gem_is_named_as_rubygems_names_it(tmp_path: Path) -> None:
    assert gem_file_name(gem(tmp_path / "x.gem")) == "tasker-rb-0.1.0.gem"
    native = gem(tmp_path / "y.gem", platform="x86_64-linux")
    assert gem_file_name(native) == "tasker-rb-0.1.0-x86_64-linux.gem"


def test_a_wheel_is_known_by_its_own_metadata(tmp_path: Path) -> None:
    path = wheel(tmp_path / "x.whl", "Metadata-Version: 2.4\nName: tasker-py\nVersion: 0.2.0rc1\n\nName: readme\n")
    assert identify(path, RegistryName.PYPI) == ("tasker-py", "0.2.0rc1")


def test_an_sdist_is_known_by_its_pkg_info(tmp_path: Path) -> None:
    told = b"Metadata-Version: 2.4\nName: tasker-py\nVersion: 0.1.0\n\nVersion: 9\n"
    other = b"Metadata-Version: 2.4\nName: vendored\nVersion: 7\n"
    path = tar(tmp_path / "x.tar.gz", {"x/vendored/PKG-INFO": other, "x/PKG-INFO": told})
    assert identify(path, RegistryName.PYPI) == ("tasker-py", "0.1.0")


def test_an_npm_tarball_is_known_by_its_package_json(tmp_path: Path) -> None:
    path = tar(tmp_path / "x.tgz", {"package/package.json": b'{"name": "@tasker-systems/tasker", "version": "0.1.0"}'})
    assert identify(path, RegistryName.NPM) == ("@tasker-systems/tasker", "0.1.0")


@pytest.mark.parametrize("registry", list(RegistryName))
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, registry: RegistryName) -> None:
    path = tmp_path / "broken.file"
    path.write_bytes(b"\x1f\x8bnothing of the kind")
    with pytest.raises(InputError, match=r"broken\.file: its .* can't be read.*build it again"):
        identify(path, registry)
    with pytest.raises(InputError, match=r"missing\.file"):
        identify(tmp_path / "missing.file", registry)


def test_an_archive_without_its_metadata_is_named(tmp_path: Path) -> None:
    cases = {
        RegistryName.CRATES_IO: tar(tmp_path / "a.crate", {"a-0.1.0/Cargo.toml": b'[package]\nname = "a"\n'}),
        RegistryName.RUBYGEMS: tar(tmp_path / "a.gem", {"data.tar.gz": b""}, mode="w"),
        RegistryName.PYPI: wheel(tmp_path / "a.whl", "Name: a\n"),
        RegistryName.NPM: tar(tmp_path / "a.tgz", {"package/package.json": b"[]"}),
    }
    for registry, path in cases.items():
        with pytest.raises(InputError, match=path.name):
            identify(path, registry)
