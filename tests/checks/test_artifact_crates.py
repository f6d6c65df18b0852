"""A crate's archive by crates.io's rules, and Cargo.toml files that are compiled far from their workspace."""

import json
from pathlib import Path

import pytest

from tasker_release_pipeline.checks.archives import read_archive
from tasker_release_pipeline.checks.cargo_files import stand_alone
from tasker_release_pipeline.checks.crates import crate
from tasker_release_pipeline.release.endpoints import RegistryName
from tests.checks import archives
from tests.checks.archives import CARGO, COMMIT, errors, warnings


def said(folder: Path, *replaced: tuple[str, str]) -> list[str]:
    text = CARGO
    for old, new in replaced:
        assert old in text
        text = text.replace(old, new)
    return errors(crate(archives.crate(folder, {"Cargo.toml": text.encode()}), commit=COMMIT))


def test_a_crate_as_cargo_packages_it_is_fine(tmp_path: Path) -> None:
    assert crate(archives.crate(tmp_path), commit=COMMIT) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('description = "Tiny"\n', "", "has no description, and crates.io refuses it"),
        ('license = "MIT"\n', "", "has neither license nor license-file"),
        ('readme = "README.md"', 'readme = "ABOUT.md"', "names ABOUT.md as readme, which is not in the archive"),
        ('version = "=0.1.1"', 'path = "../tasker-shared"\nversion = "=0.1.1"', "tasker-shared has `path`"),
        ('version = "=0.1.1"', "workspace = true", "tasker-shared has `workspace`"),
        ('version = "=0.1.1"', 'version = "*"', "tasker-shared takes any version"),
        ('version = "=0.1.1"', 'version = "1"\nregistry-index = "sparse+https://example.invalid/"', "example.invalid"),
        (
            "[dependencies.",
            '[target."cfg(unix)".dependencies.x]\npath = "../x"\nversion = "1"\n[dependencies.',
            "dependency x",
        ),
        ('license = "MIT"', 'license = "MIT"\nkeywords = ["a", "b", "c", "d", "e", "f"]', "keywords a, b, c, d, e, f"),
    ],
)
def test_what_crates_io_refuses_is_an_error(tmp_path: Path, old: str, new: str, words: str) -> None:
    found = said(tmp_path, (old, new))
    assert found[0].startswith("tiny-0.1.1.crate: Cargo.toml")
    assert words in found[0]


def test_an_archive_of_another_commit_or_of_a_changed_tree_is_refused(tmp_path: Path) -> None:
    (other,) = errors(crate(archives.crate(tmp_path), commit="f" * 40))
    assert "was packaged from 0123456789ab, the release is ffffffffffff" in other
    dirty = json.dumps({"git": {"sha1": COMMIT, "dirty": True}}).encode()
    (changed,) = errors(crate(archives.crate(tmp_path, {".cargo_vcs_info.json": dirty}), commit=COMMIT))
    assert "0123456789ab with changes" in changed
    assert "--allow-dirty" in changed


def test_an_archive_that_names_no_commit_is_a_warning(tmp_path: Path) -> None:
    found = crate(archives.crate(tmp_path, {".cargo_vcs_info.json": b"{}"}), commit=COMMIT)
    assert errors(found) == []
    assert "names no commit" in warnings(found)[0]


def gem_says(folder: Path, cargo: str, **more: str) -> list[str]:
    files = {name.replace("__", "/"): text.encode() for name, text in more.items()}
    made = archives.gem(folder, {"ext/tiny/Cargo.toml": cargo.encode(), **files})
    return errors(list(stand_alone(read_archive(made, RegistryName.RUBYGEMS))))


PACKAGE = '[package]\nname = "tiny-rb"\nversion = "0.1.1"\n'


@pytest.mark.parametrize(
    ("cargo", "words"),
    [
        (PACKAGE + "edition.workspace = true\n", "ext/tiny/Cargo.toml has `package.edition.workspace = true`"),
        (PACKAGE + "[lints]\nworkspace = true\n", "has `lints.workspace = true`"),
        (PACKAGE + "[dependencies]\nitoa = { workspace = true }\n", "has `dependencies.itoa.workspace = true`"),
        (PACKAGE + '[dependencies]\nx = { path = "../../../../x" }\n', "has `x.path = '../../../../x'`"),
        (PACKAGE + '[build-dependencies]\nx = { path = "vendor/x" }\n', "has `x.path = 'vendor/x'`"),
        (PACKAGE + '[patch.crates-io]\nx = { path = "/work/x" }\n', "has `x.path = '/work/x'`"),
        (PACKAGE + 'workspace = "../../../.."\n', "has `package.workspace = '../../../..'`"),
        (PACKAGE + 'build = "../build.rs"\n', "has `package.build = '../build.rs'`"),
        ("not TOML", "ext/tiny/Cargo.toml is not TOML"),
    ],
)
def test_what_a_gem_takes_from_the_workspace_is_an_error(tmp_path: Path, cargo: str, words: str) -> None:
    (message,) = gem_says(tmp_path, cargo)
    assert message.startswith("tiny-0.1.1.gem: ")
    assert words in message


@pytest.mark.parametrize(
    "cargo",
    [
        PACKAGE + '[dependencies]\ntasker-shared = "=0.1.1"\n',
        PACKAGE + 'edition.workspace = true\n[workspace.package]\nedition = "2021"\n',
        PACKAGE + '[dependencies]\nhelper = { path = "../helper" }\n',
    ],
)
def test_what_a_gem_brings_itself_is_fine(tmp_path: Path, cargo: str) -> None:
    assert gem_says(tmp_path, cargo, ext__helper__Cargo=".", **{"ext__helper__Cargo.toml": PACKAGE}) == []
