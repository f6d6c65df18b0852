"""What must be reached, as data."""

from dataclasses import dataclass
from enum import StrEnum


class Unit(StrEnum):
    """RATIO: of two measures of one run on one machine. SECONDS depend on the machine, COUNT on nothing."""

    RATIO = "x"
    SECONDS = "s"
    COUNT = ""


@dataclass(frozen=True)
class Figure:
    """What was measured. `came_from`: in words, the measures that it was made of."""

    name: str
    value: float
    unit: Unit
    came_from: str = ""


@dataclass(frozen=True)
class Target:
    """The most that the figure `name` may be."""

    name: str
    at_most: float
    unit: Unit = Unit.RATIO


NOTHING = "overhead, tools that do nothing / the default executor's"
EXAMPLE = "overhead, the example / the default executor's"
SHARE = "overhead, the example / wall time of its release"
SLICE = "overhead of the slowest slice"
WHOLE_2 = "whole release / plain sequence, propagation 2 s"
WHOLE_0 = "whole release / plain sequence without its sleeps, propagation 0 s"
CRITICAL = "wall time / critical path"
COMPILED = "times that each crate is compiled for verification"
REPAIR = "one registry re-materialised, beyond the bare upload"
PLAN = "plan / bare git calls"
PROCESSES = "git processes that a hundred times more changed files add"
LOAD = "definitions load, 1,000 / 10 packages"
MEMORY = "peak memory / an empty Dagster run's"

TARGETS = (
    Target(NOTHING, 0.35),
    Target(EXAMPLE, 0.35),
    Target(SHARE, 0.15),
    Target(SLICE, 5, Unit.SECONDS),
    Target(WHOLE_2, 0.35),
    Target(WHOLE_0, 1.2),
    Target(CRITICAL, 1.25),
    Target(COMPILED, 1, Unit.COUNT),
    Target(REPAIR, 6, Unit.SECONDS),
    Target(PLAN, 1.5),
    Target(PROCESSES, 0, Unit.COUNT),
    Target(LOAD, 12),
    Target(MEMORY, 1.3),
)
