"""A plan of what is checked out, in this process: what changed, and which versions follow. No registry is asked."""

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from semver import Version

from tasker_release_pipeline.release.decisions import Decision
from tasker_release_pipeline.release.git import Checkout
from tasker_release_pipeline.release.manifest import Manifest
from tasker_release_pipeline.release.next_release import NextRelease

PUBLISHED = Version(0, 1, 0)


def decided(source: Path, manifest: Manifest, base_ref: str = "") -> dict[str, Decision]:
    """The plan, as `calculate-versions` makes it, where all packages are published at PUBLISHED."""
    published = dict.fromkeys(manifest.keys, (PUBLISHED,))
    return NextRelease.of(Checkout.at(source), manifest, base_ref, published).decisions(manifest)


def seconds(source: Path, manifest: Manifest) -> float:
    """How long a plan takes."""
    started = time.perf_counter()
    decided(source, manifest)
    return time.perf_counter() - started


def git_processes(source: Path, manifest: Manifest, base_ref: str = "") -> int:
    """How many git processes a plan starts."""
    with TemporaryDirectory(prefix="bench-trace-") as folder:
        # Each process writes a file of its own into a folder.
        os.environ["GIT_TRACE2_EVENT"] = folder
        try:
            decided(source, manifest, base_ref)
        finally:
            del os.environ["GIT_TRACE2_EVENT"]
        return len(os.listdir(folder))
