"""Manifests of many packages, and workspaces for them: seven crates of ten, and bindings for every registry."""

import math
import subprocess
from pathlib import Path

from bench.big_repository import environment
from bench.planning import PUBLISHED
from tasker_release_pipeline.release.manifest import Manifest

_OF_TEN = (*("crates_io",) * 7, "rubygems", "pypi", "npm")
_IDENTITY = (
    "-c",
    "user.name=Tasker Systems",
    "-c",
    "user.email=releases@example.invalid",
    "-c",
    "commit.gpgsign=false",
)


def many_packages(path: Path, count: int) -> Path:
    """Write a manifest of `count` packages. Each binding is a component of its own; dependencies grow deeper slowly."""
    crates = [number for number in range(count) if _OF_TEN[number % 10] == "crates_io"]
    # Four phases of ten packages, as Tasker has them; eight of a hundred, twelve of a thousand.
    phases = 4 * max(1, round(math.log10(count)))
    phase = {number: 1 + place * phases // len(crates) for place, number in enumerate(crates)}
    carriers = ", ".join(["{ path = 'VERSION', kind = 'text' }", *(_carrier(number) for number in crates)])
    text = [f'name = "many-{count}"', "[components.core]", f"carriers = [{carriers}]"]
    for number in range(count):
        if number not in phase:
            text += [f"[components.p{number}]", f"carriers = [{_carrier(number)}]"]
    for registry in dict.fromkeys(_OF_TEN):
        text += [f"[registries.{registry}]", "propagation_seconds = 60", "upload_seconds = 60"]
        text += [f"[registries.{registry}.build]", 'commands = [{ run = ["true"], seconds = 60 }]', 'artifacts = ["*"]']
    for number in range(count):
        text += ["[[packages]]", f'name = "p{number}"', f'registry = "{_OF_TEN[number % 10]}"', f'folder = "p{number}"']
        text += [f'changes = ["p{number}/"]', 'load = "VERSION"']
        is_crate = number in phase
        text += [f'component = "{"core" if is_crate else f"p{number}"}"']
        text += ['core = "ffi"', f"phase = {phase[number]}"] if is_crate else []
    path.write_text("\n".join(text) + "\n")
    return path


def workspace(folder: Path, manifest: Manifest) -> Path:
    """A repository for the manifest, in which every package changed since its release."""
    for package in manifest.packages:
        (folder / package.folder).mkdir(parents=True)
        (folder / package.folder / "Cargo.toml").write_text(_cargo(package.name))
        (folder / package.folder / "code.txt").write_text("before\n")
    (folder / "VERSION").write_text(f"{PUBLISHED}\n")
    _git(folder, "init", "--quiet", "--initial-branch=main")
    _git(folder, "add", "--all")
    _git(folder, "commit", "--quiet", "--message=Release")
    _git(folder, "tag", f"v{PUBLISHED}")
    for package in manifest.packages:
        (folder / package.folder / "code.txt").write_text("after\n")
    _git(folder, "commit", "--quiet", "--all", "--message=Change everything")
    return folder


def _carrier(number: int) -> str:
    return f"{{ path = 'p{number}/Cargo.toml', kind = 'toml', key = 'package.version' }}"


def _cargo(name: str) -> str:
    return f'[package]\nname = "{name}"\nversion = "{PUBLISHED}"\nedition = "2021"\n'


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *_IDENTITY, *arguments], cwd=folder, env=environment(), check=True)
