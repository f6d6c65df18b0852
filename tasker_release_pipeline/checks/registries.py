"""Whether the registries answered. What one did not tell is unknown, which is never "no"."""

from collections.abc import Iterable, Mapping, Sequence

from tasker_release_pipeline.checks.answers import Answer
from tasker_release_pipeline.release.checks import Report
from tasker_release_pipeline.release.endpoints import RegistryName


def registries_answered(answers: Sequence[Answer], unreachable: Mapping[str, str], *, dry_run: bool) -> Report:
    """Every registry tells what it holds of every package: else a warning in a dry run, an error in a release.

    `unreachable`: what was not told when the plan was made, by package key; the plan rests on that.
    """
    reasons = {answer.package.key: answer.problem for answer in answers if answer.holdings is None} | dict(unreachable)
    found = [
        f"{answer.package.key}: unknown what is published: {reasons[answer.package.key]}"
        for answer in answers
        if answer.package.key in reasons
    ]
    return Report.of(
        errors=[] if dry_run else found,
        warnings=found if dry_run else [],
        evidence={
            registry: _count([a.package.key not in reasons for a in answers if a.package.registry is registry])
            for registry in RegistryName
            if any(answer.package.registry is registry for answer in answers)
        },
        seen=f"all {len(answers)} packages were answered for",
    )


def _count(answered: Iterable[bool]) -> str:
    each = list(answered)
    return f"{sum(each)} of {len(each)} packages answered for"
