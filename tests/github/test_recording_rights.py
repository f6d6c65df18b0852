"""Before the gate: whether tags and release can be made, and whether main and its CI vouch for the commit."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from tasker_release_pipeline.loopback.github import serve_github
from tasker_release_pipeline.loopback.github_answers import Access
from tasker_release_pipeline.loopback.github_state import Check, Ruleset
from tasker_release_pipeline.steps.recording_rights import recording_rights
from tasker_release_pipeline.steps.rights import Right, State

from .conftest import NAME
from .released import Released, everything

PERSON = Access(kind="user")
ACTIONS = {"GITHUB_ACTIONS": "true"}


@contextmanager
def served(world: Released, access: Access) -> Iterator[Released]:
    """The same world, with a token of another kind."""
    token = "github_pat_x" if access.expires else "ghp_x"
    with serve_github(
        world.folder / "github", source=world.repository.path, repository=NAME, access=access, token=token
    ) as server:
        yield replace(world, server=server)


def rights(world: Released, access: Access | None = None, **environment: str) -> dict[str, Right]:
    if access is not None:
        with served(world, access) as other:
            return rights(other, **environment)
    return {right.name: right for right in recording_rights(world.run(**environment), world.plan, world.commit)}


def green(world: Released, **changes: Any) -> Released:
    world.server.state.set_up(checks=(Check(commit=world.commit, name="ci"),), **changes)
    return everything(world)


def test_a_healthy_release_may_be_recorded_and_is_vouched_for(world: Released) -> None:
    found = rights(green(world), PERSON)
    assert {name: right.state for name, right in found.items()} == dict.fromkeys(found, State.OK)
    assert found["commit_is_on_main"].evidence == {"compared with main": "identical", "protected": "true"}
    assert found["ci_is_green"].evidence == {"ci": "success"}


def test_asking_changes_nothing(world: Released) -> None:
    rights(green(world))
    assert world.server.state.tags() == {}
    assert world.server.state.rows("releases") == []


def test_a_jobs_token_is_tried_with_a_tag_that_can_not_be(world: Released) -> None:
    found = rights(green(world))["token_may_write"]
    assert found.state is State.OK
    assert found.evidence == {"token": "a job's", "permissions.push": "false", "a tag on no object": "HTTP 422"}


def test_a_dry_run_tries_nothing_and_says_that_it_does_not_know(world: Released) -> None:
    found = rights(green(world), RELEASE_DRY_RUN="true")["token_may_write"]
    assert found.state is State.UNPROVEN
    assert "a tag on no object" not in found.evidence
    assert rights(world, PERSON, RELEASE_DRY_RUN="true")["token_may_write"].state is State.OK


@pytest.mark.parametrize(
    ("access", "environment", "state"),
    [
        (Access(contents="read"), ACTIONS, State.UNPROVEN),  # the gate's token is not that of the publishing jobs
        (Access(contents="read"), {}, State.ERROR),
        (Access(kind="user", contents="read"), ACTIONS, State.ERROR),
        (Access(kind="user", contents="read"), {"RELEASE_DRY_RUN": "true"}, State.ERROR),
    ],
)
def test_a_token_that_may_not_write_is_no_guess(
    world: Released, access: Access, environment: dict[str, str], state: State
) -> None:
    assert rights(green(world), access, **environment)["token_may_write"].state is state


def test_without_a_token_a_person_is_warned_and_a_job_does_not_know(world: Released) -> None:
    green(world)
    assert rights(world, GITHUB_TOKEN="")["token_may_write"].state is State.WARNING
    assert rights(world, GITHUB_TOKEN="", **ACTIONS)["token_may_write"].state is State.UNPROVEN


@pytest.mark.parametrize(
    ("expires", "state"),
    [
        ("2020-01-01 00:00:00 UTC", State.WARNING),
        ("2999-01-01 00:00:00 UTC", State.OK),
        ("some day", State.UNPROVEN),
        ("", State.OK),
    ],
)
def test_the_end_of_a_token_is_told(world: Released, expires: str, state: State) -> None:
    found = rights(green(world), replace(PERSON, expires=expires))["token_lasts"]
    assert found.state is state
    assert expires in found.message


def test_a_tag_on_another_commit_is_found_before_anything_is_published(world: Released) -> None:
    green(world)
    world.server.state.create_tag("ruby-v0.1.9", world.base)
    found = rights(world)["tags_are_free"]
    assert found.state is State.ERROR
    assert f"ruby-v0.1.9 stands on {world.base}" in found.message
    assert world.commit in found.message


def test_tags_of_this_very_release_are_fine(world: Released) -> None:
    green(world)
    for tag in ("core-v0.1.9", "v0.1.9"):
        world.server.state.create_tag(tag, world.commit)
    assert rights(world)["tags_are_free"].state is State.OK


@pytest.mark.parametrize(
    ("ruleset", "environment", "state"),
    [
        (Ruleset(name="r", include=("refs/tags/core-*",)), {}, State.ERROR),
        (Ruleset(name="r", include=("refs/tags/core-*",)), ACTIONS, State.UNPROVEN),
        (Ruleset(name="r", bypass="always"), {}, State.OK),
        (Ruleset(name="r", enforcement="disabled"), {}, State.OK),
        (Ruleset(name="r", exclude=("refs/tags/*-v*", "refs/tags/v*")), {}, State.OK),
        (Ruleset(name="r", rules=("deletion",)), {}, State.OK),
        (Ruleset(name="r", target="branch"), {}, State.OK),
    ],
)
def test_rulesets_on_tags_are_read(
    world: Released, ruleset: Ruleset, environment: dict[str, str], state: State
) -> None:
    assert rights(green(world, rulesets=(ruleset,)), **environment)["rulesets_allow_tags"].state is state


def test_other_workflow_files_than_on_main_stop_a_jobs_token(world: Released) -> None:
    world.repository.git("checkout", "--quiet", "-b", "side")
    side = world.repository.commit(files={".github/workflows/release.yml": "on: push\n"})
    found = green(replace(world, commit=side))
    assert rights(found)["workflow_files"].state is State.ERROR
    assert ".github/workflows/release.yml" in rights(found)["workflow_files"].message
    assert rights(found, PERSON)["workflow_files"].state is State.OK


def test_workflow_files_that_changed_since_the_base_are_a_warning(world: Released) -> None:
    changed = world.repository.commit(files={".github/workflows/release.yml": "on: push\n"})
    assert rights(green(replace(world, commit=changed)))["workflow_files"].state is State.WARNING


def test_a_commit_beside_main_is_refused(world: Released) -> None:
    world.repository.git("checkout", "--quiet", "-b", "side")
    found = rights(green(replace(world, commit=world.repository.commit())))["commit_is_on_main"]
    assert found.state is State.ERROR
    assert "not in the history of main (ahead)" in found.message


def test_a_commit_that_was_not_pushed_is_refused(world: Released) -> None:
    assert "is not on GitHub: push it" in rights(green(replace(world, commit="1" * 40)))["commit_is_on_main"].message


def test_an_unprotected_main_is_a_warning_unless_a_ruleset_protects_it(world: Released) -> None:
    assert rights(green(world, protected=()))["commit_is_on_main"].state is State.WARNING
    rules = Ruleset(name="main", target="branch", include=("refs/heads/main",), rules=("pull_request",))
    assert rights(green(world, protected=(), rulesets=(rules,)))["commit_is_on_main"].state is State.OK


@pytest.mark.parametrize(
    ("checks", "statuses", "state"),
    [
        ([{"conclusion": "failure"}], "", State.ERROR),
        ([{"conclusion": "cancelled"}], "", State.ERROR),
        ([{"conclusion": "failure"}, {"conclusion": "success"}], "", State.ERROR),  # two workflows, a job name
        ([{"conclusion": None, "status": "in_progress"}], "", State.WARNING),
        ([{"conclusion": "skipped"}, {"name": "other"}], "", State.OK),
        ([{"branch": "v0.1.9", "conclusion": "failure"}, {}], "", State.OK),  # the release's own run
        ([{"branch": "v0.1.9"}], "", State.UNPROVEN),
        ([], "", State.UNPROVEN),
        ([{}], "failure", State.ERROR),
        ([], "success", State.OK),
    ],
)
def test_ci_on_main_decides(world: Released, checks: list[dict[str, Any]], statuses: str, state: State) -> None:
    known = tuple(Check(**{"commit": world.commit, "name": "ci", **check}) for check in checks)
    world.server.state.set_up(checks=known, statuses={world.commit: statuses} if statuses else {})
    assert rights(everything(world))["ci_is_green"].state is state


def test_what_can_not_be_asked_is_unproven_with_the_reason(world: Released) -> None:
    green(world)
    found = rights(world, GITHUB_API_URL="http://127.0.0.1:1")
    assert {right.state for right in found.values()} == {State.UNPROVEN}
    assert all("could not be asked: GET http://127.0.0.1:1/" in right.message for right in found.values())


def test_one_question_without_an_answer_leaves_the_others(world: Released) -> None:
    green(world)
    for _ in range(3):
        world.server.state.order("unavailable", path="/rulesets")
    found = rights(world)
    assert found.pop("rulesets_allow_tags").state is State.UNPROVEN
    assert {right.state for right in found.values()} == {State.OK}


def test_an_unknown_repository_is_unproven(world: Released) -> None:
    green(world)
    found = rights(world, GITHUB_REPOSITORY="tasker-systems/other")
    assert {right.state for right in found.values()} == {State.UNPROVEN}
    assert "GitHub shows no such repository" in found["ci_is_green"].message


def test_a_shallow_clone_is_unproven_and_raises_nothing(world: Released) -> None:
    everything(world)
    plan = world.plan
    lost = {
        name: decision.model_copy(update={"base": decision.base.model_copy(update={"commit": "8" * 40})})
        for name, decision in plan.components.items()
    }
    world.store.write("plan.json", plan.model_copy(update={"components": lost}))
    assert rights(world)["workflow_files"].state is State.UNPROVEN
