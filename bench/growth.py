"""How the pipeline grows with its manifest: the slope counts."""

import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench import planning
from bench.many_packages import many_packages, workspace
from bench.targets import LOAD, Figure, Unit
from bench.world import BIN, World
from tasker_release_pipeline.release.manifest import load

SMALL, MIDDLE, LARGE = 10, 100, 1000
_ROUNDS = {SMALL: 3, MIDDLE: 3, LARGE: 1}


def measure(short: bool) -> list[Figure]:
    """Load the definitions; in the full form validate them and plan as well."""
    with TemporaryDirectory(prefix="bench-growth-") as folder:
        root = Path(folder)
        world = World(root)
        world.home.mkdir()
        paths = {size: many_packages(root / f"{size}.toml", size) for size in (SMALL, MIDDLE, LARGE)}
        loads = {size: _load(world, path, _ROUNDS[size]) for size, path in paths.items()}
        figures = _slope(LOAD, "definitions load", loads)
        if short:
            return figures
        validate = [str(BIN / "dagster"), "definitions", "validate", "-m", "tasker_release_pipeline.definitions"]
        validated = {size: world.run(validate, TASKER_RELEASE_MANIFEST=str(path)) for size, path in paths.items()}
        plans = {}
        for size, path in paths.items():
            source, manifest = workspace(root / f"source-{size}", load(str(path))), load(str(path))
            plans[size] = median(planning.seconds(source, manifest) for _ in range(_ROUNDS[size]))
    figures += _slope("definitions validate, 1,000 / 10 packages", "definitions validate", validated)
    return figures + _slope("plan, 1,000 / 10 packages", "plan", plans)


def _load(world: World, manifest: Path, rounds: int) -> float:
    command = [sys.executable, "-c", "import tasker_release_pipeline.definitions"]
    return median(world.run(command, TASKER_RELEASE_MANIFEST=str(manifest)) for _ in range(rounds))


def _slope(name: str, what: str, seconds: dict[int, float]) -> list[Figure]:
    """The ratio of the ends, and how much dearer a package is among many than among few."""
    made_of = " / ".join(f"{seconds[size]:.2f} s" for size in (LARGE, SMALL)) + f" (100: {seconds[MIDDLE]:.2f} s)"
    each = (seconds[LARGE] - seconds[MIDDLE]) / (LARGE - MIDDLE)
    return [
        Figure(name, seconds[LARGE] / seconds[SMALL], Unit.RATIO, made_of),
        Figure(f"{what}, each further package beyond {MIDDLE}", each, Unit.SECONDS),
    ]
