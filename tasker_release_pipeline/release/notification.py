"""What is told of a release's end: one message, as JSON for programs, as text for people."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict

from tasker_release_pipeline.release.gate import Gate, Verdict
from tasker_release_pipeline.release.outcome import Outcome, OutcomeKind
from tasker_release_pipeline.release.plan import Plan, Severity
from tasker_release_pipeline.release.record import GITHUB_RELEASE, Record, RecordState, unpublished
from tasker_release_pipeline.release.settings import Mode

PROBLEMS = 10
PROBLEM_LENGTH = 300


class Result(StrEnum):
    """How it ended."""

    SUCCESS = "success"
    FAILURE = "failure"


class Told(BaseModel):
    """A package, as a message has it. `outcome`: of the last attempt, or that there was none."""

    model_config = ConfigDict(frozen=True)

    package: str
    version: str
    outcome: OutcomeKind


class Notification(BaseModel):
    """How a release stands after a run. `summary`: a line. `link`: where to read on. `run`, `job`: Dagster's."""

    model_config = ConfigDict(frozen=True)

    release: str
    mode: Mode
    result: Result
    summary: str
    packages: tuple[Told, ...] = ()
    problems: tuple[str, ...] = ()
    link: str = ""
    run: str = ""
    job: str = ""
    at: AwareDatetime


def told(plan: Plan | None, outcomes: Mapping[str, Outcome]) -> tuple[Told, ...]:
    """Each package of the plan."""
    rows = []
    for package in plan.packages if plan is not None else ():
        outcome = outcomes.get(package.key)
        without = OutcomeKind.NOT_ATTEMPTED if package.publish else OutcomeKind.UNCHANGED
        rows.append(
            Told(
                package=package.key,
                version=package.version,
                outcome=outcome.kind if outcome is not None else without,
            )
        )
    return tuple(rows)


def is_complete(
    mode: Mode, plan: Plan | None, gate: Gate | None, outcomes: Mapping[str, Outcome], records: Sequence[Record]
) -> bool:
    """Whether a release is where its mode leads: at the gate with a go, or published and recorded."""
    if plan is None:
        return False
    if not plan.publishes:
        return True
    if mode is Mode.DRY_RUN:
        return gate is not None and gate.verdict is Verdict.GO
    recorded = any(record.subject == GITHUB_RELEASE for record in records)
    failed = any(record.state is RecordState.FAILED for record in records)
    return not unpublished(plan.packages, outcomes) and recorded and not failed


def problems(
    gate: Gate | None, outcomes: Mapping[str, Outcome], records: Sequence[Record], failures: Mapping[str, str]
) -> tuple[str, ...]:
    """What went wrong, in lines of at most 300 characters: what stopped this run, else what the store says."""
    found: Iterable[str] = [f"{step}: {message}" for step, message in failures.items()]
    if not failures:
        errors = [
            finding.message
            for finding in (gate.findings if gate is not None else ())
            if finding.severity is Severity.ERROR
        ]
        broken = [f"{key}: {outcome.detail}" for key, outcome in outcomes.items() if not outcome.kind.good]
        unrecorded = [f"{record.subject}: {record.detail}" for record in records if record.state is RecordState.FAILED]
        found = [*errors, *broken, *unrecorded]
    lines = [" ".join(message.split()) for message in found]
    return tuple(line if len(line) <= PROBLEM_LENGTH else f"{line[: PROBLEM_LENGTH - 3]}..." for line in lines)[
        :PROBLEMS
    ]


def slack_text(notification: Notification) -> str:
    """The message in Slack's markup."""
    sign = ":white_check_mark:" if notification.result is Result.SUCCESS else ":x:"
    lines = [f"{sign} *{_plain(notification.release)}*: {_plain(notification.summary)}"]
    if notification.result is Result.FAILURE:
        open_ones = [row for row in notification.packages if not row.outcome.good]
        lines += [f"• {_plain(row.package)} {_plain(row.version)}: {row.outcome}" for row in open_ones]
        lines += [f"> {_plain(problem)}" for problem in notification.problems]
    if notification.link:
        lines.append(f"<{notification.link}|Read on>")
    return "\n".join(lines)


def _plain(text: str) -> str:
    # Slack's own three; without them a tool's output could call everyone in the channel.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
