"""Worlds in which a release is about to go wrong: the example, mutated a little, and registries that hold something."""

import hashlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from semver import Version

from tasker_release_pipeline.loopback.seed import seed_crate, seed_gem, seed_npm, seed_wheel
from tasker_release_pipeline.release.git import Checkout
from tasker_release_pipeline.release.manifest import load
from tasker_release_pipeline.release.stamping import Tree, rewrites
from tests.loopback import packages
from tests.pipeline.conftest import ROOT, git

TASKER = load("tasker")
CRATES = tuple(crate.name for crate in TASKER.crates)
NPM = "@tasker-systems/tasker"


def prepare(source: Path, version: str) -> None:
    """Write a version into everything, and commit it."""
    tree = Tree.of(Checkout.at(source), "HEAD")
    for path, text in rewrites(tree, TASKER, dict.fromkeys(TASKER.components, Version.parse(version))).items():
        (source / path).write_text(text)
    git(source, "commit", "--quiet", "--all", "--message", f"Prepare {version}")


def mutate(source: Path, changes: Mapping[str, tuple[str, str]]) -> None:
    """In each file put the second text where the first stands; where that is empty, at the end. Then commit."""
    for path, (old, new) in changes.items():
        file = source / path
        text = file.read_text() if file.exists() else ""
        assert old in text, f"{path}: {old}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text.replace(old, new, 1) if old else text + new)
    git(source, "add", "--all")
    git(source, "commit", "--quiet", "--message", "Mutate")


def manifest(folder: Path, changes: Mapping[str, str]) -> str:
    """A manifest of one's own: the packaged one, with texts in other texts' place."""
    text = (ROOT / "tasker_release_pipeline" / "manifests" / "tasker.toml").read_text()
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


def crate(root: Path, name: str, version: str) -> None:
    """A crate that the registry holds."""
    archive = packages.crate(name, version)
    line = {"name": name, "vers": version, "deps": [], "features": {}, "yanked": False}
    seed_crate(root, line | {"cksum": hashlib.sha256(archive).hexdigest()}, archive)


def gem(root: Path, version: str) -> None:
    seed_gem(root, packages.gem("tasker-rb", version))


def wheel(root: Path, version: str) -> None:
    seed_wheel(root, packages.wheel_name("tasker-py", version), packages.wheel("tasker-py", version))


def npm(root: Path, version: str, **tags: str) -> None:
    tarball = packages.npm_tarball(NPM, version)
    seed_npm(root, packages.npm_document(NPM, version, tarball)["versions"][version], tarball, tags)


def everything(root: Path, version: str) -> None:
    """All nine packages at a version, as if an earlier release had published them."""
    for name in CRATES:
        crate(root, name, version)
    for publish in (gem, wheel, partial(npm, alpha=version)):
        publish(root, version)
