"""What orchestration costs: the pipeline's graph with tools that do nothing takes nothing but overhead.

Beside it the same graph under Dagster's default executor, which spawns a process for each step, and an empty run.
"""

from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.nothing_runs import empty_run, nothing_run
from bench.targets import NOTHING, SLICE, Figure, Unit
from bench.world import World

# One of a single step, one of few, which stay in one process, and one of many.
SLICES = ("detect_and_calculate", "gate", "publish_crates")


def measure(short: bool) -> list[Figure]:
    """Run the whole graph under both executors, and slices of it."""
    with TemporaryDirectory(prefix="bench-overhead-") as folder:
        world = World.example(Path(folder) / "world")
        # First the empty run, which also creates Dagster's database.
        empty = median(empty_run(world) for _ in range(1 if short else 3))
        ours = median(nothing_run(world, "release") for _ in range(1 if short else 3))
        default = nothing_run(world, "release", default_executor=True)
        slices = {} if short else {job: nothing_run(world, job) for job in SLICES}
    figures = [
        Figure(NOTHING, ours / default, Unit.RATIO, f"{ours:.1f} s / {default:.1f} s"),
        Figure("the same / an empty Dagster run", ours / empty, Unit.RATIO, f"{ours:.1f} s / {empty:.1f} s"),
    ]
    if slices:
        each = ", ".join(f"{job} {seconds:.1f} s" for job, seconds in slices.items())
        figures.append(Figure(SLICE, max(slices.values()), Unit.SECONDS, each))
    return figures
