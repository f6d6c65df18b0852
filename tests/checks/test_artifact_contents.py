"""What is inside an artifact of any kind: nothing twice, nothing stray, no secret, no link that leads nowhere."""

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tasker_release_pipeline.checks.contents import publishable
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError
from tests.checks import archives
from tests.checks.archives import errors, warnings

CRATES = RegistryName.CRATES_IO


@pytest.mark.parametrize(
    ("registry", "make"),
    [
        (RegistryName.CRATES_IO, archives.crate),
        (RegistryName.RUBYGEMS, archives.gem),
        (RegistryName.PYPI, archives.wheel),
        (RegistryName.PYPI, archives.sdist),
        (RegistryName.NPM, archives.npm),
    ],
)
def test_what_is_in_order_gives_no_finding(tmp_path: Path, registry: RegistryName, make: Callable[..., Path]) -> None:
    assert publishable(make(tmp_path), registry, on_purpose=()) == []


def test_an_sdist_with_two_readmes_is_refused(tmp_path: Path) -> None:
    (said,) = errors(
        publishable(archives.sdist(tmp_path, {"README.md*": b"# Other\n"}), RegistryName.PYPI, on_purpose=())
    )
    assert said.startswith("tiny-0.1.1.tar.gz: holds README.md 2 times")


def test_a_wheel_with_a_member_twice_is_refused(tmp_path: Path) -> None:
    wheel = archives.wheel(tmp_path)
    with zipfile.ZipFile(wheel, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("tiny/__init__.py", "VERSION = 2")
    (said,) = errors(publishable(wheel, RegistryName.PYPI, on_purpose=()))
    assert "holds tiny/__init__.py 2 times" in said


def test_two_names_that_are_one_on_other_systems_are_a_warning(tmp_path: Path) -> None:
    found = publishable(archives.crate(tmp_path, {"readme.md": b"# Other\n"}), CRATES, on_purpose=())
    assert errors(found) == []
    assert "README.md, readme.md are one file on macOS and Windows" in warnings(found)[0]


@pytest.mark.parametrize("path", [".env", ".env.production", "keys/server.pem", "id_ed25519", ".npmrc"])
def test_a_file_of_secrets_is_refused_unless_it_is_there_on_purpose(tmp_path: Path, path: str) -> None:
    crate = archives.crate(tmp_path, {path: b"x"})
    (said,) = errors(publishable(crate, CRATES, on_purpose=()))
    assert f"{path} looks like a file of secrets" in said
    assert "on_purpose" in said
    assert publishable(crate, CRATES, on_purpose=[path]) == []


def test_a_secret_in_any_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    token = "npm_" + "a1B2" * 9
    (said,) = errors(
        publishable(archives.npm(tmp_path, {"index.js": f'"{token}"'.encode()}), RegistryName.NPM, on_purpose=())
    )
    assert "index.js holds what looks like a secret (npm_...)" in said
    assert token not in said


@pytest.mark.parametrize("path", [".env.example", "src/target/mod.rs", "src/credentials/mod.rs", "docs/bak.md"])
def test_what_only_resembles_a_secret_or_a_leftover_is_fine(tmp_path: Path, path: str) -> None:
    assert publishable(archives.crate(tmp_path, {path: b"x"}), CRATES, on_purpose=()) == []


@pytest.mark.parametrize(
    "path",
    [
        "target/debug/tiny",
        "ext/target/release/x.so",
        ".git/HEAD",
        "src/lib.rs~",
        "src/.lib.rs.swp",
        "a.orig",
        "old.gem",
    ],
)
def test_a_leftover_is_a_warning(tmp_path: Path, path: str) -> None:
    found = publishable(archives.crate(tmp_path, {path: b"x"}), CRATES, on_purpose=())
    assert errors(found) == []
    assert f"{path} looks left behind" in warnings(found)[0]


def test_a_link_that_leads_nowhere_or_outside_is_refused(tmp_path: Path) -> None:
    links = {"lib/gone.rb": "moved.rb", "lib/out.rb": "../../../etc/hosts", "lib/fine.rb": "tiny.rb", "docs": "lib"}
    said = errors(publishable(archives.gem(tmp_path, links=links), RegistryName.RUBYGEMS, on_purpose=()))
    assert [message.partition(", which")[0] for message in said] == [
        "tiny-0.1.1.gem: the link lib/gone.rb leads to moved.rb",
        "tiny-0.1.1.gem: the link lib/out.rb leads to ../../../etc/hosts",
    ]


def test_a_member_that_would_be_unpacked_elsewhere_is_refused(tmp_path: Path) -> None:
    said = errors(publishable(archives.npm(tmp_path, {"../../.bashrc": b"x"}), RegistryName.NPM, on_purpose=()))
    assert "package/../../.bashrc would be unpacked outside of package/" in said[0]


def test_a_file_over_its_registrys_limit_is_refused(tmp_path: Path) -> None:
    crate = archives.crate(tmp_path)
    with crate.open("ab") as file:
        file.truncate(10 * 1024 * 1024)
    assert publishable(crate, CRATES, on_purpose=()) == []
    with crate.open("ab") as file:
        file.truncate(12 * 1024 * 1024)
    (said,) = errors(publishable(crate, CRATES, on_purpose=()))
    assert said.startswith("tiny-0.1.1.crate: has 12.0 MiB, crates.io takes 10 MiB; leave out")


@pytest.mark.parametrize(("missing", "words"), [("README.md", "has no README"), ("LICENSE", "has no licence text")])
def test_a_missing_text_is_a_warning(tmp_path: Path, missing: str, words: str) -> None:
    files = {name: content for name, content in archives.CRATE.items() if name != missing}
    crate = archives.tar(tmp_path / "tiny-0.1.1.crate", files, root="tiny-0.1.1/")
    (said,) = warnings(publishable(crate, CRATES, on_purpose=()))
    assert words in said


def test_an_artifact_that_cannot_be_unpacked_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "tiny-0.1.1.crate"
    broken.write_bytes(b"\x1f\x8bnothing of the kind")
    with pytest.raises(InputError, match=r"tiny-0\.1\.1\.crate: can't be unpacked .*build it again"):
        publishable(broken, CRATES, on_purpose=())
