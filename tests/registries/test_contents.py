"""The same files inside, whatever way they were packed; and nothing else."""

import io
import json
import os
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tasker_release_pipeline.registries.contents import UnreadableError, commit_of, contents, same_files

from . import archives, packages
from .archives import CRATE, GEM, KINDS, WHEEL, Kind

ALL = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.file)
WAYS: dict[str, dict[str, Any]] = {
    "compression": {"level": 0},
    "times": {"mtime": 33},
    "order": {"backwards": True},
    "folders": {"folders": True},
    "owner": {"owner": "someone"},
    "tar format": {"tar_format": tarfile.PAX_FORMAT, "owner": "jürgen"},
}


@ALL
@pytest.mark.parametrize("way", WAYS)
def test_the_same_files_are_the_same_in_whatever_way_they_are_packed(kind: Kind, way: str) -> None:
    one, other = kind.packed(), kind.packed(**WAYS[way])
    assert one != other or kind is WHEEL  # a zip has no owners and no formats of tar
    assert same_files(kind.file, one, other)


@ALL
def test_one_byte_one_file_more_one_less_another_name_and_the_executable_bit_are_other_content(kind: Kind) -> None:
    path, *_ = kind.files
    content = kind.files[path]
    flipped = {**kind.files, path: bytes([content[0] ^ 1]) + content[1:]}
    more = {**kind.files, "one/more": b""}
    less = {name: kind.files[name] for name in kind.files if name != path}
    renamed = {name.upper() if name == path else name: inside for name, inside in kind.files.items()}
    for files in (flipped, more, less, renamed):
        assert not same_files(kind.file, kind.packed(), kind.packed(files))
    assert not same_files(kind.file, kind.packed(), kind.packed(executable=frozenset({path})))


def test_of_a_gem_the_day_and_the_rubygems_that_built_it_do_not_count_but_all_other_metadata_does() -> None:
    gem = GEM.packed()
    assert same_files(GEM.file, gem, GEM.packed(rubygems="3.6.9"))
    assert same_files(GEM.file, gem, GEM.packed(date="2026-02-02"))
    assert not same_files(GEM.file, gem, GEM.packed(summary="another"))
    # Only the specification's own date is left out.
    assert archives.METADATA.count("date:") == 2


def test_what_a_wheel_lists_counts_but_in_whatever_order() -> None:
    wheel, record = WHEEL.packed(), "one-1.0.0.dist-info/RECORD"
    for line, same in ((b"", True), (b"one/more,sha256=x,0\n", False)):
        buffer = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(wheel)) as old, zipfile.ZipFile(buffer, "w") as new:
            for info in old.infolist():
                listed = old.read(info)
                if info.filename == record:
                    listed = b"".join(reversed(listed.splitlines(keepends=True))) + line
                new.writestr(info, listed)
        assert same_files(WHEEL.file, wheel, buffer.getvalue()) is same


@ALL
def test_what_can_not_be_read_is_the_same_as_nothing_not_even_as_itself(kind: Kind) -> None:
    for broken in (b"", b"no archive", kind.packed()[:100]):
        with pytest.raises(UnreadableError, match=kind.file):
            contents(kind.file, broken)
        assert not same_files(kind.file, broken, broken)


def test_a_file_that_is_there_twice_has_no_one_content() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for _ in range(2):
            archive.addfile(tarfile.TarInfo("one-1.0.0/Cargo.toml"), io.BytesIO())
    with pytest.raises(UnreadableError, match="in it twice"):
        contents(CRATE.file, buffer.getvalue())


def test_a_link_is_not_the_file_that_it_points_at() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, content in CRATE.files.items():
            member = tarfile.TarInfo(path)
            if path.endswith("lib.rs"):
                member.type, member.linkname = tarfile.SYMTYPE, "../Cargo.toml"
            else:
                member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    assert not same_files(CRATE.file, CRATE.packed(), buffer.getvalue())


def test_an_archive_that_unpacks_to_too_much_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasker_release_pipeline.registries.contents.MAX_UNPACKED", 10)
    for kind in KINDS:
        with pytest.raises(UnreadableError, match="too large"):
            contents(kind.file, kind.packed())


def crate_of(git: object) -> bytes:
    return CRATE.packed({**CRATE.files, "one-1.0.0/.cargo_vcs_info.json": json.dumps({"git": git}).encode()})


@pytest.mark.parametrize(
    ("git", "commit"),
    [
        ({"sha1": "a" * 40}, "a" * 40),
        ({"sha1": "a" * 40, "dirty": False}, "a" * 40),
        ({"sha1": "a" * 40, "dirty": True}, None),
        ({"sha1": ""}, None),
        ({}, None),
        ([], None),
    ],
)
def test_a_crate_names_its_commit_unless_its_tree_was_dirty(git: object, commit: str | None) -> None:
    assert commit_of(CRATE.file, crate_of(git)) == commit


def test_only_a_crates_own_record_counts() -> None:
    record = json.dumps({"git": {"sha1": "a" * 40}}).encode()
    nested = CRATE.packed({**CRATE.files, "one-1.0.0/vendored/.cargo_vcs_info.json": record})
    for file, archive in ((CRATE.file, CRATE.packed()), (CRATE.file, b"broken"), (CRATE.file, nested)):
        assert commit_of(file, archive) is None
    assert commit_of("one-1.0.0.tgz", crate_of({"sha1": "a" * 40})) is None


@pytest.mark.toolchain
def test_a_gem_that_was_built_on_another_day_has_the_same_files(tmp_path: Path) -> None:
    (built,) = packages.gem(tmp_path).upload.files
    one = built.read_bytes()
    env = {**os.environ, "SOURCE_DATE_EPOCH": "1800000000"}
    subprocess.run(["gem", "build", "tiny-rb.gemspec"], cwd=tmp_path, env=env, check=True, capture_output=True)
    other = built.read_bytes()
    assert one != other
    assert same_files(built.name, one, other)


@pytest.mark.toolchain
def test_cargo_writes_the_commit_into_its_archive(tmp_path: Path) -> None:
    one, _ = packages.crates(tmp_path)
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=one.upload.source, check=True, capture_output=True, text=True
    )
    (archive,) = one.upload.files
    assert commit_of(archive.name, archive.read_bytes()) == head.stdout.strip()
