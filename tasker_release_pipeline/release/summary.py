"""Markdown for people: the plan, the release manifest, and the summary of how a release ended."""

from collections.abc import Iterable, Mapping, Sequence

from tasker_release_pipeline.release.artifact import ReleaseManifest
from tasker_release_pipeline.release.checks import CheckResult
from tasker_release_pipeline.release.gate import Gate, Verdict
from tasker_release_pipeline.release.outcome import Outcome, OutcomeKind
from tasker_release_pipeline.release.plan import Finding, Plan, Severity
from tasker_release_pipeline.release.record import Record, RecordState, is_recording, unpublished
from tasker_release_pipeline.release.settings import Mode


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table. Cells are one line each; a pipe in one is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def plan_table(plan: Plan) -> str:
    """What the plan does with each package, and why."""
    return table(
        ["package", "registry", "version", "phase", "dist-tag", "why"],
        [
            [
                package.name,
                package.registry,
                package.version if package.publish else f"unchanged ({package.version})",
                package.phase or "",
                package.dist_tag or "",
                "; ".join(package.reasons),
            ]
            for package in plan.packages
        ],
    )


def manifest_table(manifest: ReleaseManifest) -> str:
    """The exact files of a release."""
    rows = [[a.package, a.file, a.version, a.size, f"`{a.sha256}`"] for a in manifest.artifacts]
    return table(["package", "file", "version", "bytes", "SHA-256"], rows)


def findings_list(findings: Iterable[Finding]) -> str:
    """Errors and warnings as a list, the errors first."""
    graded = sorted(findings, key=lambda finding: finding.severity is not Severity.ERROR)
    return "\n".join(_item(f"{finding.severity}: {finding.message}") for finding in graded)


def summary(
    release: str,
    mode: Mode,
    *,
    plan: Plan | None,
    manifest: ReleaseManifest | None,
    gate: Gate | None,
    outcomes: Mapping[str, Outcome],
    failures: Mapping[str, str],
    records: Sequence[Record] = (),
    checks: Sequence[CheckResult] = (),
) -> str:
    """How a release stands.

    `outcomes`: the last one of each package. `failures`: by step (or `input`) what stopped this run, in one message.
    `records`: the last one of each tag and of the GitHub Release. `checks`: what was checked so far; the gate's verdict
    has it all, where there is one.
    """
    parts = [f"# Release {release}: {headline(mode, plan, gate, outcomes, failures)}"]
    if plan is not None:
        parts.append(_packages(mode, plan, manifest, outcomes))
    if any(record.state is not RecordState.UNCHANGED for record in records):
        parts.append("## Record\n\n" + _records(records))
    if failures:
        parts.append("## What went wrong\n\n" + "\n".join(_item(f"**{s}**: {m}") for s, m in failures.items()))
    findings: Sequence[Finding] = plan.findings if plan is not None else ()
    findings = gate.findings if gate is not None else [*findings, *(found for check in checks for found in check.named)]
    if findings:
        parts.append("## To know\n\n" + findings_list(findings))
    parts.append("## Next\n\n" + _next(release, mode, plan=plan, gate=gate, outcomes=outcomes, failures=failures))
    return "\n\n".join(parts) + "\n"


def headline(
    mode: Mode, plan: Plan | None, gate: Gate | None, outcomes: Mapping[str, Outcome], failures: Mapping[str, str]
) -> str:
    """How a release stands, in half a line. The arguments are those of `summary`."""
    if failures:
        unrecorded = f"{_published(plan, outcomes)} ({mode}), recording failed" if plan is not None else ""
        return unrecorded if _only_records_failed(plan, outcomes, failures) else f"failed ({mode})"
    if plan is None:
        return f"not planned ({mode})"
    if not plan.publishes:
        return f"nothing to publish ({mode})"
    if mode is Mode.DRY_RUN:
        verdict = gate.verdict if gate is not None else "not reached"
        return f"dry run, gate: {verdict}"
    return f"{_published(plan, outcomes)} ({mode})"


def _published(plan: Plan, outcomes: Mapping[str, Outcome]) -> str:
    todo = [p.key for p in plan.packages if p.publish]
    done = [key for key in todo if key in outcomes and outcomes[key].kind.good]
    return f"{len(done)} of {len(todo)} packages published"


