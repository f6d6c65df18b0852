"""The pipeline as its users run it: `dagster job execute` in a process of its own, on the example workspace."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasker_release_pipeline.loopback.holdings import holdings

ROOT = Path(__file__).parents[2]
NINE = {
    "crates_io/tasker-pgmq",
    "crates_io/tasker-shared",
    "crates_io/tasker-client",
    "crates_io/tasker-orchestration",
    "crates_io/tasker-worker",
    "crates_io/tasker-cli",
    "rubygems/tasker-rb",
    "pypi/tasker-py",
    "npm/tasker",
}
CACHE = "TESTS_SHARED_CACHE"
CRATES = {key for key in NINE if key.startswith("crates_io/")}


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    output: str


@dataclass(frozen=True)
class Pipeline:
    """Everything that a run reads and writes, below one folder."""

    folder: Path
    source: Path
    module: str = "tasker_release_pipeline"
    """What Dagster loads."""

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def registries(self) -> Path:
        """What the rehearsals' target registries hold, whatever the release."""
        return self.folder / "registries"

    @property
    def home(self) -> Path:
        return self.folder / "dagster"

    def environment(self, **more: str) -> dict[str, str]:
        ours = ("TASKER_", "RELEASE_", "GITHUB_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        return {
            **kept,
            "PYTHONDONTWRITEBYTECODE": "",
            "DAGSTER_HOME": str(self.home),
            "TASKER_RELEASE_STORE": str(self.store),
            "TASKER_RELEASE_WORK": str(self.folder / "work"),
            "TASKER_RELEASE_REHEARSAL_REGISTRIES": str(self.registries),
            **more,
        }

    def tool(self, *command: str, **environment: str) -> Ended:
        """Run one of Dagster's commands."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.share_cache()
        shutil.copy(ROOT / "config" / "dagster.yaml", self.home)
        done = subprocess.run(
            [str(Path(sys.executable).with_name(command[0])), *command[1:]],
            cwd=ROOT,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=400,
            check=False,
        )
        return Ended(done.returncode, done.stdout)

    def share_cache(self) -> None:
        """Let the work folder have what the machine keeps between releases."""
        cache = self.folder / "work" / "cache"
        if CACHE in os.environ and not cache.exists():
            cache.parent.mkdir(exist_ok=True)
            cache.symlink_to(os.environ[CACHE])

    def execute(self, job: str, release: str, environment: Mapping[str, str] | None = None, **settings: Any) -> Ended:
        """`dagster job execute` for a release; a rehearsal unless `settings` say otherwise."""
        given = {"source": str(self.source), "dry_run": False, "registries": "rehearsal", **settings}
        run_config = {
            "resources": {"settings": {"config": given}},
            "loggers": {"console": {"config": {"log_level": "INFO"}}},
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / f"{job}.yaml"
        config.write_text(yaml.safe_dump(run_config))
        tags = ["--tags", json.dumps({"dagster/partition": release})] if release else []
        return self.tool(
            *("dagster", "job", "execute", "-m", self.module, "-j", job, "-c", str(config), *tags),
            **(environment or {}),
        )

    def read(self, release: str, path: str) -> Any:
        return json.loads((self.store / release / path).read_text())

    def artifacts(self, release: str) -> dict[str, str]:
        """The release manifest's files and their SHA-256."""
        return {a["file"]: a["sha256"] for a in self.read(release, "manifest.json")["artifacts"]}

    def outcomes(self, release: str) -> dict[str, str]:
        """What became of each package last."""
        found: dict[str, list[dict[str, Any]]] = {}
        for path in (self.store / release / "outcomes").glob("*/*/*.json"):
            outcome = json.loads(path.read_text())
            found.setdefault(outcome["package"], []).append(outcome)
        return {package: max(known, key=lambda o: o["at"])["kind"] for package, known in found.items()}

    def summary(self, release: str) -> str:
        return (self.store / release / "summary.md").read_text()

    def published(self) -> dict[str, str]:
        """What the target registries hold: file and SHA-256."""
        held = holdings(self.registries) if self.registries.exists() else {}
        return {
            file["filename"]: file["sha256"]
            for packages in held.values()
            for versions in packages.values()
            for files in versions.values()
            for file in files
        }

    def elsewhere(self, folder: Path) -> "Pipeline":
        """The same world, copied: registries and store; another folder, database, and clone of the source."""
        other = Pipeline(folder, folder / "source")
        shutil.copytree(self.registries, other.registries)
        shutil.copytree(self.store, other.store)
        git(folder, "clone", "--quiet", str(self.source), str(other.source))
        return other

    def with_source(self, source: Path) -> "Pipeline":
        return replace(self, source=source)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def change(source: Path, path: str, text: str = "\n", *, replaced: str | None = None) -> None:
    """Change one file in a commit: add `text` to its end, or put it where `replaced` stands."""
    file = source / path
    before = file.read_text()
    if replaced is not None:
        assert replaced in before
    file.write_text(before + text if replaced is None else before.replace(replaced, text))
    git(source, "commit", "--quiet", "--all", "--message", f"Change {path}")


def example(target: Path) -> Path:
    """The example workspace as a git repository."""
    script = ROOT / "examples" / "repository.py"
    subprocess.run([sys.executable, str(script), str(target)], check=True, capture_output=True)
    return target


@contextmanager
def once(folder: Path, name: str) -> Iterator[bool]:
    """Whether this process is the first to get here and end well; others wait for it."""
    done = folder / f"{name}.done"
    with open(folder / f"{name}.lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not done.exists()
        done.touch()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this session see."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "pipeline"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def _cache(shared: Path) -> Iterator[None]:
    """What a machine keeps between releases: third parties' files, and what cargo made of them."""
    (shared / "cache").mkdir(exist_ok=True)
    os.environ[CACHE] = str(shared / "cache")
    yield
    os.environ.pop(CACHE, None)  # two rooms have this fixture, and one worker may run both


FIRST = "rehearsal-20260201-0300"


@pytest.fixture(scope="session")
def first_release(shared: Path) -> Pipeline:
    """A first release of everything, from a checkout with uncommitted changes. Tests read it, or work on a copy."""
    pipeline = Pipeline(shared / "first", shared / "source")
    with once(shared, "first") as needed:
        if needed:
            example(pipeline.source)
            (pipeline.source / "VERSION").write_text("uncommitted\n")
            ended = pipeline.execute("release", FIRST)
            (pipeline.folder / "ended.txt").write_text(ended.output)
            assert ended.status == 0, ended.output[-6000:]
            git(pipeline.source, "tag", "v0.1.1")
    return pipeline


@pytest.fixture
def second(first_release: Pipeline, tmp_path: Path) -> Pipeline:
    """A world in which the first release is out, to release something on top of it."""
    return first_release.elsewhere(tmp_path / "second")


@pytest.fixture
def fresh(tmp_path: Path) -> Pipeline:
    """A world in which nothing is published."""
    return Pipeline(tmp_path / "fresh", example(tmp_path / "source"))
