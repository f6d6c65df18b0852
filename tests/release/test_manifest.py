import re
from importlib.resources import files
from pathlib import Path

import pytest

from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.manifest import DistTags, load, packaged

from .building import CRATES, TASKER, version

TEXT = (files("tasker_release_pipeline") / "manifests" / "tasker.toml").read_text(encoding="utf-8")


def refusal(tmp_path: Path, old: str, new: str) -> str:
    """What is said about the packaged manifest with its first `old` replaced by `new`."""
    assert old in TEXT
    path = tmp_path / "my.toml"
    path.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(InputError) as refused:
        load(str(path))
    assert str(refused.value).startswith(f"{path}: ")
    return str(refused.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("phase = 1", "phse = 1", r"packages\.0\.phse is an unknown key; check its spelling or take it out"),
        ("phase = 1\n", "", r"packages\.0: tasker-pgmq: crates, and only crates, have a phase"),
        ("phase = 1", "phase = 0", r"packages\.0\.phase: Input should be greater than 0"),
        ('component = "ruby"', 'component = "rubby"', r"tasker-rb: no component 'rubby'; add \[components\.\*\]"),
        ('registry = "crates_io"', 'registry = "crates"', r"packages\.0\.registry: .*'crates_io', 'rubygems', 'pypi'"),
        ('folder = "workers/ruby"', 'folder = "../ruby"', r"tasker-rb: folder '\.\./ruby' leads out of the source"),
        ('folder = "workers/ruby"', 'folder = "/ruby"', r"tasker-rb: folder '/ruby' leads out of the source"),
        ('name = "tasker-shared"', 'name = "tasker-pgmq"', r"crates_io/tasker-pgmq stands twice among the packages"),
        ("seconds = 1500", 'seconds = "long"', r"registries\.crates_io\.build\.commands\.0\.seconds: .*integer"),
        ('load = "tasker_pgmq::VERSION"\n', "", r"packages\.0\.load: Field required"),
        (', kind = "json", key = "version"', ', kind = "json"', r"components\.typescript\.carriers\.0: .*needs a key"),
        ('kind = "text"', 'kind = "txt"', r"components\.core\.carriers\.0\.kind: Input should be 'text', 'toml'"),
        ('component = "core"', 'component = "ruby"', r"crates belong to several components \(core, ruby\)"),
        ('["tasker-pgmq/"]', "[]", r"packages\.0\.changes: .*at least 1 item"),
        ('["tasker-pgmq/"]', '["tasker-pgmq"]', r"tasker-pgmq: changes: the folder 'tasker-pgmq' needs a slash"),
        ('["tasker-pgmq/"]', '["./tasker-pgmq/"]', r"tasker-pgmq: changes: '\./tasker-pgmq/' never matches; write"),
        ('"proto/"', '"/proto/"', r"tasker: ships: '/proto/' never matches; write it as git does"),
        ('name = "tasker"', "name = ", r"not TOML: .*line 4"),
    ],
)  # fmt: skip
def test_an_error_in_a_manifest_names_file_key_and_way_out(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert re.match(said, refusal(tmp_path, old, new))


def test_a_wrong_row_is_told_once_and_not_as_an_empty_list_too(tmp_path: Path) -> None:
    assert "at least 1 item" not in refusal(tmp_path, "seconds = 1500", 'seconds = "long"')


def test_a_missing_registry_is_named_with_the_package_that_needs_it(tmp_path: Path) -> None:
    before, rest = TEXT.split("[registries.npm]")
    (tmp_path / "my.toml").write_text(before + rest[rest.index("# --- packages") :])
    with pytest.raises(InputError, match=r"my\.toml: @tasker-systems/tasker: no \[registries\.npm\]; add it"):
        load(str(tmp_path / "my.toml"))


def test_an_unknown_name_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match=r"manifest 'taskr' is not packaged; there are tasker, tasker-ctl, or give a"):
        load("taskr")


def test_a_path_to_nothing_is_refused_with_the_names_that_there_are(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(InputError, match=rf"manifest {path}: no such file; give a path, or one of tasker"):
            load(str(path))


def test_a_manifest_in_another_encoding_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "latin.toml").write_bytes('name = "täsker"'.encode("latin-1"))
    with pytest.raises(InputError, match=r"latin\.toml: not TOML, which is UTF-8"):
        load(str(tmp_path / "latin.toml"))


def test_a_copy_of_a_packaged_manifest_is_the_same_manifest(tmp_path: Path) -> None:
    (tmp_path / "copy.toml").write_text("# another comment\n" + TEXT)
    assert load(str(tmp_path / "copy.toml")) == TASKER
    assert load(str(tmp_path / "copy.toml")).digest == TASKER.digest
    assert packaged() == ("tasker", "tasker-ctl")


def test_packages_are_known_by_registry_and_last_name_in_publishing_order() -> None:
    assert (*CRATES, "rubygems/tasker-rb", "pypi/tasker-py", "npm/tasker") == TASKER.keys
    assert [crate.phase for crate in TASKER.crates] == [1, 2, 3, 3, 4, 4]
    assert [p.name for p in TASKER.of_registry(RegistryName.NPM)] == ["@tasker-systems/tasker"]
    assert TASKER.core == "core"


def test_crates_are_published_by_phase_whatever_their_order_in_the_file(tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(TEXT.replace("phase = 1", "phase = 9", 1))
    assert load(str(tmp_path / "my.toml")).keys[5] == "crates_io/tasker-pgmq"


def test_an_unknown_package_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(
        InputError, match=r"npm/taskr: the manifest tasker has no such package; it has crates_io/tasker"
    ):
        TASKER.package("npm/taskr")


@pytest.mark.parametrize(
    ("text", "tag"), [("0.1.9", "alpha"), ("0.2.0-rc.1", "beta"), ("1.0.0-rc.1", "beta"), ("1.0.0", "latest")]
)
def test_the_dist_tag_follows_from_the_kind_of_version(text: str, tag: str) -> None:
    assert DistTags(prerelease="beta").tag(version(text)) == tag
