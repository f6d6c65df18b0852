"""Postgres goes away for half a minute, and comes back, while a release is on its way to the registries."""

import threading

import pytest

from tests.container.processes import RELEASE, Stack, wait
from tests.container.test_bad_days import start
from tests.pipeline.conftest import NINE, Pipeline, _cache, shared

__all__ = ["_cache", "shared"]  # fixtures
pytestmark = [pytest.mark.service, pytest.mark.toolchain]
SERVICES = ("code", "daemon", "webserver")
_EVENTS = "SELECT {} FROM event_logs WHERE run_id = '{}' AND dagster_event_type = '{}' ORDER BY 1"


def test_a_rehearsal_that_is_uploading_and_all_services_outlast_it_and_the_history_is_whole(services: Stack) -> None:
    def events(kind: str, run: str, column: str = "asset_key") -> list[object]:
        return [value for (value,) in services.postgres.query(_EVENTS.format(column, run, kind), services.database)]

    world = Pipeline(services.folder, services.source)
    world.share_cache()
    start(services, *SERVICES)
    before = services.launch("release_summary", f"{RELEASE}-before")
    services.become(before, "SUCCESS")
    run = services.launch("release", dry_run=False)
    first = world.store / RELEASE / "outcomes" / "crates_io" / "tasker-pgmq"
    wait(lambda: any(first.glob("*.json")), lambda: services.said("code"), seconds=400)
    services.postgres.stop()
    try:
        threading.Event().wait(30)  # that long is the point
    finally:
        services.postgres.start()

    services.become_healthy(*SERVICES)
    assert [name for name, process in services.running.items() if process.poll() is not None] == []
    services.become(run, "SUCCESS")
    assert services.ended(run) > 0
    assert set(world.outcomes(RELEASE)) == NINE
    assert set(world.outcomes(RELEASE).values()) == {"published"}

    # Nothing is missing in the history, and nothing is in it twice.
    planned = events("ASSET_MATERIALIZATION_PLANNED", run)
    assert len(planned) > len(NINE)
    assert events("ASSET_MATERIALIZATION", run) == planned
    started = events("STEP_START", run, "step_key")
    assert len(set(started)) == len(started)
    assert events("STEP_SUCCESS", run, "step_key") == started
    assert events("ASSET_CHECK_EVALUATION", run) == events("ASSET_CHECK_EVALUATION_PLANNED", run)
    assert services.status(before) == "SUCCESS"

    # The queue goes on.
    services.become(services.launch("release_summary"), "SUCCESS")
