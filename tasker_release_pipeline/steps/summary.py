"""The summary of a release, from what the store holds of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasker_release_pipeline.github import actions
from tasker_release_pipeline.release.artifact import BuildResult, ReleaseManifest
from tasker_release_pipeline.release.catalogue import (
    BUILD_ASSETS,
    CREDENTIALS,
    LINTS,
    RECORDING,
    RELEASE_PLAN,
    SOURCE_TREE,
    catalogue,
)
from tasker_release_pipeline.release.checks import CheckResult
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.gate import Gate
from tasker_release_pipeline.release.outcome import Outcome
from tasker_release_pipeline.release.outputs import outputs
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.release.record import Record, subjects
from tasker_release_pipeline.release.settings import Mode
from tasker_release_pipeline.release.summary import summary
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.source import SourceTree


@dataclass(frozen=True)
class Standing:
    """What the store holds of a release: its plan, what belongs to that plan, and the last outcomes and records."""

    plan: Plan | None
    manifest: ReleaseManifest | None
    gate: Gate | None
    outcomes: Mapping[str, Outcome]
    records: Sequence[Record]


def standing(run: ReleaseRun) -> Standing:
    """Read how a release stands. Raises InputError where the store can't be read."""
    plan = run.store.read("plan.json", Plan)
    manifest = run.store.read("manifest.json", ReleaseManifest)
    gate = run.store.read("gate.json", Gate)
    # A manifest of an older plan, or a verdict on an older manifest, is not what this release stands at.
    current = plan is not None and manifest is not None and manifest.plan == plan.digest
    judged = current and gate is not None and manifest is not None and gate.manifest == manifest.digest
    return Standing(
        plan=plan,
        manifest=manifest if current else None,
        gate=gate if judged else None,
        outcomes={key: outcome for key in run.manifest.keys if (outcome := run.store.outcome(key)) is not None},
        records=[record for name in subjects(run.manifest) if (record := run.store.record(name)) is not None],
    )


def _mode(run: ReleaseRun, stands: Standing) -> Mode:
    """The run's; but what the gate let through and GitHub uploaded stays live where the latch is closed."""
    is_out = any(outcome.mode is Mode.LIVE and outcome.kind.attempted for outcome in stands.outcomes.values())
    return Mode.LIVE if is_out and stands.gate is not None and stands.gate.mode is Mode.LIVE else run.mode


def write_summary(run: ReleaseRun, failures: Mapping[str, str]) -> str:
    """Write `summary.md`, and give its text, which says so where the store does not take it.

    `failures`: by step, what stopped this run. Raises InputError where the store can't be read.
    """
    stands = standing(run)
    text = summary(
        run.release,
        _mode(run, stands),
        plan=stands.plan,
        manifest=stands.manifest,
        gate=stands.gate,
        outcomes=stands.outcomes,
        failures=failures,
        checks=[] if stands.plan is None else _checked(run, stands.plan),
        records=stands.records,
    )
    try:
        run.store.write_bytes("summary.md", text.encode())
    except InputError as error:
        text = f"{text}\nThis summary is not in the store: {error}\n"
    _show(run, stands.plan, text, failures)
    return text


def _checked(run: ReleaseRun, plan: Plan) -> list[CheckResult]:
    """What was checked of this very plan, its source and its builds."""
    subjects = dict.fromkeys([RELEASE_PLAN, *CREDENTIALS.values(), RECORDING], plan.digest)
    if (source := run.store.read("source.json", SourceTree)) is not None:
        subjects |= dict.fromkeys([SOURCE_TREE, LINTS], source.commit)
        for asset in BUILD_ASSETS.values():
            built = run.store.read(f"builds/{asset}.json", BuildResult)
            if built is not None and built.commit == source.commit:
                subjects[asset] = built.subject
    results = run.store.checks()
    return [
        r
        for check in catalogue()
        if (r := results.get((check.asset, check.name)))
        and r.subject == check.subject(subjects.get(check.asset, ""), run.mode)
    ]


def _show(run: ReleaseRun, plan: Plan | None, text: str, failures: Mapping[str, str]) -> None:
    """In a job of GitHub Actions: on the run's page, and to the jobs that follow."""
    actions.append_summary(run.environment, text)
    for step, message in failures.items():
        actions.annotate(run.environment, "error", message, title=step)
        log = run.logfile(step)
        if log.exists():
            actions.show_log(run.environment, f"The log of {step}", log.read_text(encoding="utf-8", errors="replace"))
    # A plan that failed leaves none, or an older one.
    if plan is not None and not failures:
        actions.set_outputs(run.environment, outputs(plan))
