"""The plan of a big repository, beside the git calls that it needs, run bare: no interpreter starts in either."""

import subprocess
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench import planning
from bench.big_repository import BASE, Size, big_repository, environment
from bench.targets import PLAN, PROCESSES, Figure, Unit
from tasker_release_pipeline.release.bases import RELEASE_TAGS
from tasker_release_pipeline.release.manifest import load

# In the short form as well: in a smaller one what git costs to start is all that is measured.
SIZE = Size(commits=100_000, files=100_000, changed=5_000)
_ROUNDS = 5


def measure(_short: bool) -> list[Figure]:
    """Plan and bare calls in turn; the median of each."""
    size, manifest = SIZE, load("tasker")
    with TemporaryDirectory(prefix="bench-plan-") as folder:
        source = big_repository(Path(folder) / "source", size)
        rounds = [(planning.seconds(source, manifest), _bare(source)) for _ in range(_ROUNDS)]
        few, many = (
            planning.git_processes(source, manifest, f"main~{changed}")
            for changed in (size.changed // 100, size.changed)
        )
        started = planning.git_processes(source, manifest)
    plan, bare = (median(seconds) for seconds in zip(*rounds, strict=True))
    made_of = f"{plan * 1000:.0f} ms / {bare * 1000:.0f} ms, {size.commits:,} commits, {size.changed:,} changed files"
    return [
        Figure(PLAN, plan / bare, Unit.RATIO, made_of),
        Figure(PROCESSES, many - few, Unit.COUNT, f"{many} with {size.changed:,} changed files"),
        Figure("git processes of a plan", started, Unit.COUNT),
    ]


def _bare(source: Path) -> float:
    describe = ["git", "describe", "--tags", "--abbrev=0", *(f"--match={tags}" for tags in RELEASE_TAGS), "HEAD"]
    diff = ["git", "diff", "--name-only", "--no-renames", "-z", BASE, "HEAD"]
    started = time.perf_counter()
    for command in (describe, diff):
        subprocess.run(command, cwd=source, env=environment(), check=True, capture_output=True)
    return time.perf_counter() - started
