"""The daemon, and nobody at the keyboard: it rehearses, releases a new tag once, and tells how that ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tasker_release_pipeline.loopback.fault_words import parse_faults
from tasker_release_pipeline.loopback.orders import order
from tests.operate.receiving import Receiver, receiving
from tests.pipeline.conftest import NINE, ROOT, Pipeline, _cache, change, example, git, shared

__all__ = ["_cache", "shared"]  # fixtures
pytestmark = [pytest.mark.service, pytest.mark.toolchain]


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """A person's checkout of a remote."""
    git(tmp_path, "clone", "--quiet", str(example(tmp_path / "remote")), str(tmp_path / "source"))
    return Pipeline(tmp_path, tmp_path / "source")


@contextmanager
def daemon(pipeline: Pipeline, **environment: str) -> Iterator[dg.DagsterInstance]:
    """The daemon over the pipeline's instance, with a code server of its own."""
    pipeline.home.mkdir(exist_ok=True)
    pipeline.share_cache()
    (pipeline.home / "dagster.yaml").write_text((ROOT / "config" / "dagster.yaml").read_text())
    known = pipeline.environment(TASKER_RELEASE_SOURCE=str(pipeline.source), **environment)
    del known["TASKER_RELEASE_REHEARSAL_REGISTRIES"]
    command = [str(Path(sys.executable).with_name("dagster-daemon")), "run", "-w", "workspace.yaml"]
    with (
        (pipeline.folder / "daemon.txt").open("a") as log,
        dg.DagsterInstance.from_config(str(pipeline.home)) as instance,
    ):
        # Two processes that make a new database at once get into each other's way.
        instance.get_runs()
        instance.all_instigator_state()
        instance.get_dynamic_partitions("releases")
        process = subprocess.Popen(
            command, cwd=ROOT, env=known, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            yield instance
        finally:
            # With its code server and their runs; the tools of those end with them.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=60)


def ticks_of(instance: dg.DagsterInstance, state: Any) -> Any:
    """All ticks of a schedule or a sensor."""
    return instance.get_ticks(state.instigator_origin_id, state.selector_id)


def until(condition: Callable[[], object], pipeline: Pipeline, seconds: float = 400) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, (pipeline.folder / "daemon.txt").read_text()[-6000:]
        time.sleep(0.5)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def test_the_daemon_rehearses_what_was_pushed_to_the_end_and_says_so(pipeline: Pipeline, receiver: Receiver) -> None:
    change(pipeline.folder / "remote", "tasker-shared/README.md")
    pushed = git(pipeline.folder / "remote", "rev-parse", "HEAD").strip()
    before = git(pipeline.source, "rev-parse", "HEAD", "--all")
    switches = {"TASKER_RELEASE_REHEARSALS": "on", "TASKER_RELEASE_REHEARSAL_CRON": "* * * * *"}
    with daemon(pipeline, **switches, **receiver.webhook) as instance:
        until(lambda: list(pipeline.store.glob("*/plan.json")), pipeline)
        (plan,) = pipeline.store.glob("*/plan.json")
        # An upload of a minute: one tick at least comes while the rehearsal is in progress.
        order(plan.parent / "registries", *parse_faults("npm:upload:delay=60"))
        until(lambda: receiver.hooked, pipeline)
        ticks = [tick for state in instance.all_instigator_state() for tick in ticks_of(instance, state)]
    body = receiver.hooked[0]
    release = body["release"]
    assert (body["mode"], body["result"]) == ("rehearsal", "success"), body
    assert {row["package"] for row in body["packages"] if row["outcome"] == "published"} == NINE
    assert pipeline.read(release, "plan.json")["commit"] == pushed
    assert git(pipeline.source, "rev-parse", "HEAD", "--all") == before
    assert any(f"is not rehearsed: {release} is in progress, by run" in str(tick.skip_reason) for tick in ticks)


def test_a_new_tag_is_released_once_whatever_daemon_looks(pipeline: Pipeline) -> None:
    switches = {"TASKER_RELEASE_TAGS": "on", "RELEASE_DRY_RUN": "true"}
    remote = pipeline.folder / "remote"

    def released(instance: dg.DagsterInstance) -> list[str]:
        return [run.tags["dagster/partition"] for run in instance.get_runs()]

    def ticks(instance: dg.DagsterInstance) -> int:
        """How many looked for tags to their end."""
        (state,) = instance.all_instigator_state()
        return sum(tick.end_timestamp is not None for tick in ticks_of(instance, state))

    with daemon(pipeline, **switches) as instance:
        until(lambda: instance.all_instigator_state() and ticks(instance), pipeline)
        git(remote, "tag", "release-20260301-0900")
        until(lambda: released(instance), pipeline)
    with daemon(pipeline, **switches) as instance:
        seen = ticks(instance)
        until(lambda: ticks(instance) > seen, pipeline)
        assert released(instance) == ["release-20260301-0900"]
