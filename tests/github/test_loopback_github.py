"""What of the GitHub API on loopback the clients here do not touch: workflows, drafts' privacy, notes too long."""

import pytest

from tasker_release_pipeline.github.api import GitHub, RefusedError
from tasker_release_pipeline.loopback.github import LoopbackGitHub
from tasker_release_pipeline.loopback.github_answers import Access
from tests.release.building import Repository

from .conftest import Asking

RELEASE = {".github/workflows/release.yml": "on:\n  workflow_dispatch:\n", ".github/workflows/ci.yml": "on: push\n"}


def test_a_workflow_is_started_by_hand_and_its_run_listed(
    api: GitHub, server: LoopbackGitHub, repository: Repository
) -> None:
    at = repository.commit(files=RELEASE)
    api.send("POST", "actions/workflows/release.yml/dispatches", {"ref": "main", "inputs": {"dry_run": "true"}})
    (run,) = api.pages("actions/workflows/release.yml/runs", "workflow_runs", event="workflow_dispatch")
    assert (run["head_branch"], run["head_sha"], run["status"]) == ("main", at, "queued")
    assert api.get(f"actions/runs/{run['id']}")["html_url"] == run["html_url"]
    assert server.state.rows("runs")[0]["inputs"] == {"dry_run": "true"}
    assert list(api.pages("actions/workflows/ci.yml/runs", "workflow_runs")) == []


@pytest.mark.parametrize(
    ("workflow", "ref", "message"),
    [
        ("ci.yml", "main", "does not have 'workflow_dispatch' trigger"),
        ("other.yml", "main", "Not Found"),
        ("release.yml", "nowhere", "No ref found for: nowhere"),
    ],
)
def test_a_workflow_that_can_not_be_started_is_refused(
    api: GitHub, repository: Repository, workflow: str, ref: str, message: str
) -> None:
    repository.commit(files=RELEASE)
    with pytest.raises(RefusedError, match=message):
        api.send("POST", f"actions/workflows/{workflow}/dispatches", {"ref": ref})


def test_starting_a_workflow_takes_a_permission_of_its_own(asking: Asking, repository: Repository) -> None:
    repository.commit(files=RELEASE)
    with asking(Access(actions="read")) as api, pytest.raises(RefusedError, match="`actions: write`"):
        api.send("POST", "actions/workflows/release.yml/dispatches", {"ref": "main"})


def test_drafts_are_for_those_who_may_write(api: GitHub, asking: Asking) -> None:
    draft = api.send("POST", "releases", {"tag_name": "v0.1.9", "draft": True})
    with asking(None) as anyone:
        assert list(anyone.pages("releases")) == []
        assert anyone.get(f"releases/{draft['id']}") is None


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"tag_name": "v0.1.9", "body": "x" * 125_001}, "body is too long"),
        ({"tag_name": "v0.1.8"}, "Release tag_name already_exists"),
        ({"tag_name": "v9", "target_commitish": "nowhere"}, "Release target_commitish invalid"),
        ({}, "Release tag_name missing_field"),
    ],
)
def test_a_release_that_does_not_do_is_refused_as_github_does(api: GitHub, body: dict[str, str], message: str) -> None:
    api.send("POST", "releases", {"tag_name": "v0.1.8"})
    with pytest.raises(RefusedError, match=message) as raised:
        api.send("POST", "releases", body)
    assert raised.value.status == 422


def test_branches_and_comparisons_are_those_of_the_checkout(api: GitHub, repository: Repository, commit: str) -> None:
    head = repository.commit()
    assert api.get("branches/main") == {"name": "main", "commit": {"sha": head}, "protected": True}
    assert api.get(f"compare/main...{commit}")["status"] == "behind"
    assert api.get(f"compare/{commit}...main")["ahead_by"] == 1
    assert api.get("branches/other") is None
