"""Releases of one machine compile third parties once, and never take each other's own code for theirs."""

import subprocess
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from tasker_release_pipeline.steps.compiled import compiled
from tasker_release_pipeline.steps.run import ReleaseRun
from tests.pipeline.conftest import git

FIRST, SECOND = "rehearsal-20260101-0001", "rehearsal-20260101-0002"


def release(folder: Path, name: str) -> tuple[ReleaseRun, Path]:
    """A release whose source is one crate that says its release's name; all have the same version."""
    source = folder / name
    (source / "src").mkdir(parents=True)
    (source / "Cargo.toml").write_text('[package]\nname = "says"\nversion = "0.1.0"\nedition = "2021"\n')
    (source / "src" / "main.rs").write_text(f'fn main() {{ println!("{name}"); }}\n')
    git(source, "init", "--quiet")
    environment = {"TASKER_RELEASE_WORK": str(folder / "work"), "TASKER_RELEASE_STORE": str(folder / "store")}
    config = {"source": str(source), "registries": "rehearsal"}
    return ReleaseRun.of(name, config, log=lambda _: None, environment=environment), source


def say(run: ReleaseRun, source: Path) -> str:
    with compiled(run, source, is_uploaded=True) as target:
        command = ["cargo", "run", "--quiet", "--target-dir", str(target)]
        return subprocess.run(command, cwd=source, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.toolchain
def test_a_release_is_made_of_its_own_code_though_another_compiled_the_same_version(tmp_path: Path) -> None:
    first, second = release(tmp_path, FIRST), release(tmp_path, SECOND)  # written before either is compiled
    assert [say(*first), say(*second), say(*second), say(*first)] == [FIRST, SECOND, SECOND, FIRST]


def test_releases_take_turns_and_the_steps_of_one_do_not(tmp_path: Path) -> None:
    (ours, source), (theirs, other) = release(tmp_path, FIRST), release(tmp_path, SECOND)
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
