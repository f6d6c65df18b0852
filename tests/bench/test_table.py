"""Figures beside their targets."""

import pytest

from bench.table import Verdict, exceeded, table, verdict
from bench.targets import EXAMPLE, MEMORY, PLAN, SLICE, TARGETS, Figure, Target, Unit


@pytest.mark.parametrize(("value", "said"), [(1.5, Verdict.MET), (1.51, Verdict.MISSED)])
def test_a_target_is_met_up_to_its_value(value: float, said: Verdict) -> None:
    assert verdict(Target(PLAN, 1.5), [Figure(PLAN, value, Unit.RATIO)]) is said


def test_what_was_not_measured_is_not_called_met() -> None:
    other = [Figure(MEMORY, 0.1, Unit.RATIO)]
    assert verdict(Target(PLAN, 1.5), other) is Verdict.NOT_MEASURED
    (line,) = [line for line in table(other).splitlines() if EXAMPLE in line]
    assert Verdict.NOT_MEASURED in line


def test_the_short_form_forgives_a_third_and_no_more() -> None:
    assert exceeded([Figure(PLAN, 1.99, Unit.RATIO)]) == []
    (line,) = exceeded([Figure(PLAN, 2.01, Unit.RATIO), Figure(MEMORY, 1.0, Unit.RATIO)])
    assert PLAN in line
    assert "2.01 x" in line


def test_seconds_do_not_fail_the_short_form_as_machines_differ() -> None:
    assert exceeded([Figure(SLICE, 1000, Unit.SECONDS)]) == []


def test_the_table_has_every_target_and_every_figure_once() -> None:
    figures = [Figure(PLAN, 1.2, Unit.RATIO, "12 ms / 10 ms"), Figure("another", 7, Unit.COUNT)]
    text = table(figures)
    for name in (*(target.name for target in TARGETS), "another"):
        assert sum(line.startswith(f"| {name} |") for line in text.splitlines()) == 1
    assert "| 1.20 x | ≤ 1.50 x | met | 12 ms / 10 ms |" in text
    assert "| another | 7 |" in text


def test_each_target_has_a_name_of_its_own() -> None:
    assert len({target.name for target in TARGETS}) == len(TARGETS)