def _only_records_failed(plan: Plan | None, outcomes: Mapping[str, Outcome], failures: Mapping[str, str]) -> bool:
    """Whether everything is published, and what failed in this run only records it."""
    if plan is None or not failures or unpublished(plan.packages, outcomes):
        return False
    return all(is_recording(step) for step in failures)


def _records(records: Sequence[Record]) -> str:
    rows = [[r.subject, r.name, r.state, f"`{r.commit[:12]}`" if r.commit else "", r.detail] for r in records]
    return table(["record", "name", "state", "commit", ""], rows)


def _packages(mode: Mode, plan: Plan, manifest: ReleaseManifest | None, outcomes: Mapping[str, Outcome]) -> str:
    rows = []
    for package in plan.packages:
        outcome = outcomes.get(package.key)
        files = manifest.of_package(package.key) if manifest is not None else ()
        if outcome is not None:
            word = outcome.kind.value
        elif not package.publish:
            word = OutcomeKind.UNCHANGED.value
        else:
            word = "would be uploaded" if mode is Mode.DRY_RUN and files else OutcomeKind.NOT_ATTEMPTED.value
        seconds = f"{outcome.seconds_upload + outcome.seconds_propagation:.1f}" if outcome and outcome.files else ""
        digests = " ".join(f"`{artifact.sha256[:16]}`" for artifact in files)
        rows.append([package.name, word, package.version, package.registry, digests, seconds])
    return table(["package", "outcome", "version", "registry", "SHA-256", "seconds"], rows)


def _next(
    release: str,
    mode: Mode,
    *,
    plan: Plan | None,
    gate: Gate | None,
    outcomes: Mapping[str, Outcome],
    failures: Mapping[str, str],
) -> str:
    open_ones = [p.key for p in plan.packages if p.publish and p.key not in outcomes] if plan is not None else []
    broken = [key for key, outcome in outcomes.items() if not outcome.kind.good]
    if broken:
        # In publishing order: what waited for a package that failed follows it.
        missing = [p.key for p in plan.packages if p.key in {*broken, *open_ones}] if plan is not None else broken
        said = _repair(release, missing)
    elif _only_records_failed(plan, outcomes, failures):
        said = (
            "Everything is published, and stays so. Mend what the messages above name, then run the `github_release` "
            "job: it makes the tags that are missing, too."
        )
    elif failures:
        said = "Nothing was uploaded by the failed steps. Mend what the messages above name, then run the job again."
    elif plan is None:
        said = "Nothing is planned yet. Run the `release` job, or `detect_and_calculate` first."
    elif not plan.publishes:
        said = "Nothing to do: no package changed since its base."
    elif mode is Mode.DRY_RUN:
        said = "Nothing was uploaded. " + _after_dry_run(gate)
    elif open_ones:
        said = f"Still to publish: {', '.join(open_ones)}. Run the job that has them."
    else:
        said = "Done."
    return said


def _repair(release: str, missing: Iterable[str]) -> str:
    commands = "\n".join(
        f"dagster asset materialize -m tasker_release_pipeline --select 'key:\"{key}\"' --partition {release}"
        for key in missing
    )
    return (
        "Mend what the messages above name, then upload what is missing (nothing is built anew, and what is "
        f"published already stays as it is), or run the `release` job again:\n\n```\n{commands}\n```"
    )


def _after_dry_run(gate: Gate | None) -> str:
    if gate is None:
        return "For the verdict, run the jobs up to `gate` (or `release`)."
    if gate.verdict is Verdict.NO_GO:
        return "Mend the errors above, then run the job again."
    return (
        "To release: `dry_run: false`, and for the public registries also RELEASE_DRY_RUN=false in the environment, "
        "their tokens, and a commit whose files say these versions already."
    )


def _item(text: str) -> str:
    """An item of a list. What a tool printed, behind the first line, keeps its lines."""
    first, *rest = text.strip().splitlines()
    if not first.endswith(":"):
        return f"- {' '.join(text.split())}"
    return "\n".join([f"- {first}", "", "  ```", *(f"  {line}" for line in rest), "  ```", ""])


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")
