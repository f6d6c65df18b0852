"""Two machines with one remote store: only one of them uploads."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from fsspec import AbstractFileSystem
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.ftp import FTPFileSystem
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from upath import UPath

from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.manifest import load
from tasker_release_pipeline.release.settings import Registries, Settings
from tasker_release_pipeline.steps.lease import Lease, Times, leases, offers_conditional_write
from tasker_release_pipeline.steps.publish_registry import publish_registry
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.store import ReleaseStore

NPM, GEMS = RegistryName.NPM, RegistryName.RUBYGEMS
LIVE = Settings(dry_run=False)
REHEARSAL = Settings(dry_run=False, registries=Registries.REHEARSAL)
QUICK = Times(lease=0.5, renew=0.02, margin=0.2)


@pytest.fixture
def root() -> Iterator[UPath]:
    found = UPath(f"memory://lease-{uuid4().hex}")
    yield found
    if found.exists():
        found.fs.rm(found.path, recursive=True)


def a_run(root: UPath, name: str = "one", settings: Settings = LIVE) -> ReleaseRun:
    return ReleaseRun(
        release="v0.1.9", settings=settings, manifest=load("tasker"), store=ReleaseStore(root, "v0.1.9"),
        work=Path("/nowhere"), log=print, run=name,
    )  # fmt: skip


def stored(root: UPath, registry: RegistryName = NPM) -> dict[int, Lease]:
    folder = root / "v0.1.9" / ".lease" / registry.value
    files = folder.iterdir() if folder.is_dir() else ()
    return {int(path.stem): Lease.model_validate_json(path.read_bytes()) for path in files}


def left_behind(root: UPath, number: int, seconds: float) -> Lease:
    """The lease of a run that was killed; it holds this long."""
    lease = Lease(token="k", run="killed", host="ci-7", pid=42, expires=datetime.now(UTC) + timedelta(seconds=seconds))
    folder = root / "v0.1.9" / ".lease" / NPM.value
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{number}.json").write_text(lease.model_dump_json())
    return lease


def until(condition: Callable[[], object]) -> None:
    limit = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.005)


def test_a_second_run_is_told_who_uploads_and_may_once_the_first_has_ended(root: UPath) -> None:
    with leases(a_run(root, "one"), {NPM}):
        with pytest.raises(
            InputError, match=rf"v0\.1\.9: run one \(process {os.getpid()} on .*\) is uploading to npm; "
        ):
            leases(a_run(root, "two"), {NPM}).__enter__()
        (lease,) = stored(root).values()
        assert lease.run == "one"
    with leases(a_run(root, "two"), {NPM}):
        assert {number: lease.run for number, lease in stored(root).items()} == {2: "two"}
    assert [lease.released for lease in stored(root).values()] == [True]


def test_jobs_that_upload_to_different_registries_run_beside_each_other(root: UPath) -> None:
    with (
        leases(a_run(root, "one"), {NPM}),
        leases(a_run(root, "two"), {GEMS}),
        pytest.raises(InputError, match=r"run two .* is uploading to rubygems"),
    ):
        leases(a_run(root, "three"), {RegistryName.PYPI, GEMS}).__enter__()
    with leases(a_run(root, "three"), set(RegistryName)):
        pass


def test_what_a_refused_run_held_already_is_given_back(root: UPath) -> None:
    with leases(a_run(root, "one"), {GEMS}), pytest.raises(InputError):
        leases(a_run(root, "two"), {NPM, GEMS}).__enter__()
    assert all(lease.released for lease in stored(root, NPM).values())


@pytest.mark.parametrize("settings", [REHEARSAL, Settings()], ids=["rehearsal", "dry run"])
def test_a_rehearsal_and_a_dry_run_need_no_lease(root: UPath, settings: Settings) -> None:
    with leases(a_run(root, settings=settings), {NPM}):
        assert not root.exists()


def test_a_store_on_this_machine_needs_no_lease(tmp_path: Path) -> None:
    with leases(a_run(UPath(tmp_path)), {NPM}):
        assert list(tmp_path.iterdir()) == []


def test_a_lease_is_renewed_for_as_long_as_the_run_works(root: UPath) -> None:
    with leases(a_run(root, "one"), {NPM}, times=QUICK):
        first = stored(root)[1].expires
        until(lambda: datetime.now(UTC) > first)
        with pytest.raises(InputError, match="run one "):
            leases(a_run(root, "two"), {NPM}).__enter__()


def test_a_killed_runs_lease_keeps_others_out_until_it_expires(root: UPath) -> None:
    lease = left_behind(root, 3, seconds=100)
    until_then = lease.expires.isoformat(timespec="seconds").replace("+", r"\+")
    with pytest.raises(
        InputError, match=rf"run killed \(process 42 on ci-7\) .*if it was killed, .*ends at {until_then}"
    ):
        leases(a_run(root), {NPM}).__enter__()
    left_behind(root, 3, seconds=-1)
    with leases(a_run(root), {NPM}):
        assert {number: lease.run for number, lease in stored(root).items()} == {4: "one"}


def test_a_run_that_was_frozen_past_its_lease_ends_itself_and_leaves_its_successor_alone(root: UPath) -> None:
    reasons: list[str] = []
    with leases(a_run(root, "frozen"), {NPM}, times=QUICK, lost=reasons.append):
        left_behind(root, 2, seconds=100)
        until(lambda: reasons)
    assert "the lease for npm is lost (another run has taken it over); this run ends, run again" in reasons[0]
    assert stored(root)[2].run == "killed"
    assert not stored(root)[2].released


def test_a_run_whose_store_does_not_answer_ends_before_others_may_take_over(
    root: UPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    reasons: list[tuple[str, datetime]] = []
    original = MemoryFileSystem.pipe_file

    def fails(*_: Any, **__: Any) -> None:
        raise ConnectionError("no route to the store")

    with leases(a_run(root), {NPM}, times=QUICK, lost=lambda reason: reasons.append((reason, datetime.now(UTC)))):
        monkeypatch.setattr(MemoryFileSystem, "pipe_file", fails)
        until(lambda: reasons)
        monkeypatch.setattr(MemoryFileSystem, "pipe_file", original)
    ((reason, moment),) = reasons
    assert "could not be renewed: no route to the store" in reason
    assert moment < stored(root)[1].expires


def test_a_run_whose_store_hangs_ends_before_others_may_take_over(root: UPath, monkeypatch: pytest.MonkeyPatch) -> None:
    reasons: list[tuple[str, datetime]] = []
    answers = threading.Event()
    original = MemoryFileSystem.pipe_file

    def hangs(*arguments: Any, **options: Any) -> None:
        answers.wait(30)
        original(*arguments, **options)

    with leases(a_run(root), {NPM}, times=QUICK, lost=lambda reason: reasons.append((reason, datetime.now(UTC)))):
        monkeypatch.setattr(MemoryFileSystem, "pipe_file", hangs)
        until(lambda: reasons)
        expires = stored(root)[1].expires
        answers.set()
    ((reason, moment),) = reasons
    assert "could not be renewed: the store does not answer" in reason
    assert moment < expires


def test_a_run_that_lost_its_lease_is_ended_like_by_a_signal() -> None:
    script = textwrap.dedent("""
        import time
        from upath import UPath
        from tests.test_lease import NPM, QUICK, a_run, left_behind, leases
        root = UPath("memory://lost")
        with leases(a_run(root), {NPM}, times=QUICK):
            left_behind(root, 2, seconds=100)
            time.sleep(60)
    """)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=50)
    assert done.returncode == -signal.SIGTERM, done.stderr
    assert "release v0.1.9: the lease for npm is lost" in done.stderr


def test_the_command_line_asks_for_the_lease(root: UPath, tmp_path: Path) -> None:
    left_behind(root, 1, seconds=100)
    with pytest.raises(InputError, match=r"run killed \(process 42 on ci-7\) is uploading to npm"):
        publish_registry(replace(a_run(root), work=tmp_path), NPM)


def test_a_run_of_the_graph_asks_for_the_lease(tmp_path: Path) -> None:
    # The memory of the run's own process.
    (tmp_path / "job.py").write_text(
        "from upath import UPath\n"
        "from tasker_release_pipeline.definitions import defs\n"
        "from tests.test_lease import left_behind\n"
        "left_behind(UPath('memory://leased'), 1, seconds=100)\n"
    )
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    (tmp_path / "config.yaml").write_text("resources: {settings: {config: {dry_run: false}}}\n")
    environment = {
        "DAGSTER_HOME": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[1]),
        "TASKER_RELEASE_STORE": "memory://leased",
        "RELEASE_DRY_RUN": "false",
    }
    tag = '{"dagster/partition": "v0.1.9"}'
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("dagster")), "job", "execute", "-f", "job.py"),
            *("-j", "publish_typescript", "-c", "config.yaml", "--tags", tag),
        ],
        cwd=tmp_path,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 1
    assert "run killed (process 42 on ci-7) is uploading to npm; wait for its end" in done.stdout + done.stderr
    assert "not attempted" not in done.stdout  # no summary of a release that another works on


@pytest.mark.parametrize("predecessor", ["none", "killed"])
def test_of_many_runs_that_start_at_once_exactly_one_holds_the_lease(
    root: UPath, monkeypatch: pytest.MonkeyPatch, predecessor: str
) -> None:
    # The memory's own looks first and writes then; a lock makes it one act, as object stores have it.
    original, lock = MemoryFileSystem.pipe_file, threading.Lock()

    def one_act(self: Any, path: str, value: bytes, mode: str = "overwrite") -> None:
        with lock:
            original(self, path, value, mode=mode)

    monkeypatch.setattr(MemoryFileSystem, "pipe_file", one_act)
    if predecessor == "killed":
        left_behind(root, 1, seconds=-1)
    together, ended = threading.Barrier(12), threading.Event()
    won: list[str] = []
    refused: list[str] = []

    def start(name: str) -> None:
        together.wait()
        try:
            with leases(a_run(root, name), {NPM}):
                won.append(name)
                ended.wait(30)
        except InputError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=start, args=(f"run-{number}",)) for number in range(12)]
    for thread in threads:
        thread.start()
    until(lambda: len(won) + len(refused) == 12)
    ended.set()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert len(refused) == 11


def test_a_live_release_is_refused_where_a_store_has_no_conditional_write(
    root: UPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemoryFileSystem, "pipe_file", AbstractFileSystem.pipe_file)
    with pytest.raises(InputError, match=r"store memory://lease-.*offers no conditional write.*TASKER_RELEASE_STORE"):
        leases(a_run(root), {NPM}).__enter__()
    with leases(a_run(root, settings=REHEARSAL), {NPM}):
        pass


def test_only_a_file_system_that_knows_the_mode_counts_as_having_conditional_writes() -> None:
    class LikeS3(AbstractFileSystem):
        """s3fs, gcsfs and adlfs are asynchronous."""

        async def _pipe_file(self, path: str, data: bytes, mode: str = "overwrite", **options: Any) -> None:
            raise NotImplementedError(path, data, mode, options)

    class Swallows(AbstractFileSystem):
        async def _pipe_file(self, path: str, data: bytes, **options: Any) -> None:
            raise NotImplementedError(path, data, options)

    assert offers_conditional_write(LikeS3)
    assert offers_conditional_write(MemoryFileSystem)
    for kind in (Swallows, FTPFileSystem, DirFileSystem, LocalFileSystem):
        assert not offers_conditional_write(kind), kind
