"""The nightly rehearsal: what it fetches and asks for, and when it does not."""

import fcntl
import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
import yaml

from tasker_release_pipeline.orchestration.rehearsing import schedules
from tests.operate.conftest import KEY, NIGHT, World, started
from tests.operate.receiving import receiving

ROOT = Path(__file__).parents[2]
Tick = Callable[..., dg.RunRequest | str]


@pytest.fixture
def tick(world: World, instance: dg.DagsterInstance, repository: dg.RepositoryDefinition) -> Tick:
    """A tick of the schedule: the run that it asks for, or why it asks for none."""
    assert world.remote.path.exists()

    def evaluate(at: object = NIGHT) -> dg.RunRequest | str:
        schedule = schedules(os.environ)[0]
        context = dg.build_schedule_context(instance, scheduled_execution_time=at, repository_def=repository)
        ticked = schedule.evaluate_tick(context)
        return ticked.run_requests[0] if ticked.run_requests else str(ticked.skip_message)

    return evaluate


def settings(request: dg.RunRequest | str) -> dict[str, object]:
    assert isinstance(request, dg.RunRequest), request
    return request.run_config["resources"]["settings"]["config"]


def test_a_tick_asks_for_a_rehearsal_of_what_was_pushed_to_the_main_branch(world: World, tick: Tick) -> None:
    pushed = world.remote.commit(files={"VERSION": "0.1.1\n"})
    request = tick()
    assert isinstance(request, dg.RunRequest)
    assert (request.partition_key, request.run_key) == (KEY, KEY)
    source = Path(str(settings(request)["source"]))
    assert (source / "VERSION").read_text() == "0.1.1\n"
    assert world.remote.git("-C", str(source), "rev-parse", "HEAD") == pushed
    assert source.is_relative_to(world.work / KEY)


def test_its_run_config_is_that_of_config_rehearsal_yaml(tick: Tick) -> None:
    request = tick()
    given = settings(request)
    assert given.pop("source")
    assert isinstance(request, dg.RunRequest)
    assert request.run_config == yaml.safe_load((ROOT / "config" / "rehearsal.yaml").read_text())


def test_the_partition_is_there_before_the_run(tick: Tick, instance: dg.DagsterInstance) -> None:
    tick()
    assert instance.get_dynamic_partitions("releases") == [KEY]


def test_a_persons_checkout_stays_as_it_is_whatever_was_pushed(world: World, tick: Tick) -> None:
    (world.source.path / "VERSION").write_text("being edited\n")
    world.source.git("checkout", "--quiet", "-b", "feature")
    before = world.touched()
    world.remote.commit("v0.2.0", files={"VERSION": "0.2.0\n"})
    tick()
    assert world.touched() == before


def test_a_later_tick_leaves_the_earlier_rehearsals_source_where_it_was(world: World, tick: Tick) -> None:
    first = settings(tick())["source"]
    world.remote.commit(files={"VERSION": "0.1.1\n"})
    second = settings(tick(NIGHT + timedelta(days=1)))["source"]
    assert [Path(str(source), "VERSION").read_text() for source in (first, second)] == ["0.1.0\n", "0.1.1\n"]


def test_the_source_sees_the_remotes_tags_and_who_it_was_cloned_from(world: World, tick: Tick) -> None:
    source = str(settings(tick())["source"])
    assert world.remote.git("-C", source, "tag").split() == ["release-20260101", "v0.1.0"]
    assert world.remote.git("-C", source, "remote", "get-url", "origin") == str(world.remote.path)


def test_a_tag_that_was_taken_back_is_gone_and_one_that_was_moved_has_moved(world: World, tick: Tick) -> None:
    tick()
    world.remote.git("tag", "--delete", "release-20260101")
    moved = world.remote.commit(files={"VERSION": "0.1.1\n"})
    world.remote.git("tag", "--force", "v0.1.0")
    source = str(settings(tick(NIGHT + timedelta(days=1)))["source"])
    assert world.remote.git("-C", source, "tag").split() == ["v0.1.0"]
    assert world.remote.git("-C", source, "rev-parse", "v0.1.0") == moved


def test_a_branch_may_be_named(world: World, tick: Tick, monkeypatch: pytest.MonkeyPatch) -> None:
    world.remote.git("checkout", "--quiet", "-b", "next")
    world.remote.commit(files={"VERSION": "0.9.0\n"})
    world.remote.git("checkout", "--quiet", "main")
    monkeypatch.setenv("TASKER_RELEASE_REHEARSAL_BRANCH", "next")
    assert Path(str(settings(tick())["source"]), "VERSION").read_text() == "0.9.0\n"


