"""Old rehearsals are removed: what the store holds of them, and their work folders. Releases never are."""

import os
import shutil
import stat
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from upath import UPath

from tasker_release_pipeline.release.errors import InputError, ReleaseError
from tasker_release_pipeline.release.rehearsals import Kept, Limits, Place, surplus
from tasker_release_pipeline.release.settings import Registries, Settings, is_rehearsal
from tasker_release_pipeline.steps.registry_sets import shared_folder
from tasker_release_pipeline.steps.run import work_folder
from tasker_release_pipeline.steps.run_lock import kept_from_runs, last_run
from tasker_release_pipeline.store import ReleaseStore

PRUNED = ".pruned"
"""Beside the rehearsals' folders: takes each of them by one rename, so that none is ever seen half removed."""


@dataclass(frozen=True)
class Pruned:
    """What was removed. `problems`: what could not be, or was left alone, and why; the next time tries again."""

    removed: tuple[Kept, ...]
    problems: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(files.size for files in self.removed)

    @property
    def releases(self) -> tuple[str, ...]:
        """The rehearsals of which the store holds nothing any more."""
        return tuple(files.release for files in self.removed if files.place is Place.STORE)


def prune(environment: Mapping[str, str], now: datetime, running: Collection[str] = ()) -> Pruned:
    """Remove the rehearsals' files that are too old or too many.

    `running`: rehearsals that are about to run; one that a run works on is known by its lock. Links are neither
    followed nor removed, and what the settings name (a checkout, shared registries) is left where it is.
    Raises InputError for limits that are no numbers.
    """
    limits = Limits.of(environment)
    pruning = _Pruning(environment)
    kept = [files for place in Place for files in pruning.found(place)]
    chosen = surplus(kept, now, limits, {*running, *pruning.busy(kept)})
    removed = [files for files in chosen if pruning.removes(files)]
    for root in pruning.local_roots:
        pruning.empty(root / PRUNED)
    return Pruned(tuple(removed), tuple(pruning.problems))


class _Pruning:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self.problems: list[str] = []
        self._environment = environment
        self._work = work_folder(environment)
        named = (environment.get("TASKER_RELEASE_SOURCE"), shared_folder(environment))
        self._named = [Path(place).expanduser().absolute().resolve() for place in named if place]

    @property
    def local_roots(self) -> list[Path]:
        store = self._store("").local
        return [self._work, *([store] if store is not None else [])]

    def found(self, place: Place) -> Iterator[Kept]:
        root = self._work if place is Place.WORK else self._store("").root
        try:
            names = sorted(entry.name for entry in root.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            self.problems.append(f"{root}: cannot be read ({error.strerror or error})")
            return
        for name in names:
            if not is_rehearsal(name) or not self._may_go(name, place):
                continue
            folder = self._folder(name, place)
            try:
                size, at = _measured_here(folder) if isinstance(folder, Path) else _measured_there(folder)
            except Exception as error:  # whatever the file system of a remote store raises
                self.problems.append(f"{folder}: stays, as its age and size are not known: {error}")
                continue
            yield Kept(name, place, size, at)

    def busy(self, kept: Collection[Kept]) -> set[str]:
        """Those that runs work on: their files change while they are counted."""
        runs = {files.release: last_run(self._store(files.release), self._work / files.release) for files in kept}
        return {release for release, run in runs.items() if run is not None and run.alive}

    def removes(self, files: Kept) -> bool:
        folder = self._folder(files.release, files.place)
        try:
            with kept_from_runs(self._store(files.release), self._work / files.release) as free:
                if not free:
                    return False
                if isinstance(folder, Path):
                    aside = folder.parent / PRUNED
                    aside.mkdir(exist_ok=True)
                    if aside.is_symlink():
                        raise OSError(f"{aside} is a link")
                    os.rename(folder, aside / f"{files.release}.{uuid.uuid4().hex}")
                else:
                    folder.fs.rm(folder.path, recursive=True)
        except Exception as error:  # whatever the file system of a remote store raises
            self.problems.append(f"{folder}: cannot be removed ({getattr(error, 'strerror', None) or error})")
            return False
        return True

    def empty(self, aside: Path) -> None:
        """Remove what was put aside, by an earlier time, too."""
        if aside.is_symlink() or not aside.is_dir():
            return
        for folder in sorted(aside.iterdir()):
            try:
                shutil.rmtree(folder)  # follows no link
            except OSError as error:
                self.problems.append(f"{error.filename or folder}: cannot be removed ({error.strerror or error})")
        with suppress(OSError):  # something is left in it
            aside.rmdir()

    def _may_go(self, name: str, place: Place) -> bool:
        folder = self._folder(name, place)
        if isinstance(folder, Path):
            if folder.is_symlink() or not folder.is_dir():
                self.problems.append(f"{folder}: is no folder of a rehearsal but a link or a file, and stays")
                return False
            if any(named.is_relative_to(folder.resolve()) for named in self._named):
                self.problems.append(f"{folder}: holds a folder that the settings name, and stays")
                return False
        try:
            settings = self._store(name).read("settings.json", Settings)
        except ReleaseError as error:
            self.problems.append(f"{folder}: stays, as it is not known what it is: {error}")
            return False
        return settings is None or settings.registries is Registries.REHEARSAL

    def _folder(self, release: str, place: Place) -> Path | UPath:
        store = self._store(release)
        return self._work / release if place is Place.WORK else store.local or store.folder

    def _store(self, release: str) -> ReleaseStore:
        return ReleaseStore.of(release, self._environment)


def _measured_here(folder: Path) -> tuple[int, datetime]:
    size, at, seen = 0, 0.0, set()
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                known = os.lstat(os.path.join(place, name))
            except FileNotFoundError:  # a run works there
                continue
            if (known.st_dev, known.st_ino) not in seen:  # cargo links its outputs
                seen.add((known.st_dev, known.st_ino))
                size += known.st_size
            if stat.S_ISREG(known.st_mode):
                at = max(at, known.st_mtime)
    return size, datetime.fromtimestamp(at or folder.lstat().st_mtime, UTC)


def _measured_there(folder: UPath) -> tuple[int, datetime]:
    files = folder.fs.find(folder.path, detail=True)
    return sum(int(known["size"] or 0) for known in files.values()), max(_written(known) for known in files.values())


def _written(known: Mapping[str, Any]) -> datetime:
    """When a file of a remote store was last written: file systems have a word of their own for it."""
    for word in ("LastModified", "last_modified", "mtime", "modified", "created"):
        match known.get(word):
            case datetime() as at:
                return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
            case int() | float() as seconds:
                return datetime.fromtimestamp(seconds, UTC)
    raise InputError(f"{known.get('name')}: its file system does not say when it was written")
