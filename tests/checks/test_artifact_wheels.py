"""Wheels and sdists by PyPI's rules, and the set of platforms that is stated."""

from pathlib import Path

import pytest

from tasker_release_pipeline.checks.wheels import platforms, sdist, twine
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.manifest import Package
from tests.checks import archives
from tests.checks.archives import errors, warnings


def package(*stated: str, oldest: str = "3.11") -> Package:
    row = {"name": "tiny", "registry": RegistryName.PYPI, "component": "python", "folder": ".", "changes": ["a/"]}
    return Package.model_validate({**row, "load": "1", "platforms": stated, "oldest": oldest})


@pytest.mark.parametrize(
    "tag",
    ["manylinux_2_17_x86_64.manylinux2014_x86_64", "musllinux_1_2_aarch64", "macosx_11_0_arm64", "win_amd64", "any"],
)
def test_a_platform_that_pypi_takes_is_fine(tmp_path: Path, tag: str) -> None:
    assert platforms(package(), [archives.wheel(tmp_path, platform=tag)]) == []


@pytest.mark.parametrize("tag", ["linux_x86_64", "manylinux_2_17_sparc", "macosx_11_0_universal3", "solaris_11_x86_64"])
def test_a_platform_that_pypi_refuses_is_an_error(tmp_path: Path, tag: str) -> None:
    (said,) = errors(platforms(package(), [archives.wheel(tmp_path, platform=tag)]))
    assert said.startswith(
        f"tiny-0.1.1-cp311-abi3-{tag}.whl: PyPI refuses its platform {tag}; build in a manylinux image"
    )


def test_each_stated_platform_needs_its_wheel(tmp_path: Path) -> None:
    linux = archives.wheel(tmp_path)
    mac = archives.wheel(tmp_path, platform="macosx_11_0_arm64")
    both = package("manylinux", "macosx")
    assert platforms(both, [linux, mac]) == []
    (said,) = errors(platforms(both, [linux]))
    assert "tiny: there is no wheel for macosx, which the manifest states, only tiny-0.1.1-cp311-abi3-manylinux" in said
    assert "no wheel at all" in errors(platforms(both, [archives.sdist(tmp_path)]))[0]


def test_a_wheel_of_a_platform_that_is_not_stated_is_an_error(tmp_path: Path) -> None:
    wheels = [archives.wheel(tmp_path), archives.wheel(tmp_path, platform="win_amd64")]
    (said,) = errors(platforms(package("manylinux"), wheels))
    assert "its platform win_amd64 is none of those that tiny states (manylinux)" in said


@pytest.mark.parametrize(
    ("python", "requires", "oldest", "words"),
    [
        ("cp312-abi3", ">=3.12", "3.11", "wants Python >=3.12, the manifest states 3.11 as the oldest"),
        ("cp312-abi3", ">=3.11", "3.11", "is for Python 3.12 and newer, the manifest states 3.11 as the oldest"),
        ("cp311-abi3", ">=3.x", "3.11", "PyPI refuses its Requires-Python '>=3.x'"),
    ],
)
def test_a_wheel_that_the_oldest_python_does_not_take_is_an_error(
    tmp_path: Path, python: str, requires: str, oldest: str, words: str
) -> None:
    found = platforms(package(oldest=oldest), [archives.wheel(tmp_path, python=python, requires=requires)])
    assert any(words in message for message in errors(found))


def test_a_promise_that_the_wheel_does_not_keep_is_a_warning(tmp_path: Path) -> None:
    found = platforms(package(), [archives.wheel(tmp_path, requires=">=3.9")])
    assert errors(found) == []
    assert "is for Python 3.11 and newer, but promises >=3.9; on 3.10 pip finds no wheel" in warnings(found)[0]
    nowhere = platforms(package(), [archives.wheel(tmp_path, requires="")])
    assert "says for which Python it is nowhere" in warnings(nowhere)[0]


def test_an_sdist_must_bring_what_it_is_compiled_of(tmp_path: Path) -> None:
    alone = b'[package]\nname = "tiny"\nversion = "0.1.1"\n[dependencies]\nshared = { path = "../../shared" }\n'
    (said,) = errors(sdist(archives.sdist(tmp_path, {"tiny/Cargo.toml": alone})))
    assert "tiny/Cargo.toml has `shared.path = '../../shared'`" in said
    brought = archives.sdist(
        tmp_path, {"a/tiny/Cargo.toml": alone, "shared/Cargo.toml": b"[package]\nname = 'shared'\n"}
    )
    assert sdist(brought) == []


@pytest.mark.toolchain
def test_twine_refuses_what_pypi_could_not_show(tmp_path: Path) -> None:
    fine, broken = archives.wheel(tmp_path / "fine"), tmp_path / "broken"
    assert twine([fine], lambda _line: None) == []
    restructured = "Description-Content-Type: text/x-rst\n\nTiny\n===\n\n.. no-such-directive::\n"
    (said,) = errors(twine([archives.wheel(broken, description=restructured)], lambda _line: None))
    assert said.startswith("tiny-0.1.1-cp311-abi3-manylinux_2_28_x86_64.whl: twine refuses the metadata")
