"""An npm tarball as npm and publint see it."""

from pathlib import Path

import pytest

from tasker_release_pipeline.checks.npm import npm_publish, publint
from tasker_release_pipeline.release.plan import Finding
from tests.checks import archives
from tests.checks.archives import errors, warnings

pytestmark = pytest.mark.toolchain


def tried(tarball: Path, dist_tag: str = "alpha") -> list[Finding]:
    return npm_publish(tarball, dist_tag=dist_tag, access="public", log=lambda _line: None)


def linted(tarball: Path) -> list[Finding]:
    return publint(tarball, lambda _line: None)


def test_a_tarball_in_order_gives_no_finding(tmp_path: Path) -> None:
    made = archives.npm(tmp_path)
    assert tried(made) == []
    assert linted(made) == []


def test_a_version_of_four_parts_is_refused_by_npms_dry_run(tmp_path: Path) -> None:
    (said,) = errors(tried(archives.npm(tmp_path, version="0.1.1.0")))
    assert said.startswith("tiny-tiny-0.1.1.tgz: npm refuses to publish it; correct its package.json")
    assert "Invalid version" in said


def test_a_private_package_is_refused(tmp_path: Path) -> None:
    (said,) = errors(tried(archives.npm(tmp_path, private=True)))
    assert "package.json says private" in said


def test_a_package_without_a_repository_is_refused_and_without_a_licence_a_warning(tmp_path: Path) -> None:
    found = tried(archives.npm(tmp_path, repository=None, license=None))
    assert "no repository.url, and npm refuses provenance" in errors(found)[0]
    assert "names no license" in warnings(found)[0]


def test_an_entry_that_is_not_in_the_tarball_is_refused(tmp_path: Path) -> None:
    (said,) = errors(linted(archives.npm(tmp_path, exports={".": "./dist/index.js"})))
    assert said.startswith("tiny-tiny-0.1.1.tgz: publint: pkg.exports")
    assert "./dist/index.js" in said


def test_what_publint_warns_of_is_a_warning(tmp_path: Path) -> None:
    found = linted(archives.npm(tmp_path, {"index.js": b"module.exports = 1;\n"}))
    assert errors(found) == []
    assert "publint: " in warnings(found)[0]
