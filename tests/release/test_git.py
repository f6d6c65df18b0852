from pathlib import Path

import pytest

from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.git import Checkout, GitError, Snapshot, git

from .building import Repository


def test_a_folder_that_is_not_there_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"source .*/nowhere: no such folder; point `source` at a git checkout"):
        Checkout.at(tmp_path / "nowhere")


def test_a_folder_without_git_is_no_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(InputError, match=rf"source {tmp_path}: not a git checkout \(fatal: .*\); point `source` at"):
        Checkout.at(tmp_path)


def test_a_repository_without_commits_is_no_source(repository: Repository) -> None:
    with pytest.raises(InputError, match="the repository has no commits yet; commit the workspace first"):
        Checkout.at(repository.path)


def test_a_folder_inside_a_checkout_is_refused_with_its_top_level(repository: Repository) -> None:
    repository.commit(files={"workers/ruby/a.rb": "1\n"})
    with pytest.raises(InputError, match=rf"lies inside the checkout {repository.path}; point `source` at its top"):
        Checkout.at(repository.path / "workers")


def test_a_checkout_reached_through_a_link_is_that_checkout(repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit()
    (tmp_path / "link").symlink_to(repository.path)
    assert Checkout.at(tmp_path / "link").head == commit


def test_git_variables_of_a_hook_do_not_lead_elsewhere(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repository.commit()
    other = Repository(tmp_path / "other")
    other.commit(files={"a": "b\n"})
    monkeypatch.setenv("GIT_DIR", str(other.path / ".git"))
    assert repository.checkout.head == commit


def test_tags_lead_to_commits_annotated_or_not(repository: Repository) -> None:
    first = repository.commit("plain")
    repository.git("tag", "--annotate", "--message=with words", "annotated")
    repository.commit()
    assert repository.checkout.tags() == {"plain": first, "annotated": first}


def test_a_ref_that_names_no_commit_is_none_even_where_it_looks_like_an_option(repository: Repository) -> None:
    first = repository.commit("v0.1.0")
    checkout = repository.checkout
    assert checkout.commit_of("v0.1.0") == checkout.commit_of("main") == checkout.commit_of(first[:10]) == first
    assert checkout.commit_of("v9") is None
    assert checkout.commit_of("--all") is None


def test_a_commit_is_its_own_ancestor_and_a_later_one_is_not(repository: Repository) -> None:
    first, second = repository.commit(), repository.commit(files={"a": "1"})
    checkout = repository.checkout
    assert checkout.is_ancestor(first, first)
    assert checkout.is_ancestor(first, second)
    assert not checkout.is_ancestor(second, first)
    repository.git("tag", "v0.1.0", first)
    for ask in (lambda: checkout.is_ancestor("0" * 40, first), lambda: checkout.nearest_tag(["v*"], "0" * 40, [])):
        with pytest.raises(InputError, match=r"git can't read its history .*git fsck"):
            ask()


def test_changed_paths_are_whole_whatever_their_names_are(repository: Repository) -> None:
    base = repository.commit(files={"gone": "1\n", "same": "1\n"})
    (repository.path / "gone").unlink()
    names = {"with space": "1\n", "ümlaut/é.rb": "1\n", 'quo"te': "1\n", "new\nline": "1\n"}
    commit = repository.commit(files=names)
    assert set(repository.checkout.changed_paths(base, commit)) == {*names, "gone"}
    assert set(repository.checkout.changed_paths(None, commit)) == {*names, "same"}


def test_a_file_is_shown_as_it_is_committed_not_as_it_lies_there(repository: Repository) -> None:
    repository.git("config", "core.autocrlf", "false")
    (repository.path / "crlf").write_bytes(b"a\r\nb\r\n")
    commit = repository.commit()
    (repository.path / "crlf").write_bytes(b"dirty")
    assert repository.checkout.show(commit, "crlf") == "a\r\nb\r\n"
    assert repository.checkout.show(commit, "nowhere") is None


def test_a_clone_of_some_depth_is_shallow_and_a_whole_one_is_not(repository: Repository, tmp_path: Path) -> None:
    repository.commit()
    repository.commit()
    assert not repository.checkout.shallow
    clone(repository, tmp_path / "clone")
    assert Checkout.at(tmp_path / "clone").shallow


def clone(repository: Repository, folder: Path) -> None:
    """Like `actions/checkout` without `fetch-depth`."""
    repository.git("clone", "--quiet", "--depth=1", repository.path.as_uri(), str(folder))


def test_a_snapshot_gives_every_answer_as_it_was_first_refusals_too(repository: Repository) -> None:
    first = repository.commit()
    snapshot = Snapshot(repository.path)
    assert (snapshot.head, snapshot.nearest_tag(["v*"], first, exclude=[])) == (first, None)
    second = repository.commit("v0.1.0")
    repository.git("tag", "v0.0.9", first)
    assert (snapshot.head, snapshot.nearest_tag(["v*"], first, exclude=[])) == (first, None)
    assert snapshot.nearest_tag(["v*"], second, exclude=[]) == "v0.1.0"
    assert repository.checkout.nearest_tag(["v*"], first, exclude=[]) == "v0.0.9"


def test_the_texts_of_many_files_come_as_they_are_and_those_of_none_not_at_all(repository: Repository) -> None:
    folder = repository.path / "folder"
    folder.mkdir()
    (folder / "crlf ü.txt").write_bytes(b"one\r\ntwo\n\n")
    (folder / "latin-1.txt").write_bytes("é".encode("latin-1"))
    (folder / "empty").touch()
    commit = repository.commit()
    asked = ["folder/empty", "folder/crlf ü.txt", "folder/none", "folder", "folder/latin-1.txt"]
    found = repository.checkout.texts(commit, asked)
    assert found == {path: repository.checkout.show(commit, path) for path in (asked[0], asked[1], asked[4])}
    assert found["folder/crlf ü.txt"] == "one\r\ntwo\n\n"
    assert repository.checkout.texts(commit, []) == {}


def test_gits_refusal_is_told_by_its_last_line(repository: Repository) -> None:
    with pytest.raises(GitError) as refused:
        git(repository.path, "rev-parse", "--verify", "nothing")
    assert refused.value.said == "fatal: Needed a single revision"


def test_a_missing_git_is_named_with_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"git is missing; install it \(Debian: apt-get install git\)"):
        git(tmp_path, "version")
