"""A release that is published and waits to be recorded: a repository, a store, and GitHub's API on loopback."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasker_release_pipeline.loopback.github import LoopbackGitHub
from tasker_release_pipeline.release.artifact import Artifact, ReleaseManifest
from tasker_release_pipeline.release.bases import Base, BaseKind
from tasker_release_pipeline.release.outcome import OutcomeKind
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.release.record import Record
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.store import ReleaseStore
from tests.release.building import PGMQ, RUBY, Repository, outcome, planned

BINDINGS = ("rubygems/tasker-rb", "pypi/tasker-py", "npm/tasker")


@dataclass(frozen=True)
class Released:
    """The world of one release; `base` and `commit` are its ends in history."""

    folder: Path
    repository: Repository
    server: LoopbackGitHub
    release: str
    base: str
    commit: str

    def run(self, **environment: str) -> ReleaseRun:
        """A live run, with what a job of GitHub Actions has in its environment; an empty value takes it away."""
        known = {
            "TASKER_RELEASE_STORE": str(self.folder / "store"),
            "TASKER_RELEASE_WORK": str(self.folder / "work"),
            "RELEASE_DRY_RUN": "false",
            "GITHUB_API_URL": self.server.url,
            "GITHUB_REPOSITORY": self.server.repository,
            "GITHUB_TOKEN": self.server.token,
            **environment,
        }
        config = {"source": str(self.repository.path), "dry_run": False}
        return ReleaseRun.of(self.release, config, log=lambda _: None, run="r", environment=known)

    @property
    def store(self) -> ReleaseStore:
        return ReleaseStore.of(self.release, {"TASKER_RELEASE_STORE": str(self.folder / "store")})

    @property
    def plan(self) -> Plan:
        return self.store.demand("plan.json", Plan, "")

    def record(self, subject: str) -> Record:
        found = self.store.record(subject)
        assert found is not None
        return found

    def prepare(self, *changed: str, **components: Any) -> None:
        """Plan what these changes bring, and put a file of each package into the store."""
        base = Base(kind=BaseKind.RELEASE_TAG, ref="v0.1.8", commit=self.base)
        plan = planned(*changed, release=self.release, **components)
        based = {name: decision.model_copy(update={"base": base}) for name, decision in plan.components.items()}
        plan = plan.model_copy(update={"commit": self.commit, "components": based})
        artifacts = []
        for package in plan.packages:
            if package.publish:
                path = self.folder / f"{package.key.replace('/', '_')}-{package.version}"
                path.write_text(f"the bytes of {package.key}")
                artifacts.append(Artifact.of(package.key, package.version, path))
                self.store.put_artifact(path)
        self.store.write("plan.json", plan)
        files = ReleaseManifest(release=self.release, plan=plan.digest, commit=self.commit, artifacts=tuple(artifacts))
        self.store.write("manifest.json", files)

    def publish(
        self, keys: Iterable[str] | None = None, kind: OutcomeKind = OutcomeKind.PUBLISHED, after: int = 0
    ) -> None:
        """Let packages (without `keys` all of the plan) end this way, `after` so many seconds."""
        for package in self.plan.packages:
            if package.publish and (keys is None or package.key in keys):
                page = f"https://registry.invalid/{package.name}"
                self.store.write_outcome(
                    outcome(package.key, kind, after=after, version=package.version, page=page, attempt=after + 1)
                )


def everything(world: Released) -> Released:
    """Core and bindings at 0.1.9, all published."""
    world.prepare(PGMQ)
    world.publish()
    return world


def gem_alone(world: Released) -> Released:
    """Only the gem, at 0.1.9."""
    world.prepare(RUBY)
    world.publish()
    return world
