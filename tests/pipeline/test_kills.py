"""Killed at any moment: nothing of ours is left, and the next run ends as if nothing had happened."""

import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tasker_release_pipeline.loopback.fault_words import parse_faults
from tasker_release_pipeline.loopback.orders import order, orders, withdraw
from tasker_release_pipeline.release.manifest import load
from tests.pipeline.conftest import FIRST, NINE, ROOT, Pipeline, change

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
def running(
    pipeline: Pipeline, reached: Callable[[], object], job: str = "release", release: str = RELEASE
) -> Iterator[subprocess.Popen[bytes]]:
    """A run of `job`, once it has `reached` something, or has ended."""
    config = pipeline.folder / "config.yaml"
    pipeline.home.mkdir(parents=True, exist_ok=True)
    pipeline.share_cache()
    settings = {"source": str(pipeline.source), "dry_run": False, "registries": "rehearsal"}
    console = {"console": {"config": {"log_level": "DEBUG"}}}
    config.write_text(json.dumps({"resources": {"settings": {"config": settings}}, "loggers": console}))
    command = [str(Path(sys.executable).with_name("dagster")), "job", "execute", "-m", "tasker_release_pipeline"]
    with printed(pipeline).open("wb") as output:
        run = subprocess.Popen(
            [*command, "-j", job, "-c", str(config), "--tags", json.dumps({"dagster/partition": release})],
            cwd=ROOT,
            env=pipeline.environment(),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        assert until(lambda: reached() or run.poll() is not None, 240), printed(pipeline).read_text()[-3000:]
        yield run
    finally:
        run.kill()
        run.wait()


def printed(pipeline: Pipeline) -> Path:
    """What the last run printed."""
    return pipeline.folder / "killed.txt"


def alive(run: subprocess.Popen[bytes], pipeline: Pipeline) -> subprocess.Popen[bytes]:
    """The run, which must not have ended by itself."""
    assert run.poll() is None, printed(pipeline).read_text()[-3000:]
    return run


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
}


def soon() -> float:
    """Five seconds, on a machine that has time: longer where more wants to run than it has cores."""
    return 5 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def nothing_is_left(pipeline: Pipeline, release: str) -> None:
    """Within five seconds: no process of ours, no lock that anyone holds, no half of a file in the store."""
    assert until(partial(left_nothing, pipeline), soon()), processes(pipeline.folder)
    for lock in [*pipeline.store.glob("*/.run.lock"), *(pipeline.folder / "work").glob("*/*.lock")]:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    files = [path for path in (pipeline.store / release).rglob("*") if path.is_file() and path.name != ".run.lock"]
    assert not [path for path in files if path.name.startswith(".") and "registries" not in path.parts]
    for path in files:
        if path.suffix == ".json" and "registries" not in path.parts:
            json.loads(path.read_text())


def everything_is_out_once(pipeline: Pipeline, release: str) -> None:
    """The registries hold each file of the release exactly once, and the outcomes say so."""
    assert set(pipeline.outcomes(release).values()) <= {"published", "already_published", "unchanged"}
    assert set(pipeline.outcomes(release)) == NINE
    held = list(pipeline.published().values())
    assert len(set(held)) == len(held)
    assert set(pipeline.artifacts(release).values()) <= set(held)


@pytest.mark.timeout(1800)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("moment", "number"),
    [("the first upload", signal.SIGKILL), ("a compiler at work", signal.SIGTERM)],
    ids=["SIGKILL in the first upload", "SIGTERM in a build"],
)
def test_a_killed_first_release_leaves_nothing_and_the_next_run_finishes(
    fresh: Pipeline, moment: str, number: int
) -> None:
    fresh.folder.mkdir()
    with running(fresh, tool(fresh, *MOMENTS[moment])) as run:
        os.kill(alive(run, fresh).pid, number)
        nothing_is_left(fresh, RELEASE)
        assert run.wait() != 0
    ended = fresh.execute("release", RELEASE)
    assert ended.status == 0, ended.output[-6000:]
    assert {package["version"] for package in fresh.read(RELEASE, "plan.json")["packages"]} == {"0.1.1"}
    everything_is_out_once(fresh, RELEASE)
    assert sorted(fresh.published().values()) == sorted(fresh.artifacts(RELEASE).values())


FINISHED = re.compile(r'Finished execution of step "?(\w+)')


def finished(pipeline: Pipeline) -> list[str]:
    """The steps that the last run has come to the end of."""
    return FINISHED.findall(printed(pipeline).read_text())


OTHER = {signal.SIGTERM: signal.SIGKILL, signal.SIGKILL: signal.SIGTERM}


@pytest.mark.timeout(1800)
@pytest.mark.slow
def test_a_release_that_is_killed_after_one_step_after_another_ends_as_if_nothing_had_happened(
    second: Pipeline,
) -> None:
    change(second.source, "workers/ruby/README.md", "\nMore.\n")
    before, number, killed = second.published(), signal.SIGTERM, 0
    # Up to the gate after each step; then here and there, as the steps that upload have tests of their own.
    for count in (*range(1, 11), *range(13, 40, 9)):
        with running(second, lambda at=count: len(finished(second)) >= at, release="rehearsal-gem") as run:
            if run.poll() is not None:
                break  # it has no more steps
            os.kill(run.pid, number)
            nothing_is_left(second, "rehearsal-gem")
            run.wait()
        killed, number = killed + 1, OTHER[number]
    assert killed > 10
    ended = second.execute("release", "rehearsal-gem")
    assert ended.status == 0, ended.output[-6000:]
    everything_is_out_once(second, "rehearsal-gem")
    assert set(second.published()) - set(before) == {"tasker-rb-0.1.2.gem"}