def test_a_source_without_a_remote_stands_for_itself(world: World, tick: Tick, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASKER_RELEASE_SOURCE", str(world.remote.path))
    world.remote.commit(files={"VERSION": "0.3.0\n"})
    assert Path(str(settings(tick())["source"]), "VERSION").read_text() == "0.3.0\n"


def test_an_address_relative_to_the_checkout_is_found(world: World, tick: Tick) -> None:
    world.source.git("remote", "set-url", "origin", "../remote")
    world.remote.commit(files={"VERSION": "0.4.0\n"})
    assert Path(str(settings(tick())["source"]), "VERSION").read_text() == "0.4.0\n"


def test_a_remote_that_is_gone_fails_the_tick_and_says_what_to_do(
    world: World, tick: Tick, instance: dg.DagsterInstance
) -> None:
    world.source.git("remote", "set-url", "origin", str(world.folder / "nowhere"))
    with pytest.raises(dg.DagsterError) as failed:
        tick()
    said = str(failed.value)
    assert f"{world.folder}/nowhere: can't be fetched" in said
    assert "does not appear to be a git repository" in said
    assert f"correct `origin` of {world.source.path}" in said
    assert instance.get_dynamic_partitions("releases") == []


def test_a_password_in_the_remotes_address_is_in_no_message_and_no_file_of_ours(world: World, tick: Tick) -> None:
    world.source.git("remote", "set-url", "origin", "http://deploy:hunter2secret@127.0.0.1:9/tasker-systems/tasker.git")
    with pytest.raises(dg.DagsterError) as failed:
        tick()
    assert "http://***@127.0.0.1:9/tasker-systems/tasker.git: can't be fetched" in str(failed.value)
    ours = [path.read_bytes() for path in world.work.rglob("*") if path.is_file()]
    assert "hunter2secret" not in str(failed.value)
    assert not [content for content in ours if b"hunter2secret" in content]


def test_a_remote_that_takes_too_long_fails_the_tick_in_time(
    world: World, tick: Tick, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = world.folder / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    world.source.git("remote", "set-url", "origin", "ssh://nobody@remote.invalid/tasker.git")
    monkeypatch.setenv("GIT_SSH_COMMAND", str(slow))
    monkeypatch.setenv("DAGSTER_GRPC_TIMEOUT_SECONDS", "2")
    with pytest.raises(dg.DagsterError, match="not fetched within 2 s; try again, or give ticks more time"):
        tick()


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED])
def test_while_another_run_is_in_progress_a_tick_is_skipped_and_says_why(
    world: World, tick: Tick, instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    for release in ("rehearsal-20260228-0300", "v0.1.9"):
        run = started(instance, release, status)
        assert f"{release} is in progress, by run {run} ({status.value.lower()}, since 20" in str(tick())
    assert str(tick()).startswith(f"{KEY} is not rehearsed: ")
    assert not world.work.exists()
    assert instance.get_dynamic_partitions("releases") == []


def test_a_run_that_ended_keeps_no_rehearsal_off(tick: Tick, instance: dg.DagsterInstance) -> None:
    for status in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED):
        started(instance, "v0.1.9", status)
    assert isinstance(tick(), dg.RunRequest)


def test_runs_that_are_not_about_releases_keep_no_rehearsal_off(tick: Tick, instance: dg.DagsterInstance) -> None:
    started(instance, "2026-03-01", dg.DagsterRunStatus.STARTED)
    assert isinstance(tick(), dg.RunRequest)


def lock(world: World, release: str, run: str) -> Path:
    path = world.store / release / ".run.lock"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"run": run, "pid": 1, "since": "2026-03-01T02:00:00+00:00"}))
    return path


def test_a_run_of_the_command_line_that_another_database_has_counts_too(world: World, tick: Tick) -> None:
    with lock(world, "v0.1.9", "of-a-terminal").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert "v0.1.9 is in progress, by run of-a-terminal (process 1, since 2026" in str(tick())
    assert isinstance(tick(), dg.RunRequest)


def test_a_run_that_was_killed_and_stays_started_for_ever_keeps_no_rehearsal_off(
    world: World, tick: Tick, instance: dg.DagsterInstance
) -> None:
    run = started(instance, "rehearsal-20260228-0300", dg.DagsterRunStatus.STARTED)
    lock(world, "rehearsal-20260228-0300", run)
    assert isinstance(tick(), dg.RunRequest)


def status(**environment: str) -> dg.DefaultScheduleStatus:
    return schedules(environment)[0].default_status


def test_it_is_off_unless_it_is_switched_on() -> None:
    assert status() is dg.DefaultScheduleStatus.STOPPED
    assert status(TASKER_RELEASE_REHEARSALS="on") is dg.DefaultScheduleStatus.RUNNING
    assert status(TASKER_RELEASE_REHEARSALS="off") is dg.DefaultScheduleStatus.STOPPED


def test_when_it_runs_comes_from_the_environment() -> None:
    default = schedules({})[0]
    assert (default.cron_schedule, default.execution_timezone) == ("0 3 * * *", "UTC")
    zone = {"TASKER_RELEASE_REHEARSAL_CRON": "30 1 * * 1-5", "TASKER_RELEASE_REHEARSAL_TIMEZONE": "Europe/Berlin"}
    for schedule in schedules(zone):
        assert (schedule.cron_schedule, schedule.execution_timezone) == ("30 1 * * 1-5", "Europe/Berlin")


@pytest.mark.parametrize(
    ("name", "value"),
    [("TASKER_RELEASE_REHEARSAL_CRON", "99 * * * *"), ("TASKER_RELEASE_REHEARSAL_TIMEZONE", "Mars/Olympus")],
)
def test_a_time_that_cannot_be_read_fails_the_tick_and_not_the_code_location(
    tick: Tick, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert value in str(schedules(os.environ)[0].description)
    with pytest.raises(dg.DagsterError, match="can't be read: a cron of five fields"):
        tick()


def test_a_repeated_hour_gives_no_key_twice(tick: Tick) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    nights = [datetime(2026, 10, 25, 2, 30, fold=fold, tzinfo=berlin) for fold in (0, 1)]
    requests = [tick(night) for night in nights]
    assert [r.partition_key for r in requests if isinstance(r, dg.RunRequest)] == [
        "rehearsal-20261025-0030",
        "rehearsal-20261025-0130",
    ]


def test_people_are_told_of_a_rehearsal_that_could_not_be_started(
    world: World, tick: Tick, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.source.git("remote", "set-url", "origin", str(world.folder / "nowhere"))
    with receiving() as receiver:
        for name, value in receiver.webhook.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(dg.DagsterError):
            tick()
    (body,) = receiver.hooked
    assert (body["release"], body["mode"], body["result"]) == (KEY, "rehearsal", "failure")
    assert "nowhere: can't be fetched" in body["problems"][0]
