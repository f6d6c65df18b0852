"""A failure that may pass is waited out by the run: in its events, on its terminal, within its limits."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from tasker_release_pipeline.loopback.fault_words import parse_faults
from tasker_release_pipeline.loopback.orders import order
from tasker_release_pipeline.release.errors import ReleaseError, ToolError, TryAgainError, UnavailableError
from tasker_release_pipeline.steps.publish import publish_package
from tasker_release_pipeline.steps.run import ReleaseRun

from .conftest import CRATES, FIRST, ROOT, Pipeline
from .test_kills import left_nothing, processes, until

pytestmark = pytest.mark.toolchain
NPM = "npm/tasker"


@pytest.fixture
def unpublished(second: Pipeline) -> Pipeline:
    """The first release has the gate's go and lies in the store, and npm has nothing of it."""
    shutil.rmtree(second.registries / "records" / "npm")
    return second


def fault(world: Pipeline, words: str) -> None:
    for ordered in parse_faults(words):
        order(world.registries, ordered)


def limits(world: Pipeline, **changed: str) -> str:
    """The manifest with other limits: by registry the lines that come first in its table."""
    text = (files("tasker_release_pipeline") / "manifests" / "tasker.toml").read_text(encoding="utf-8")
    for registry, lines in changed.items():
        before, after = text.split(f"[registries.{registry}]\n")
        names = [line.partition(" =")[0] for line in lines.splitlines()]
        own, rest = after.split("\n\n", 1)
        kept = [line for line in own.splitlines() if line.partition(" =")[0] not in names]
        text = f"{before}[registries.{registry}]\n" + "\n".join([*lines.splitlines(), *kept]) + f"\n\n{rest}"
    path = world.folder / "limits.toml"
    path.write_text(text)
    return str(path)


def attempts(world: Pipeline, package: str = NPM) -> list[dict[str, Any]]:
    """The package's outcomes but those of the first release itself, in their order."""
    found = [json.loads(path.read_text()) for path in (world.store / FIRST / "outcomes" / package).glob("*.json")]
    return sorted(found, key=lambda outcome: outcome["at"])[1:]


def waits(world: Pipeline) -> list[tuple[str | None, float | None]]:
    """The steps that were up for a retry in the last run, and the seconds that Dagster waited."""
    with dg.DagsterInstance.from_config(str(world.home)) as instance:
        (run,) = instance.get_runs(limit=1)
        events = [entry.dagster_event for entry in instance.all_logs(run.run_id) if entry.dagster_event]
    return [(e.step_key, e.step_retry_data.seconds_to_wait) for e in events if e.is_step_up_for_retry]


def test_an_index_that_is_down_for_a_while_is_waited_for_and_the_run_ends_green(unpublished: Pipeline) -> None:
    # Later than the registry's client would wait for by itself.
    fault(unpublished, "npm:index:503:retry-after=5")
    ended = unpublished.execute("publish_typescript", FIRST)
    assert ended.status == 0, ended.output[-6000:]
    assert waits(unpublished) == [("npm__tasker", 6)]
    first, second = attempts(unpublished)
    assert (first["kind"], first["attempt"], first["seconds_wait"]) == ("unknown", 1, 6)
    assert (second["kind"], second["attempt"], second["run"]) == ("published", 2, first["run"])
    (line,) = [line for line in ended.output.splitlines() if "again in" in line]
    assert re.fullmatch(r"\S+ npm__tasker +WARNING again in 6 s \(attempt 2 of 5\): http\S+: HTTP 503, .*", line)
    assert "Stack Trace" not in ended.output
    assert "9 of 9 packages published" in unpublished.summary(FIRST)
    assert "went wrong" not in unpublished.summary(FIRST)


