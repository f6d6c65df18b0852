"""The rows of the doctor's table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from tasker_release_pipeline.release.checks import Report
from tasker_release_pipeline.release.plan import Finding, Severity


class Health(StrEnum):
    """How one thing is: an error stops a release; a warning is for a person to decide on, or could not be told."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Row:
    """One line. `message`: what was seen; of a warning or an error with the way out."""

    what: str
    health: Health
    message: str


def ok(what: str, message: str) -> Row:
    """What is well."""
    return Row(what, Health.OK, message)


def warning(what: str, message: str) -> Row:
    """What a person should decide on."""
    return Row(what, Health.WARNING, message)


def error(what: str, message: str) -> Row:
    """What stops a release."""
    return Row(what, Health.ERROR, message)


def of_findings(what: str, findings: Iterable[Finding], seen: str) -> list[Row]:
    """A row for each finding; without any one that says what was seen."""
    grave = {Severity.ERROR: Health.ERROR, Severity.WARNING: Health.WARNING}
    return [Row(what, grave[finding.severity], finding.message) for finding in findings] or [ok(what, seen)]


def of_report(what: str, report: Report) -> list[Row]:
    """A check's report as rows."""
    return of_findings(what, report.findings, report.seen)


def of_problems(what: str, problems: Sequence[str], seen: str) -> list[Row]:
    """A red row for each problem; without any one that says what was seen."""
    return [error(what, problem) for problem in problems] or [ok(what, seen)]
