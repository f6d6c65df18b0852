"""What an artifact says of its version, against the plan; and two builds of it."""

from pathlib import Path

import pytest

from tasker_release_pipeline.checks.embedded import embedded_version
from tasker_release_pipeline.checks.reproducible import same_bytes
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.plan import PackagePlan
from tests.checks import archives
from tests.checks.archives import errors, warnings

MAKE = {
    RegistryName.CRATES_IO: archives.crate,
    RegistryName.RUBYGEMS: archives.gem,
    RegistryName.PYPI: archives.wheel,
    RegistryName.NPM: archives.npm,
}
PINNED = {"tasker-shared": "0.1.1"}


def planned(registry: RegistryName, version: str) -> PackagePlan:
    return PackagePlan(
        key=f"{registry}/tiny", name="tiny", registry=registry, component="core", phase=None, publish=True,
        version=version, reasons=(),
    )  # fmt: skip


@pytest.mark.parametrize("registry", list(RegistryName))
def test_the_planned_version_is_fine_and_another_an_error(tmp_path: Path, registry: RegistryName) -> None:
    made = MAKE[registry](tmp_path)  # type: ignore[operator]
    assert embedded_version(made, planned(registry, "0.1.1"), PINNED) == []
    (said,) = errors(embedded_version(made, planned(registry, "0.1.2"), PINNED))
    assert said.startswith(f"{made.name}: says it is 0.1.1, the plan has 0.1.2; a version carrier of core is missing")


def test_versions_that_a_registry_takes_for_one_are_one(tmp_path: Path) -> None:
    assert embedded_version(archives.wheel(tmp_path), planned(RegistryName.PYPI, "0.1.1.0"), {}) == []
    assert embedded_version(archives.gem(tmp_path), planned(RegistryName.RUBYGEMS, "0.1.1.0"), PINNED) == []
    assert errors(embedded_version(archives.npm(tmp_path), planned(RegistryName.NPM, "0.1.1.0"), {})) != []


@pytest.mark.parametrize("registry", [RegistryName.CRATES_IO, RegistryName.RUBYGEMS])
def test_a_pin_that_the_plan_moved_on_from_is_an_error(tmp_path: Path, registry: RegistryName) -> None:
    found = embedded_version(MAKE[registry](tmp_path), planned(registry, "0.1.1"), {"tasker-shared": "0.1.2"})  # type: ignore[operator]
    assert "pins tasker-shared to 0.1.1, the plan has 0.1.2" in errors(found)[0]


def test_a_wheel_whose_name_says_another_version_is_an_error(tmp_path: Path) -> None:
    wheel = archives.wheel(tmp_path, metadata=archives.METADATA.replace("Version: 0.1.1", "Version: 0.1.2"))
    (said,) = errors(embedded_version(wheel, planned(RegistryName.PYPI, "0.1.2"), {}))
    assert "its METADATA says 0.1.2, and PyPI refuses two versions" in said


def test_two_builds_with_the_same_bytes_are_fine(tmp_path: Path) -> None:
    one = archives.wheel(tmp_path / "one")
    assert same_bytes([one], [archives.wheel(tmp_path / "two")], RegistryName.PYPI) == []


def test_where_two_builds_differ_the_members_are_named(tmp_path: Path) -> None:
    one, two = archives.wheel(tmp_path / "one"), archives.wheel(tmp_path / "two", more={"tiny/__init__.py": b"now"})
    found = same_bytes([one], [two], RegistryName.PYPI)
    assert errors(found) == []
    assert "has other bytes: tiny/__init__.py differ; a release" in warnings(found)[0]


def test_other_times_and_another_order_are_told_apart(tmp_path: Path) -> None:
    npm = RegistryName.NPM
    files = {"a": b"1", "b": b"2"}
    one = archives.tar(tmp_path / "one" / "x.tgz", files, root="package/")
    timed = archives.tar(tmp_path / "two" / "x.tgz", files, root="package/", mode="w:gz")
    timed.write_bytes(one.read_bytes()[:4] + b"\1\2\3\4" + one.read_bytes()[8:])  # gzip's own time
    assert "other times, modes or compression" in warnings(same_bytes([one], [timed], npm))[0]
    turned = archives.tar(tmp_path / "three" / "x.tgz", dict(reversed(files.items())), root="package/")
    assert "stand in another order" in warnings(same_bytes([one], [turned], npm))[0]


def test_a_file_that_one_build_alone_made_is_named(tmp_path: Path) -> None:
    found = same_bytes([archives.wheel(tmp_path)], [], RegistryName.PYPI)
    assert "only one of two builds made it" in warnings(found)[0]
