"""Old rehearsals are removed by age and size; releases, what runs, and what is not ours stay."""

import fcntl
import os
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest
from upath import UPath

from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.rehearsals import Kept, Limits, Place, surplus
from tasker_release_pipeline.release.settings import Registries, Settings
from tasker_release_pipeline.steps.known_releases import releases
from tasker_release_pipeline.steps.pruning import PRUNED, Pruned, prune
from tasker_release_pipeline.steps.upstream import fetch
from tests.operate.conftest import World, started

NOW = datetime(2026, 3, 31, 3, 0, tzinfo=UTC)
OLD, RECENT = "rehearsal-20260301-0300", "rehearsal-20260330-0300"
REHEARSAL = Settings(dry_run=False, registries=Registries.REHEARSAL)


def days(number: float) -> datetime:
    return NOW - timedelta(days=number)


def files(root: Path, release: str, at: datetime, size: int = 1000, settings: Settings = REHEARSAL) -> Path:
    """What a release left in a store or a work folder."""
    folder = root / release
    (folder / "artifacts").mkdir(parents=True)
    (folder / "settings.json").write_text(settings.model_dump_json())
    (folder / "artifacts" / "some.gem").write_bytes(bytes(size - (folder / "settings.json").stat().st_size))
    for path in folder.rglob("*"):
        os.utime(path, (at.timestamp(), at.timestamp()))
    os.utime(folder, (at.timestamp(), at.timestamp()))
    return folder


def both(world: World, release: str, at: datetime, size: int = 1000) -> tuple[Path, Path]:
    return files(world.store, release, at, size), files(world.work, release, at, size)


def pruned(**environment: str) -> Pruned:
    return prune({**os.environ, **environment}, NOW)


def test_a_rehearsal_of_two_weeks_ago_is_gone_and_a_recent_one_stays(world: World) -> None:
    old, recent = both(world, OLD, days(14.1)), both(world, RECENT, days(13.9))
    done = pruned()
    assert (done.releases, done.size, done.problems) == ((OLD,), 2000, ())
    assert not any(path.exists() for path in old)
    assert all(path.exists() for path in recent)
    assert releases(os.environ) == [RECENT]
    assert not list(world.folder.rglob(PRUNED))


def test_days_and_gigabytes_come_from_the_environment(world: World) -> None:
    both(world, OLD, days(3))
    both(world, RECENT, days(1))
    assert pruned(TASKER_RELEASE_REHEARSAL_KEEP_DAYS="2").releases == (OLD,)
    assert Limits.of({"TASKER_RELEASE_REHEARSAL_KEEP_GB": "0.5"}).size == 500_000_000
    for wrong in ("soon", "-1", "nan"):
        with pytest.raises(InputError, match=f"TASKER_RELEASE_REHEARSAL_KEEP_DAYS: '{wrong}' is no number"):
            pruned(TASKER_RELEASE_REHEARSAL_KEEP_DAYS=wrong)


def test_releases_are_never_removed_however_old_and_large(world: World) -> None:
    kept = [both(world, release, days(900)) for release in ("v0.1.0", "release-20230101-0900")]
    # A release's settings under a rehearsal's name: whoever made that, it is none.
    kept.append((files(world.store, "rehearsal-live", days(900), settings=Settings()),) * 2)
    done = pruned(TASKER_RELEASE_REHEARSAL_KEEP_DAYS="0", TASKER_RELEASE_REHEARSAL_KEEP_GB="0")
    assert done.removed == ()
    assert all(path.exists() for paths in kept for path in paths)