JOBS = {
    "crates_io": ("publish_crates", "cargo publish", 6),
    "rubygems": ("publish_ruby", "gem push", 1),
    "pypi": ("publish_python", "uv publish", 1),
    "npm": ("publish_typescript", "npm publish", 1),
}


def uploaders(pipeline: Pipeline, registry: str, package: str = "") -> list[int]:
    """The registry's own client, where one uploads now: that of `package`, where it is named."""
    client, verb = JOBS[registry][1].split()
    found = {pid: line.split() for pid, line in processes(pipeline.folder).items()}
    wanted = {verb, package} - {""}
    return [
        pid for pid, words in found.items() if wanted <= {*words} and any(Path(word).name == client for word in words)
    ]


def held_open(pipeline: Pipeline, registry: str, package: str) -> Callable[[], object]:
    """Order that the upload of a package be held open; whether it is."""
    withdraw(pipeline.registries)
    (fault,) = parse_faults(f"{registry}:upload:delay=20" + (f":package={package}" if package else ""))
    order(pipeline.registries, fault)
    return lambda: orders(pipeline.registries)[0].struck and uploaders(pipeline, registry, package)


def victim(pipeline: Pipeline, registry: str, package: str, who: str, run: subprocess.Popen[bytes]) -> int:
    if who == "run":
        return run.pid
    (uploader, *_) = uploaders(pipeline, registry, package)
    return uploader if who == "tool" else step_of(uploader)


def killed_in_the_middle(world: Pipeline, registry: str, who: str, number: int, package: str = "") -> None:
    """Kill `who` while an upload to `registry` is under way, that of `package` where it is named."""
    with running(world, held_open(world, registry, package), JOBS[registry][0], FIRST) as run:
        os.kill(victim(world, registry, package, who, alive(run, world)), number)
        if who != "run":
            # The step says what happened; or Dagster finds it gone. The run ends by itself, or waits to try again.
            assert until(lambda: not uploaders(world, registry, package), soon()), processes(world.folder)
            os.kill(run.pid, signal.SIGTERM)
        nothing_is_left(world, FIRST)
        assert run.wait() != 0
    if who == "run":  # it may ask for no other attempt
        assert "again in" not in printed(world).read_text()
    withdraw(world.registries)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("registry", "kills"),
    [
        ("npm", [("run", signal.SIGKILL)]),
        *(
            pytest.param(
                registry,
                [(who, number) for who in ("run", "step", "tool") for number in (signal.SIGTERM, signal.SIGKILL)],
                marks=pytest.mark.slow,
            )
            for registry in JOBS
        ),
    ],
    ids=["npm, the run", *(f"{registry}, everything" for registry in JOBS)],
)
def test_what_is_killed_in_the_middle_of_an_upload_is_continued(
    second: Pipeline, registry: str, kills: list[tuple[str, int]]
) -> None:
    shutil.rmtree(second.registries / "records" / registry)
    # One of each phase after the other, as its peers come out beside it.
    phases = {crate.phase: crate.name for crate in load("tasker").crates}
    crates = [phases[min(kill, max(phases))] for kill in range(1, len(kills) + 1)]
    for (who, number), crate in zip(kills, crates, strict=True):
        killed_in_the_middle(second, registry, who, number, crate if registry == "crates_io" else "")
    ended = second.execute(JOBS[registry][0], FIRST)
    assert ended.status == 0, ended.output[-6000:]
    everything_is_out_once(second, FIRST)
    assert sorted(second.published().values()) == sorted(second.artifacts(FIRST).values())


@pytest.mark.timeout(1800)
@pytest.mark.slow
@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM first", "SIGKILL first"])
def test_crates_whose_run_is_killed_after_each_of_them_come_out_once_each(
    second: Pipeline, first: signal.Signals
) -> None:
    shutil.rmtree(second.registries / "records" / "crates_io")
    number = first
    for count in range(1, 7):
        with running(second, lambda at=count: len(finished(second)) >= at, "publish_crates", FIRST) as run:
            os.kill(alive(run, second).pid, number)
            nothing_is_left(second, FIRST)
            assert run.wait() != 0
        number = OTHER[number]
    ended = second.execute("publish_crates", FIRST)
    assert ended.status == 0, ended.output[-6000:]
    everything_is_out_once(second, FIRST)


@pytest.mark.slow
def test_a_killed_step_takes_its_tools_along(fresh: Pipeline) -> None:
    fresh.folder.mkdir()
    compiler = tool(fresh, "rustc", "pyo3")
    with running(fresh, compiler) as run:
        alive(run, fresh)
        (pid, *_) = compiler()
        os.kill(step_of(pid), signal.SIGKILL)
        assert until(partial(nobody, compiler), soon()), processes(fresh.folder)
        assert run.wait(timeout=120) == 1
    assert until(partial(left_nothing, fresh), soon()), processes(fresh.folder)
    (killed,) = set(re.findall(r"child process for step (\w+)", printed(fresh).read_text()))
    assert f"**{killed}**: its process was killed, " in fresh.summary(RELEASE)


def step_of(pid: int) -> int:
    """The step's process, which `pid`'s tool was started by: one that the fork server made, or the run of few steps."""
    while True:
        pid = int((Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[1])
        line = (Path("/proc") / str(pid) / "cmdline").read_bytes()
        if b"forkserver" in line or b"dagster\0job\0execute" in line:
            return pid


def test_a_second_run_of_the_same_release_says_who_holds_it(fresh: Pipeline) -> None:
    fresh.folder.mkdir()
    with running(fresh, (fresh.store / RELEASE / "plan.json").exists) as run:
        alive(run, fresh)
        refused = fresh.execute("release", RELEASE)
        assert refused.status == 1
        assert f"release {RELEASE}: run " in refused.output
        assert f"(process {run.pid}, since " in refused.output
