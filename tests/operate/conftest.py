"""An instance of Dagster's own, a remote that somebody pushes to, and a checkout of it that nobody may touch."""

import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from tests.release.building import Repository

NIGHT = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
KEY = "rehearsal-20260301-0300"


@dataclass(frozen=True)
class World:
    """`remote`: what is pushed to. `source`: a person's checkout of it."""

    folder: Path
    remote: Repository
    source: Repository

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def touched(self) -> dict[str, bytes]:
        """Every file of the person's checkout, git's own too."""
        return {
            str(p.relative_to(self.source.path)): p.read_bytes() for p in self.source.path.rglob("*") if p.is_file()
        }


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    for name in [name for name in os.environ if name.startswith(("TASKER_", "RELEASE_", "GITHUB_"))]:
        monkeypatch.delenv(name)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "A")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "a@example.invalid")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    remote = Repository(tmp_path / "remote")
    remote.commit("v0.1.0", "release-20260101", files={"VERSION": "0.1.0\n"})
    remote.git("clone", "--quiet", ".", str(tmp_path / "source"))
    found = World(tmp_path, remote, Repository(tmp_path / "source"))
    monkeypatch.setenv("TASKER_RELEASE_SOURCE", str(found.source.path))
    monkeypatch.setenv("TASKER_RELEASE_STORE", str(found.store))
    monkeypatch.setenv("TASKER_RELEASE_WORK", str(found.work))
    return found


@pytest.fixture(scope="session")
def repository() -> dg.RepositoryDefinition:
    """All definitions, as a code server has them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Dagster's own, about pydantic
        from tasker_release_pipeline.definitions import defs  # noqa: PLC0415

        return defs.get_repository_def()


@pytest.fixture(scope="session")
def _made() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as found:
        yield found


@pytest.fixture
def instance(_made: dg.DagsterInstance) -> Iterator[dg.DagsterInstance]:
    """An instance on disk, without runs and releases."""
    yield _made
    for run in _made.get_runs():
        _made.delete_run(run.run_id)
    for release in _made.get_dynamic_partitions("releases"):
        _made.delete_dynamic_partition("releases", release)


def started(instance: dg.DagsterInstance, release: str, status: dg.DagsterRunStatus, **more: str) -> str:
    """A run on a release that this instance knows of; its id."""
    run = dg.DagsterRun(job_name="release", status=status, tags={"dagster/partition": release} | more)
    return instance.add_run(run).run_id