def test_a_rehearsal_that_runs_stays_and_so_does_one_that_is_about_to(world: World) -> None:
    (store, _), (_, work) = both(world, OLD, days(30)), both(world, "rehearsal-queued", days(30))
    (store / ".run.lock").write_text("{}")
    with (store / ".run.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        os.utime(store / ".run.lock", (days(30).timestamp(), days(30).timestamp()))
        assert prune(os.environ, NOW, running={"rehearsal-queued"}).removed == ()
    assert store.exists()
    assert work.exists()
    assert set(pruned().releases) == {OLD, "rehearsal-queued"}


def test_a_rehearsal_that_was_continued_yesterday_is_as_old_as_that(world: World) -> None:
    store, _ = both(world, OLD, days(30))
    (store / "summary.md").write_text("continued")
    os.utime(store / "summary.md", (days(1).timestamp(), days(1).timestamp()))
    assert pruned().removed == ()


def test_links_are_neither_followed_nor_removed(world: World) -> None:
    outside = files(world.folder / "elsewhere", OLD, days(30))
    world.store.mkdir()
    (world.store / OLD).symlink_to(outside)
    store = files(world.store, "rehearsal-with-a-link", days(30))
    (store / "artifacts" / "out").symlink_to(outside)
    done = pruned()
    assert [kept.release for kept in done.removed] == ["rehearsal-with-a-link"]
    assert (outside / "artifacts" / "some.gem").exists()
    assert (world.store / OLD).is_symlink()
    assert done.problems == (f"{world.store / OLD}: is no folder of a rehearsal but a link or a file, and stays",)


def test_a_link_in_the_place_where_removed_folders_go_is_not_followed(world: World) -> None:
    outside = files(world.folder / "elsewhere", "v0.1.0", days(30))
    store = files(world.store, OLD, days(30))
    (world.store / PRUNED).symlink_to(outside.parent)
    assert pruned().problems == (f"{store}: cannot be removed ({world.store / PRUNED} is a link)",)
    assert [path.name for path in outside.parent.iterdir()] == ["v0.1.0"]
    assert store.exists()


def test_what_the_settings_name_stays(world: World) -> None:
    store, work = both(world, OLD, days(30))
    shared = {"TASKER_RELEASE_REHEARSAL_REGISTRIES": str(store / "registries")}
    done = pruned(TASKER_RELEASE_SOURCE=str(work / "checkout"), **shared)
    assert done.removed == ()
    assert len(done.problems) == 2
    assert "holds a folder that the settings name, and stays" in done.problems[0]


def test_what_cannot_be_read_stays_and_is_named(world: World) -> None:
    store, _ = both(world, OLD, days(30))
    (store / "settings.json").write_text("{half")
    done = pruned()
    assert store.exists()
    assert "stays, as it is not known what it is" in " ".join(done.problems)


def test_what_was_put_aside_and_not_removed_is_removed_the_next_time(world: World) -> None:
    files(world.store / PRUNED, f"{OLD}.123", days(30))
    assert releases(os.environ) == []
    pruned()
    assert not (world.store / PRUNED / f"{OLD}.123").exists()


def test_a_store_that_is_remote_is_pruned_too(world: World) -> None:
    root = UPath(f"memory://pruning-{uuid4().hex}")
    for release in (OLD, "v0.1.0"):
        (root / release).mkdir(parents=True)
        (root / release / "summary.md").write_text("...")
    work = files(world.work, OLD, days(30))
    done = prune({**os.environ, "TASKER_RELEASE_STORE": str(root)}, datetime.now(UTC) + timedelta(days=15))
    assert (done.releases, done.problems) == ((OLD,), ())
    assert [path.name for path in root.iterdir()] == ["v0.1.0"]
    assert not work.exists()


def test_without_store_and_work_folder_there_is_nothing_to_do(world: World) -> None:
    assert not world.store.exists()
    assert pruned() == Pruned((), ())


@pytest.mark.usefixtures("world")
def test_the_mirror_forgets_the_worktrees_of_removed_rehearsals() -> None:
    upstream = fetch(os.environ)
    upstream.checkout(OLD, upstream.main)
    prune(os.environ, datetime.now(UTC) + timedelta(days=15))
    assert len(fetch(os.environ).mirror.run("worktree", "list").splitlines()) == 1


def test_the_job_removes_files_and_the_ui_loses_those_rehearsals(
    world: World, instance: dg.DagsterInstance, repository: dg.RepositoryDefinition
) -> None:
    stale = datetime.now(UTC) - timedelta(days=20)
    for release in (OLD, "rehearsal-queued"):
        both(world, release, stale)
    started(instance, "rehearsal-queued", dg.DagsterRunStatus.STARTING)
    instance.add_dynamic_partitions("releases", [OLD, "rehearsal-queued", "v0.1.0"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        assert repository.get_job("prune_rehearsals").execute_in_process(instance=instance).success
    assert instance.get_dynamic_partitions("releases") == ["rehearsal-queued", "v0.1.0"]
    assert not (world.store / OLD).exists()
    assert (world.store / "rehearsal-queued").exists()


def kept(release: str, place: Place, size: int, age: float) -> Kept:
    return Kept(f"rehearsal-{release}", place, size, days(age))


THREE = [
    kept(name, place, size, age)
    for name, age in (("a", 3), ("b", 2), ("c", 1))
    for place, size in ((Place.WORK, 100), (Place.STORE, 10))
]


@pytest.mark.parametrize(
    ("limit", "gone"),
    [
        (330, []),
        (329, ["a work"]),
        (200, ["a work", "b work"]),
        (30, ["a work", "b work", "c work"]),
        (29, ["a work", "b work", "c work", "a store"]),
        (0, ["a work", "b work", "c work", "a store", "b store"]),
    ],
)
def test_too_many_bytes_cost_the_oldest_work_folders_first_and_never_the_last_rehearsals_records(
    limit: int, gone: list[str]
) -> None:
    chosen = surplus(THREE, NOW, Limits(size=limit), running=())
    assert [f"{files.release[-1]} {files.place.name.lower()}" for files in chosen] == gone


def test_a_release_is_none_of_them_even_if_it_were_found() -> None:
    assert surplus([Kept("v0.1.0", Place.STORE, 10**12, days(900))], NOW, Limits(size=0), running=()) == []


def test_one_that_was_just_made_stays_for_its_run_that_is_about_to_start() -> None:
    new = [kept("new", place, 1000, 1 / 48) for place in Place]
    chosen = surplus([*THREE, *new], NOW, Limits(size=0), running=())
    assert {files.release for files in chosen} == {"rehearsal-a", "rehearsal-b", "rehearsal-c"}


def test_one_that_runs_counts_and_stays() -> None:
    chosen = surplus(THREE, NOW, Limits(size=100), running={"rehearsal-a"})
    assert [f"{files.release[-1]} {files.place.name.lower()}" for files in chosen] == ["b work", "c work", "b store"]
