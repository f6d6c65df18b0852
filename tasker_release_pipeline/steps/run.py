"""What every step is given: the release, its settings, its manifest, its store, and a place to work in."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from shutil import rmtree
from typing import Any

from tasker_release_pipeline.release.git import Checkout
from tasker_release_pipeline.release.manifest import Manifest, load
from tasker_release_pipeline.release.settings import Mode, Settings, check_release_key, resolve
from tasker_release_pipeline.store import ReleaseStore

WORK = ".tasker-release/work"


def work_folder(environment: Mapping[str, str]) -> Path:
    """Where all releases have their work folders: `TASKER_RELEASE_WORK`, or the default."""
    return Path(environment.get("TASKER_RELEASE_WORK") or WORK).absolute()


@dataclass(frozen=True)
class ReleaseRun:
    """One run on one release.

    `work`: the release's local folder for worktrees, builds and servers; everything in it can be made again. `log`
    takes a line. `run` and `attempt` name this run in records. `environment` is where secrets come from, by name.
    """

    release: str
    settings: Settings
    manifest: Manifest
    store: ReleaseStore
    work: Path
    log: Callable[[str], None]
    run: str = "local"
    attempt: int = 1
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)

    @classmethod
    def of(
        cls,
        release: str,
        config: Mapping[str, Any],
        *,
        log: Callable[[str], None],
        run: str = "local",
        attempt: int = 1,
        environment: Mapping[str, str] = os.environ,
    ) -> "ReleaseRun":
        """Settle the settings of a release, and load its manifest. Raises InputError."""
        store = ReleaseStore.of(release, environment)
        settings = resolve(config, environment, store.read("settings.json", Settings))
        check_release_key(release, settings)
        return cls(
            release=release,
            settings=settings,
            manifest=load(settings.manifest),
            store=store,
            work=work_folder(environment) / release,
            log=log,
            run=run,
            attempt=attempt,
            environment=environment,
        )

    @property
    def mode(self) -> Mode:
        """What this run may do."""
        return self.settings.mode

    @cached_property
    def checkout(self) -> Checkout:
        """The source. Raises InputError."""
        return Checkout.at(self.settings.source)

    @property
    def commit(self) -> str:
        """The commit to release: the one that the release's tag names, or without such a tag what is checked out."""
        return self.checkout.commit_of(f"refs/tags/{self.release}") or self.checkout.head

    @property
    def cache(self) -> Path:
        """What all releases share on this machine: third-party files, kept by their digest."""
        return self.work.parent / "cache"

    def scratch(self, name: str) -> Path:
        """An empty folder for one step."""
        folder = self.work / name
        if folder.exists():
            rmtree(folder)
        folder.mkdir(parents=True)
        return folder

    def logfile(self, name: str) -> Path:
        """Where a step's tools write their output; `keep_log` takes it into the store."""
        folder = self.work / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name}.log"

    def keep_log(self, name: str) -> None:
        """Put a step's output into the store, as `logs/<name>.log`."""
        path = self.logfile(name)
        if path.exists():
            self.store.write_bytes(f"logs/{path.name}", path.read_bytes())