def test_a_limit_past_the_runs_patience_ends_it_with_the_time_to_go_on_and_the_next_run_goes_on(
    unpublished: Pipeline,
) -> None:
    fault(unpublished, "npm:index:429:retry-after-date=3600")
    ended = unpublished.execute("publish_typescript", FIRST)
    assert ended.status == 1, ended.output[-6000:]
    assert waits(unpublished) == []
    said = r"run again from \d{4}-\d\d-\d\d \d\d:\d\d UTC on \(in 6[01] min\): this run waits 15 min in all, and has "
    assert re.search(said, ended.output)
    assert re.search(said, unpublished.summary(FIRST))
    assert [outcome["kind"] for outcome in attempts(unpublished)] == ["unknown"]
    again = unpublished.execute("publish_typescript", FIRST)
    assert again.status == 0, again.output[-6000:]
    assert [outcome["kind"] for outcome in attempts(unpublished)] == ["unknown", "published"]


def publish(world: Pipeline, attempt: int = 1, run: str = "this", **settings: Any) -> ReleaseError | None:
    """One attempt of a step, without Dagster."""
    config = {"dry_run": False, "registries": "rehearsal", "source": str(world.source), **settings}
    release = ReleaseRun.of(
        FIRST, config, log=lambda _: None, run=run, attempt=attempt, environment=world.environment()
    )
    try:
        publish_package(release, NPM)
    except ReleaseError as error:
        return error
    return None


def test_the_waits_of_one_run_add_up_and_those_of_another_do_not_count(unpublished: Pipeline) -> None:
    fault(unpublished, "npm:index:503:retry-after=40:always")
    given = {"manifest": limits(unpublished, npm="attempts = 9\nwait_seconds = 100")}
    said = [str(publish(unpublished, attempt, **given)) for attempt in (1, 2, 3)]
    assert [text.partition(":")[0] for text in said[:2]] == [
        "again in 41 s (attempt 2 of 9)",
        "again in 41 s (attempt 3 of 9)",
    ]
    assert "min): this run waits 100 s in all, and has 18 s of it left after attempt 3 of 9. http" in said[2]
    assert isinstance(publish(unpublished, 1, run="next", **given), TryAgainError)
    assert [outcome["seconds_wait"] for outcome in attempts(unpublished)] == [41, 41, 0, 41]
    # On the command line all runs have one name.
    assert isinstance(publish(unpublished, 1, **given), TryAgainError)


def test_what_ends_the_attempts_is_the_failure_itself(unpublished: Pipeline) -> None:
    fault(unpublished, "npm:index:503:retry-after=5:always")
    given = {"manifest": limits(unpublished, npm="attempts = 1")}
    error = publish(unpublished, **given)
    assert type(error) is UnavailableError
    assert "min): that was attempt 1 of 1. http" in str(error)


def test_an_upload_that_the_registry_has_no_time_for_is_tried_again_later_and_said_in_one_line(
    unpublished: Pipeline,
) -> None:
    fault(unpublished, "npm:upload:429:always")
    error = publish(unpublished)
    assert isinstance(error, TryAgainError)
    assert re.fullmatch(
        r"again in \d+ s \(attempt 2 of 5\): @tasker-systems/tasker 0.1.1: the upload failed .*", str(error)
    )
    (only,) = attempts(unpublished)
    assert (only["kind"], only["seconds_wait"]) == ("failed", error.seconds)
    assert "429 Too Many Requests" in only["detail"]


def test_an_upload_that_the_registry_refuses_for_good_is_not_tried_again(unpublished: Pipeline) -> None:
    fault(unpublished, "npm:upload:refuse=403")
    error = publish(unpublished)
    assert isinstance(error, ToolError)
    assert [(outcome["kind"], outcome["seconds_wait"]) for outcome in attempts(unpublished)] == [("failed", 0)]


