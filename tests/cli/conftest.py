"""The commands as their users run them: the installed entry points, in a process of their own."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tasker_release_pipeline.loopback.seed import seed_crate, seed_gem, seed_npm, seed_wheel
from tasker_release_pipeline.release.manifest import load
from tests.loopback.packages import crate, gem, npm_document, npm_tarball, wheel, wheel_name
from tests.pipeline.conftest import example, first_release, git, shared

__all__ = ["first_release", "shared"]  # fixtures

TASKER = load("tasker")
CRATES = [package.name for package in TASKER.crates]


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    output: str
    errors: str

    @property
    def values(self) -> dict[str, str]:
        """Its KEY=VALUE lines."""
        return dict(line.split("=", 1) for line in self.output.splitlines())


@dataclass(frozen=True)
class World:
    """A checkout of the example workspace, and all that the commands read and write beside it."""

    folder: Path

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def registries(self) -> Path:
        """What the loopback registries hold."""
        return self.folder / "registries"

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TASKER_", "RELEASE_"))}
        return {
            **kept,
            "PYTHONDONTWRITEBYTECODE": "",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "DAGSTER_HOME": str(self.folder / "dagster"),
            "TASKER_RELEASE_STORE": str(self.store),
            "TASKER_RELEASE_WORK": str(self.folder / "work"),
            "TASKER_RELEASE_REHEARSAL_REGISTRIES": str(self.registries),
            "TASKER_RELEASE_REGISTRIES": "rehearsal",
            **more,
        }

    def run(self, *command: str, cwd: Path | None = None, **environment: str) -> Ended:
        """Run one of the installed commands, by default in the checkout."""
        done = subprocess.run(
            [entry_point(command[0]), *command[1:]],
            cwd=cwd or self.source,
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def release(self, *command: str, cwd: Path | None = None, **environment: str) -> Ended:
        """`tasker-release ...`."""
        return self.run("tasker-release", *command, cwd=cwd, **environment)

    def git(self, *arguments: str) -> str:
        return git(self.source, *arguments).strip()

    def commit(self, path: str, text: str) -> str:
        """Commit one file, with this text at its end."""
        with (self.source / path).open("a") as file:
            file.write(text)
        self.git("commit", "--quiet", "--all", "--message", f"Change {path}")
        return self.git("rev-parse", "HEAD")

    def publish(self, version: str, *names: str, text: str = "") -> None:
        """Have the loopback registries hold packages (all, if not said) at a version; the content is `text`."""
        wanted = names or (*CRATES, "tasker-rb", "tasker-py", "@tasker-systems/tasker")
        for name in set(wanted) & set(CRATES):
            archive = crate(name, version, text)
            line = {"name": name, "vers": version, "deps": [], "features": {}, "yanked": False}
            seed_crate(self.registries, line | {"cksum": hashlib.sha256(archive).hexdigest()}, archive)
        if "tasker-rb" in wanted:
            seed_gem(self.registries, gem("tasker-rb", version, text=text))
        if "tasker-py" in wanted:
            seed_wheel(self.registries, wheel_name("tasker-py", version), wheel("tasker-py", version, text))
        if (name := "@tasker-systems/tasker") in wanted:
            tarball = npm_tarball(name, version, text)
            seed_npm(self.registries, npm_document(name, version, tarball)["versions"][version], tarball, {})

    def holds(self) -> dict[str, bytes]:
        """Every file of the checkout, git's own aside."""
        files = (path for path in self.source.rglob("*") if path.is_file() and ".git" not in path.parts)
        return {str(path.relative_to(self.source)): path.read_bytes() for path in files}


def entry_point(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return example(tmp_path_factory.mktemp("example") / "source")


@pytest.fixture
def world(template: Path, tmp_path: Path) -> World:
    """The example workspace with changes since v0.1.0; nothing is published."""
    shutil.copytree(template, tmp_path / "source", symlinks=True)
    return World(tmp_path)


@pytest.fixture
def out(world: World) -> World:
    """The example workspace as it was released as v0.1.0, which all registries hold; nothing changed since."""
    world.git("reset", "--quiet", "--hard", "v0.1.0")
    world.publish("0.1.0")
    return world


@pytest.fixture
def wrapped_git(tmp_path: Path) -> Iterator[Path]:
    """A folder to put first in PATH, for a `git` that misbehaves: write it to the file that this gives."""
    folder = tmp_path / "wrapped"
    folder.mkdir()
    return folder / "git"
