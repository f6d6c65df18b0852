"""The sensor of tags: each new one is released once, and what was there before never."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest
import yaml

from tasker_release_pipeline.orchestration.tag_sensor import tag_sensor
from tests.operate.conftest import World, started

ROOT = Path(__file__).parents[2]
Look = Callable[[], list[str]]


class Looking:
    """A daemon: it keeps the cursor, and starts no run under a key that it has started one under."""

    def __init__(self, instance: dg.DagsterInstance, repository: dg.RepositoryDefinition) -> None:
        self.instance = instance
        self.repository = repository
        self.cursor: str | None = None
        self.requests: list[dg.RunRequest] = []
        self.skipped = ""

    def __call__(self) -> list[str]:
        """One tick of the sensor, of a code server that has just started: the releases that it asks for."""
        context = dg.build_sensor_context(
            self.instance,
            cursor=self.cursor,
            repository_def=self.repository,
            instance_ref=self.instance.get_ref(),
        )
        ticked = tag_sensor(os.environ).evaluate_tick(context)
        self.cursor = ticked.cursor or self.cursor
        self.skipped = str(ticked.skip_message)
        self.requests += ticked.run_requests or []
        return [str(request.partition_key) for request in ticked.run_requests or []]


@pytest.fixture
def look(world: World, instance: dg.DagsterInstance, repository: dg.RepositoryDefinition) -> Looking:
    assert world.remote.path.exists()
    return Looking(instance, repository)


def test_tags_that_were_there_when_it_first_looked_are_not_released(look: Looking) -> None:
    assert look() == []
    assert "2 tags are there already" in look.skipped
    assert look() == []
    assert look.skipped == "no new tag"


def test_a_new_tag_is_released_once_also_after_a_restart(world: World, look: Looking) -> None:
    look()
    tagged = world.remote.commit("v0.1.1", files={"VERSION": "0.1.1\n"})
    world.remote.commit(files={"VERSION": "0.1.2\n"})
    assert look() == ["v0.1.1"]
    assert (look(), look.skipped) == ([], "no new tag")
    (request,) = look.requests
    assert request.run_key == "v0.1.1"
    source = request.run_config["resources"]["settings"]["config"]["source"]
    assert world.remote.git("-C", source, "rev-parse", "HEAD", "v0.1.1").split() == [tagged, tagged]


def test_its_run_config_is_that_of_config_live_yaml_so_that_the_latch_decides(world: World, look: Looking) -> None:
    look()
    world.remote.commit("v0.1.1")
    look()
    config = dict(look.requests[0].run_config)
    assert config["resources"]["settings"]["config"].pop("source")
    assert config == yaml.safe_load((ROOT / "config" / "live.yaml").read_text())


def test_a_daemon_that_lost_its_cursor_after_starting_the_run_asks_under_the_same_key(
    world: World, look: Looking
) -> None:
    look()
    world.remote.commit("v0.1.1")
    before = look.cursor
    look()
    look.cursor = before
    look()
    assert [request.run_key for request in look.requests] == ["v0.1.1", "v0.1.1"]


def test_other_tags_are_no_releases(world: World, look: Looking) -> None:
    look()
    world.remote.commit("core-v0.1.1", "vendor-2", "v0.1.2.3", "rehearsal-20260301-0300", "nightly")
    assert (look(), look.skipped) == ([], "no new tag")
    world.remote.commit("release-20260302-0900")
    assert look() == ["release-20260302-0900"]


def test_a_tag_that_is_moved_or_pushed_again_is_not_released_again(world: World, look: Looking) -> None:
    look()
    world.remote.commit("v0.1.1")
    look()
    world.remote.git("tag", "--delete", "v0.1.1")
    assert look() == []
    world.remote.commit("v0.1.1")
    assert look() == []


def test_several_new_tags_are_released_one_after_the_other_the_oldest_first(
    world: World, look: Looking, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    look()
    for hour, tag in enumerate(("v0.1.10", "v0.1.9")):
        monkeypatch.setenv("GIT_COMMITTER_DATE", f"2026-03-01T0{hour}:00:00Z")
        world.remote.commit(tag, files={"VERSION": tag})
    assert look() == ["v0.1.10"]
    run = started(instance, "v0.1.10", dg.DagsterRunStatus.STARTED)
    assert look() == []
    assert look.skipped.startswith(f"v0.1.9 waits for the end of v0.1.10, by run {run} (started, since 20")
    instance.delete_run(run)
    assert look() == ["v0.1.9"]


def test_a_release_does_not_wait_for_a_rehearsal(world: World, look: Looking, instance: dg.DagsterInstance) -> None:
    look()
    world.remote.commit("v0.1.1")
    started(instance, "rehearsal-20260301-0300", dg.DagsterRunStatus.STARTED)
    assert look() == ["v0.1.1"]


def test_a_remote_that_is_gone_fails_the_tick_and_loses_no_tag(world: World, look: Looking) -> None:
    look()
    world.remote.commit("v0.1.1")
    world.source.git("remote", "set-url", "origin", str(world.folder / "nowhere"))
    with pytest.raises(dg.DagsterError, match="nowhere: can't be fetched"):
        look()
    world.source.git("remote", "set-url", "origin", str(world.remote.path))
    assert look() == ["v0.1.1"]


def test_it_is_off_unless_it_is_switched_on() -> None:
    assert tag_sensor({}).default_status is dg.DefaultSensorStatus.STOPPED
    assert tag_sensor({"TASKER_RELEASE_TAGS": "on"}).default_status is dg.DefaultSensorStatus.RUNNING


def test_the_cursor_is_legible(look: Looking) -> None:
    look()
    assert json.loads(str(look.cursor)) == ["release-20260101", "v0.1.0"]
