"""Killed at any moment: nothing of ours is left, and the next run ends as if nothing had happened."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.pipeline.conftest import NINE, ROOT, Pipeline

pytestmark = pytest.mark.toolchain
RELEASE = "rehearsal-killed"


def processes(folder: Path) -> dict[int, str]:
    """The processes that work in `folder`, or were told of it: their ids and command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            told = (entry / "environ").read_bytes().decode(errors="replace")
            where = os.readlink(entry / "cwd")
        except OSError:
            continue
        if words and (str(folder) in words or str(folder) in told or where.startswith(str(folder))):
            found[int(entry.name)] = words
    return found


def until(condition: Callable[[], object], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def running(pipeline: Pipeline, reached: Callable[[], object]) -> Iterator[subprocess.Popen[bytes]]:
    """A run of the whole release, once it has `reached` something."""
    config = pipeline.folder / "config.yaml"
    pipeline.home.mkdir(parents=True, exist_ok=True)
    settings = {"source": str(pipeline.source), "dry_run": False, "registries": "rehearsal"}
    config.write_text(json.dumps({"resources": {"settings": {"config": settings}}}))
    command = [str(Path(sys.executable).with_name("dagster")), "job", "execute", "-m", "tasker_release_pipeline"]
    with (pipeline.folder / "killed.txt").open("wb") as output:
        run = subprocess.Popen(
            [*command, "-j", "release", "-c", str(config), "--tags", json.dumps({"dagster/partition": RELEASE})],
            cwd=ROOT,
            env=pipeline.environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        assert until(lambda: reached() or run.poll() is not None, 180)
        assert run.poll() is None, (pipeline.folder / "killed.txt").read_text()[-3000:]
        yield run
    finally:
        run.kill()
        run.wait()


def left_nothing(pipeline: Pipeline) -> bool:
    return not processes(pipeline.folder)


def nobody(found: Callable[[], list[int]]) -> bool:
    return not found()


def tool(pipeline: Pipeline, *words: str) -> Callable[[], list[int]]:
    """Whether a tool with all these words in its command line runs."""
    return lambda: [pid for pid, line in processes(pipeline.folder).items() if all(word in line for word in words)]


MOMENTS = {
    "a compiler at work": ("rustc", "pyo3"),
    "the first upload": ("cargo", " publish ", "publish_crates_io_tasker-pgmq"),
    "an upload": ("cargo", " publish ", "publish_crates_io_tasker-client"),
}


@pytest.mark.parametrize(
    "number",
    [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)],
    ids=["SIGKILL", "SIGTERM"],
)
@pytest.mark.parametrize(
    "moment",
    [
        "the first upload",
        *(pytest.param(later, marks=pytest.mark.slow) for later in ("a compiler at work", "an upload")),
    ],
)
def test_a_killed_run_leaves_nothing_and_the_next_one_finishes(fresh: Pipeline, moment: str, number: int) -> None:
    fresh.folder.mkdir()
    with running(fresh, tool(fresh, *MOMENTS[moment])) as run:
        os.kill(run.pid, number)
        assert until(partial(left_nothing, fresh), 5), processes(fresh.folder)
        assert run.wait() != 0
    assert not [path for path in fresh.store.rglob(".*") if path.name != ".run.lock"]
    ended = fresh.execute("release", RELEASE)
    assert ended.status == 0, ended.output[-6000:]
    assert set(fresh.outcomes(RELEASE)) == NINE
    assert {package["version"] for package in fresh.read(RELEASE, "plan.json")["packages"]} == {"0.1.1"}
    assert set(fresh.outcomes(RELEASE).values()) <= {"published", "already_published"}
    assert sorted(fresh.published().values()) == sorted(fresh.artifacts(RELEASE).values())


def test_a_killed_step_takes_its_tools_along(fresh: Pipeline) -> None:
    fresh.folder.mkdir()
    compiler = tool(fresh, "rustc", "pyo3")
    with running(fresh, compiler) as run:
        (pid, *_) = compiler()
        os.kill(step_of(pid), signal.SIGKILL)
        assert until(partial(nobody, compiler), 5), processes(fresh.folder)
        assert run.wait(timeout=120) == 1
    assert until(partial(left_nothing, fresh), 5), processes(fresh.folder)
    assert "wheels" in fresh.summary(RELEASE)


def step_of(pid: int) -> int:
    """The step's process, which `pid`'s tool was started by: the nearest ancestor that the fork server made."""
    while True:
        pid = int((Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[1])
        if b"forkserver" in (Path("/proc") / str(pid) / "cmdline").read_bytes():
            return pid


def test_a_second_run_of_the_same_release_says_who_holds_it(fresh: Pipeline) -> None:
    fresh.folder.mkdir()
    with running(fresh, (fresh.store / RELEASE / "plan.json").exists) as run:
        refused = fresh.execute("release", RELEASE)
        assert refused.status == 1
        assert f"release {RELEASE}: run " in refused.output
        assert f"(process {run.pid}, since " in refused.output
