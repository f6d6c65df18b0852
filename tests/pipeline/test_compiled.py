"""Releases of one machine compile third parties once, and never take each other's own code for theirs."""

import shutil
import subprocess
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from tasker_release_pipeline.steps.compiled import compiled
from tasker_release_pipeline.steps.run import ReleaseRun
from tests.pipeline.conftest import git

FIRST, SECOND = "rehearsal-20260101-0001", "rehearsal-20260101-0002"


def release(folder: Path, name: str, log: Callable[[str], None] = lambda _: None) -> tuple[ReleaseRun, Path]:
    """A release whose source is one crate that says its release's name; all have the same version."""
    source = folder / name
    (source / "src").mkdir(parents=True)
    (source / "Cargo.toml").write_text('[package]\nname = "says"\nversion = "0.1.0"\nedition = "2021"\n')
    (source / "src" / "main.rs").write_text(f'fn main() {{ println!("{name}"); }}\n')
    git(source, "init", "--quiet")
    environment = {"TASKER_RELEASE_WORK": str(folder / "work"), "TASKER_RELEASE_STORE": str(folder / "store")}
    config = {"source": str(source), "registries": "rehearsal"}
    return ReleaseRun.of(name, config, log=log, environment=environment), source


def say(run: ReleaseRun, source: Path) -> str:
    with compiled(run, source, is_uploaded=True) as target:
        command = ["cargo", "run", "--quiet", "--target-dir", str(target)]
        return subprocess.run(command, cwd=source, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.toolchain
def test_a_release_is_made_of_its_own_code_though_another_compiled_the_same_version(tmp_path: Path) -> None:
    first, second = release(tmp_path, FIRST), release(tmp_path, SECOND)  # written before either is compiled
    assert [say(*first), say(*second), say(*second), say(*first)] == [FIRST, SECOND, SECOND, FIRST]


def test_releases_take_turns_and_the_steps_of_one_do_not(tmp_path: Path) -> None:
    said: list[str] = []
    (ours, source), (theirs, other) = release(tmp_path, FIRST), release(tmp_path, SECOND, said.append)
    was_there = threading.Event()

    def another() -> None:
        with compiled(theirs, other, is_uploaded=True):
            was_there.set()

    with ExitStack() as later:
        with compiled(ours, source, is_uploaded=True) as folder:
            waiting = threading.Thread(target=another)
            waiting.start()
            assert later.enter_context(compiled(ours, source, is_uploaded=True)) == folder
        assert not was_there.wait(0.3)
    waiting.join(20)
    assert was_there.is_set()
    assert said == [f"{folder}: another release compiles there, and this one waits until that is done"]


def test_a_turn_is_taken_while_other_builds_write_and_remove_files(tmp_path: Path) -> None:
    first, second = release(tmp_path, FIRST), release(tmp_path, SECOND)
    done = threading.Event()

    def install() -> None:
        modules = first[1] / "node_modules"
        while not done.is_set():
            modules.mkdir()
            for number in range(100):
                (modules / f"{number}.js").touch()
            shutil.rmtree(modules)

    installing = threading.Thread(target=install)
    installing.start()
    try:
        for run, source in [first, second] * 100:
            with compiled(run, source, is_uploaded=True):
                pass
    finally:
        done.set()
        installing.join()


def test_what_a_live_release_uploads_is_compiled_in_its_own_folder_and_its_lints_where_most_is_compiled_already(
    tmp_path: Path,
) -> None:
    source = release(tmp_path, FIRST)[1]
    environment = {name: str(tmp_path / name) for name in ("TASKER_RELEASE_WORK", "TASKER_RELEASE_STORE")}
    config = {"source": str(source), "registries": "live", "dry_run": False}
    live = ReleaseRun.of("v0.1.0", config, log=print, environment=environment | {"RELEASE_DRY_RUN": "false"})

    def where(run: ReleaseRun, *, is_uploaded: bool) -> Path:
        with compiled(run, source, is_uploaded=is_uploaded) as folder:
            return folder

    own = where(live, is_uploaded=True)
    assert own.is_relative_to(live.work)
    assert where(live, is_uploaded=False) == own
    shared = live.cache / "compiled"
    shared.mkdir(parents=True)
    assert [where(live, is_uploaded=uploaded) for uploaded in (True, False)] == [own, shared]