@pytest.mark.slow
def test_six_new_crates_are_announced_at_the_gate_and_get_through_crates_ios_limit(second: Pipeline) -> None:
    shutil.rmtree(second.registries / "records" / "crates_io")
    fault(second, "crates_io:upload:new-names=5:every=90")
    given = {"manifest": limits(second, crates_io="new_names = { burst = 5, seconds = 90 }")}
    judged = second.execute("gate", FIRST, **given)
    assert judged.status == 0, judged.output[-6000:]
    said = (
        "crates_io: 6 new names; it lets 5 through at once, then one every 90 s: expect about 90 s of waiting, which "
        "the run does by itself; in a rehearsal only where it is ordered as a fault"
    )
    assert {"severity": "warning", "message": said} in second.read(FIRST, "gate.json")["findings"]
    assert said in judged.output
    assert said in second.summary(FIRST)
    ended = second.execute("publish_crates", FIRST, **given)
    assert ended.status == 0, ended.output[-6000:]
    ((step, seconds),) = waits(second)
    assert step in ("crates_io__tasker_worker", "crates_io__tasker_cli")
    assert seconds is not None
    assert seconds <= 92
    assert "You have published too many new crates in a short period of time" in ended.output
    assert {key: kind for key, kind in second.outcomes(FIRST).items() if key in CRATES} == dict.fromkeys(
        CRATES, "published"
    )


@contextmanager
def waiting(world: Pipeline) -> Iterator[subprocess.Popen[bytes]]:
    """A run of the npm package whose step waits for its second attempt."""
    config = world.folder / "config.yaml"
    settings = {"source": str(world.source), "dry_run": False, "registries": "rehearsal"}
    config.write_text(json.dumps({"resources": {"settings": {"config": settings}}}))
    world.home.mkdir(parents=True, exist_ok=True)
    command = [str(Path(sys.executable).with_name("dagster")), "job", "execute", "-m", "tasker_release_pipeline"]
    tags = json.dumps({"dagster/partition": FIRST})
    with (world.folder / "waited.txt").open("wb") as output:
        run = subprocess.Popen(
            [*command, "-j", "publish_typescript", "-c", str(config), "--tags", tags],
            cwd=ROOT,
            env=world.environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        assert until(lambda: any(o["seconds_wait"] for o in attempts(world)) or run.poll() is not None, 120)
        assert until(lambda: not steps(world), 20), processes(world.folder)
        yield run
    finally:
        run.kill()
        run.wait()


def steps(world: Pipeline) -> list[int]:
    """The processes of steps: forks of the run's fork server, which is a fork of the run."""
    forks = {pid for pid, line in processes(world.folder).items() if "dagster job execute" in line}
    return [pid for pid in forks if parent(pid) in forks and parent(parent(pid)) in forks]


def parent(pid: int) -> int:
    return int(stat(pid)[1])


def cpu_seconds(pid: int) -> float:
    return sum(map(int, stat(pid)[11:13])) / os.sysconf("SC_CLK_TCK")


def stat(pid: int) -> list[str]:
    """What the kernel says of a process, from its state on."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()
    except OSError:  # it has ended
        return ["", "0"]


@pytest.mark.slow
def test_a_run_that_waits_rests_and_a_signal_ends_it_cleanly_without_another_attempt(unpublished: Pipeline) -> None:
    fault(unpublished, "npm:index:503:retry-after=600")
    with waiting(unpublished) as run:
        started, used = time.monotonic(), cpu_seconds(run.pid)
        assert until(lambda: time.monotonic() - started > 2, 10)
        assert cpu_seconds(run.pid) - used < 0.2 * (time.monotonic() - started)
        os.kill(run.pid, signal.SIGTERM)
        assert until(partial(left_nothing, unpublished), 5), processes(unpublished.folder)
        assert run.wait() == 1
    (only,) = attempts(unpublished)
    assert (only["kind"], only["seconds_wait"]) == ("unknown", 601)
    assert "tasker-systems-tasker-0.1.1.tgz" not in unpublished.published()
    assert "interrupted before it was tried again; run it again" in unpublished.summary(FIRST)
    ended = unpublished.execute("publish_typescript", FIRST)
    assert ended.status == 0, ended.output[-6000:]
    assert [outcome["kind"] for outcome in attempts(unpublished)] == ["unknown", "published"]
