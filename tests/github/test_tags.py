"""Tags are made where they are missing, left where they stand right, and never moved."""

import pytest

from tasker_release_pipeline.github.api import GitHub, RefusedError
from tasker_release_pipeline.github.tags import ensure_tag, standing
from tasker_release_pipeline.loopback.github import LoopbackGitHub
from tasker_release_pipeline.loopback.github_answers import Access
from tasker_release_pipeline.loopback.github_state import Ruleset
from tasker_release_pipeline.release.errors import ConflictError, InputError, UnavailableError
from tests.release.building import Repository

from .conftest import Asking

TAG = "core-v0.1.9"


def test_a_missing_tag_is_made_and_found_the_second_time(api: GitHub, server: LoopbackGitHub, commit: str) -> None:
    assert ensure_tag(api, TAG, commit)
    assert not ensure_tag(api, TAG, commit)
    assert server.state.tags() == {TAG: commit}


def test_an_annotated_tag_counts_by_its_commit(
    api: GitHub, server: LoopbackGitHub, repository: Repository, commit: str
) -> None:
    repository.git("tag", "--annotate", "--message=x", "v0.1.9")
    server.state.create_tag("v0.1.9", repository.git("rev-parse", "v0.1.9"))
    assert standing(api, "v0.1.9") == commit
    assert not ensure_tag(api, "v0.1.9", commit)


def test_a_tag_on_another_commit_is_an_error_that_names_both(
    api: GitHub, server: LoopbackGitHub, repository: Repository, commit: str
) -> None:
    other = repository.commit()
    server.state.create_tag(TAG, other)
    with pytest.raises(ConflictError) as raised:
        ensure_tag(api, TAG, commit)
    assert commit in str(raised.value)
    assert other in str(raised.value)
    assert f"git push origin :refs/tags/{TAG}" in str(raised.value)
    assert server.state.tag(TAG) == other


def test_a_tag_whose_answer_was_lost_is_made(api: GitHub, server: LoopbackGitHub, commit: str) -> None:
    server.state.order("lost answer", method="POST")
    assert ensure_tag(api, TAG, commit)


def test_a_tag_that_could_not_be_made_says_so(api: GitHub, server: LoopbackGitHub, commit: str) -> None:
    server.state.order("unavailable", method="POST")
    with pytest.raises(UnavailableError, match=f"tag {TAG}: .*502.*run again"):
        ensure_tag(api, TAG, commit)
    assert ensure_tag(api, TAG, commit)


def test_a_tag_that_somebody_makes_at_the_same_moment_is_compared(
    api: GitHub, server: LoopbackGitHub, commit: str
) -> None:
    class Slow(GitHub):
        """Another one comes first, between the question and the request."""

        def send(self, *arguments: object) -> object:  # type: ignore[override]
            server.state.create_tag(TAG, commit)
            return super().send(*arguments)  # type: ignore[arg-type]

    assert ensure_tag(Slow(api.http, api.repository, api.token), TAG, commit)


def test_a_commit_that_was_not_pushed_gets_no_tag(api: GitHub) -> None:
    with pytest.raises(RefusedError, match="Object does not exist"):
        ensure_tag(api, TAG, "1" * 40)


def test_without_a_token_a_standing_tag_is_enough_and_a_missing_one_names_the_command(
    asking: Asking, server: LoopbackGitHub, commit: str
) -> None:
    with asking(None) as api:
        with pytest.raises(InputError, match=f"git push origin {commit}:refs/tags/{TAG}"):
            ensure_tag(api, TAG, commit)
        server.state.create_tag(TAG, commit)
        assert not ensure_tag(api, TAG, commit)


def test_a_jobs_token_puts_no_tag_on_other_workflow_files(
    api: GitHub, asking: Asking, repository: Repository, commit: str
) -> None:
    repository.commit(files={".github/workflows/release.yml": "on: push\n"})
    with pytest.raises(RefusedError, match=r"other workflow files than the default branch.*push it by hand"):
        ensure_tag(api, TAG, commit)
    with asking(Access(kind="user")) as person:
        assert ensure_tag(person, TAG, commit)


def test_a_ruleset_that_forbids_the_tag_is_told(api: GitHub, server: LoopbackGitHub, commit: str) -> None:
    server.state.set_up(rulesets=(Ruleset(name="tags", include=("refs/tags/core-*",)),))
    with pytest.raises(RefusedError, match="Cannot create ref due to creations being restricted"):
        ensure_tag(api, TAG, commit)
    assert ensure_tag(api, "ruby-v0.1.9", commit)
