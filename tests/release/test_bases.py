from pathlib import Path

import pytest

from tasker_release_pipeline.release.bases import BEGINNING, Base, BaseKind, from_ref, last_published
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.git import Checkout

from .building import Repository, version
from .test_git import clone


def base_of(repository: Repository, held: str | None, *, asked: bool = True, commit: str = "HEAD") -> Base:
    """The base of the component `ruby`, whose last published version is `held`."""
    checkout = repository.checkout
    return last_published(
        checkout,
        checkout.commit_of(commit) or "",
        "ruby",
        None if held is None else version(held),
        asked=asked,
        tags=checkout.tags(),
        own=["v0.1.9"],
    )


def release_tag(ref: str, commit: str) -> Base:
    return Base(kind=BaseKind.RELEASE_TAG, ref=ref, commit=commit)


def test_the_releases_own_tag_is_never_the_base(repository: Repository) -> None:
    before = repository.commit("v0.1.8")
    repository.commit("v0.1.9")
    assert base_of(repository, "0.1.8") == release_tag("v0.1.8", before)


def test_another_release_on_the_same_commit_is_the_base(repository: Repository) -> None:
    """Nothing changed since. That nothing is lost, should it have failed, is the decisions' care."""
    repository.commit("v0.1.8")
    twin = repository.commit("v0.1.9", "release-20260208-1828")
    assert base_of(repository, "0.1.8") == release_tag("release-20260208-1828", twin)


def test_an_annotated_tag_of_the_release_is_never_the_base(repository: Repository) -> None:
    before = repository.commit("v0.1.8")
    repository.commit()
    repository.git("tag", "--annotate", "--message=release", "v0.1.9")
    assert base_of(repository, "0.1.8") == release_tag("v0.1.8", before)


def test_the_base_is_the_nearest_of_both_kinds_of_release_tags(repository: Repository) -> None:
    repository.commit("v0.1.7")
    nearer = repository.commit("release-20260101")
    repository.commit()
    assert base_of(repository, "0.1.8") == release_tag("release-20260101", nearer)
    nearest = repository.commit("v0.1.8")
    repository.commit()
    assert base_of(repository, "0.1.8") == release_tag("v0.1.8", nearest)


def test_tags_that_are_no_releases_are_no_base(repository: Repository) -> None:
    release = repository.commit("v0.1.8")
    repository.commit("vendor-1", "rehearsal-20260101", "my-release-1", "python-v0.1.9")
    repository.commit()
    assert base_of(repository, "0.1.8") == release_tag("v0.1.8", release)


def test_a_tag_on_another_branch_is_no_base(repository: Repository) -> None:
    release = repository.commit("v0.1.8")
    repository.git("checkout", "--quiet", "-b", "side")
    repository.commit("v0.1.9", "ruby-v0.1.9")
    repository.git("checkout", "--quiet", "main")
    repository.commit(files={"a": "1"})
    assert base_of(repository, "0.1.9") == release_tag("v0.1.8", release)


def test_a_component_tag_that_the_registry_confirms_is_the_base(repository: Repository) -> None:
    out = repository.commit("ruby-v0.1.8")
    repository.commit("v0.1.9")
    repository.commit()
    assert base_of(repository, "0.1.8") == Base(kind=BaseKind.COMPONENT_TAG, ref="ruby-v0.1.8", commit=out)


def test_a_component_tag_that_the_registry_does_not_confirm_is_no_base(repository: Repository) -> None:
    release = repository.commit("v0.1.8")
    repository.commit("ruby-v0.1.9")
    repository.commit()
    assert base_of(repository, "0.1.8") == release_tag("v0.1.8", release)


def test_a_component_tag_on_the_release_itself_is_its_base_as_it_is_out(repository: Repository) -> None:
    repository.commit("v0.1.8")
    out = repository.commit("v0.1.9", "ruby-v0.1.9")
    assert base_of(repository, "0.1.9") == Base(kind=BaseKind.COMPONENT_TAG, ref="ruby-v0.1.9", commit=out)


def test_another_components_tag_is_no_base(repository: Repository) -> None:
    repository.commit("python-v0.1.8")
    repository.commit()
    assert base_of(repository, "0.1.8") == BEGINNING


def test_where_nothing_was_ever_published_everything_changed_whatever_is_tagged(repository: Repository) -> None:
    repository.commit("v0.1.0", "ruby-v0.1.0")
    repository.commit()
    assert base_of(repository, None) == BEGINNING


def test_where_the_registry_could_not_be_asked_the_nearest_release_is_the_base(repository: Repository) -> None:
    release = repository.commit("v0.1.8", "ruby-v0.1.8")
    repository.commit()
    assert base_of(repository, None, asked=False) == release_tag("v0.1.8", release)


def test_without_any_tag_everything_changed(repository: Repository) -> None:
    repository.commit()
    assert base_of(repository, "0.1.8") == BEGINNING


def test_a_shallow_clone_is_refused_as_everything_would_look_changed(repository: Repository, tmp_path: Path) -> None:
    repository.commit("v0.1.8")
    repository.commit()
    clone(repository, tmp_path / "clone")
    checkout = Checkout.at(tmp_path / "clone")
    with pytest.raises(
        InputError, match=r"clone: a shallow clone, .* \(git fetch --unshallow --tags; .*fetch-depth: 0"
    ):
        last_published(
            checkout, checkout.head, "ruby", version("0.1.8"), asked=True, tags=checkout.tags(), own=["v0.1.9"]
        )


def test_from_ref_is_the_base_whatever_it_is_called_by(repository: Repository) -> None:
    first = repository.commit("v0.1.8")
    head = repository.commit()
    for ref in ("v0.1.8", first, first[:10], "HEAD~1"):
        assert from_ref(repository.checkout, ref, head) == Base(kind=BaseKind.FROM_REF, ref=ref, commit=first)


def test_an_unknown_from_ref_is_refused_with_the_way_out(repository: Repository) -> None:
    head = repository.commit()
    with pytest.raises(InputError, match=r"from_ref 'v0\.0\.9': .* has no such tag, branch or commit; fetch it"):
        from_ref(repository.checkout, "v0.0.9", head)


def test_a_from_ref_that_comes_after_the_release_is_refused(repository: Repository) -> None:
    release = repository.commit("v0.1.8")
    repository.commit("later")
    with pytest.raises(InputError, match=rf"from_ref 'later': is no ancestor of the released commit {release[:12]}"):
        from_ref(repository.checkout, "later", release)
