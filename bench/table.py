"""Figures beside their targets."""

from collections.abc import Iterator, Sequence
from enum import StrEnum

from bench.targets import TARGETS, Figure, Target, Unit

# The short form runs on machines that others use as well.
FORGIVEN = 4 / 3


class Verdict(StrEnum):
    """How a figure stands to its target."""

    MET = "met"
    MISSED = "missed"
    NOT_MEASURED = "not measured"


def verdict(target: Target, figures: Sequence[Figure]) -> Verdict:
    """Whether the target is met. Without its figure that is not known."""
    found = [figure.value for figure in figures if figure.name == target.name]
    if not found:
        return Verdict.NOT_MEASURED
    return Verdict.MET if max(found) <= target.at_most else Verdict.MISSED


def exceeded(figures: Sequence[Figure]) -> list[str]:
    """The targets that fail the short form: missed by more than a third, those in seconds aside: machines differ."""
    values = {figure.name: figure.value for figure in figures}
    judged = [target for target in TARGETS if target.name in values and target.unit is not Unit.SECONDS]
    return [
        f"{target.name}: {shown(values[target.name], target.unit)}, more than a third above "
        f"{shown(target.at_most, target.unit)}"
        for target in judged
        if values[target.name] > target.at_most * FORGIVEN
    ]


def table(figures: Sequence[Figure]) -> str:
    """All figures, those with a target first, and the targets that nothing was measured for. Markdown."""
    rows = [("figure", "measured", "target", "", "made of"), ("---",) * 5, *_rows(figures)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _rows(figures: Sequence[Figure]) -> Iterator[tuple[str, ...]]:
    by_name = {figure.name: figure for figure in figures}
    for target in TARGETS:
        figure = by_name.pop(target.name, None)
        measured, made_of = (shown(figure.value, figure.unit), figure.came_from) if figure else ("", "")
        limit = f"≤ {shown(target.at_most, target.unit)}"
        yield target.name, measured, limit, verdict(target, figures), made_of
    for figure in by_name.values():
        yield figure.name, shown(figure.value, figure.unit), "", "", figure.came_from


def shown(value: float, unit: Unit) -> str:
    """A value with its unit: `0.31 x`, `4.2 s`, `1`."""
    digits = {Unit.RATIO: 2, Unit.SECONDS: 2, Unit.COUNT: 0}[unit]
    return f"{value:,.{digits}f} {unit}".rstrip()
