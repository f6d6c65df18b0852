"""Markdown for people: the plan, the release manifest, and the summary of how a release ended."""

from collections.abc import Iterable, Mapping, Sequence

from tasker_release_pipeline.release.artifact import ReleaseManifest
from tasker_release_pipeline.release.gate import Gate
from tasker_release_pipeline.release.outcome import Outcome, OutcomeKind
from tasker_release_pipeline.release.plan import Finding, Plan
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
    """Errors and warnings as a list."""
    return "\n".join(f"- {finding.severity}: {_cell(finding.message)}" for finding in findings)


def summary(
    release: str,
    mode: Mode,
    *,
    plan: Plan | None,
    manifest: ReleaseManifest | None,
    gate: Gate | None,
    outcomes: Mapping[str, Outcome],
    failures: Mapping[str, str],
) -> str:
    """How a release stands.

    `outcomes`: the last one of each package. `failures`: by step (or `input`) what stopped this run, in one message.
    """
    parts = [f"# Release {release}: {_headline(mode, plan, gate, outcomes, failures)}"]
    if plan is not None:
        parts.append(_packages(mode, plan, manifest, outcomes))
    if failures:
        parts.append("## What went wrong\n\n" + "\n".join(f"- **{s}**: {_cell(m)}" for s, m in failures.items()))
    findings = gate.findings if gate is not None else plan.findings if plan is not None else ()
    if findings:
        parts.append("## To know\n\n" + findings_list(findings))
    parts.append("## Next\n\n" + _next(release, mode, plan, outcomes, failures))
    return "\n\n".join(parts) + "\n"


def _headline(
    mode: Mode, plan: Plan | None, gate: Gate | None, outcomes: Mapping[str, Outcome], failures: Mapping[str, str]
) -> str:
    if failures:
        return f"failed ({mode})"
    if plan is None:
        return f"not planned ({mode})"
    if not plan.publishes:
        return f"nothing to publish ({mode})"
    if mode is Mode.DRY_RUN:
        verdict = gate.verdict if gate is not None else "not reached"
        return f"dry run, gate: {verdict}"
    todo = [p.key for p in plan.packages if p.publish]
    done = [key for key in todo if key in outcomes and outcomes[key].kind.good]
    return f"{len(done)} of {len(todo)} packages published ({mode})"


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
    release: str, mode: Mode, plan: Plan | None, outcomes: Mapping[str, Outcome], failures: Mapping[str, str]
) -> str:
    broken = [key for key, outcome in outcomes.items() if not outcome.kind.good]
    if broken:
        commands = "\n".join(
            f"dagster asset materialize -m tasker_release_pipeline --select 'key:\"{key}\"' --partition {release}"
            for key in broken
        )
        return (
            "Mend what the messages above name, then upload what failed again (nothing is built anew, and what is "
            f"published already stays as it is), or run the `release` job again:\n\n```\n{commands}\n```"
        )
    if failures:
        return "Nothing was uploaded by the failed steps. Mend what the messages above name, then run the job again."
    if plan is None or not plan.publishes:
        return "Nothing to do: no package changed since its base."
    if mode is Mode.DRY_RUN:
        return "Nothing was uploaded. To release, run the same job with `dry_run: false`."
    open_ones = [p.key for p in plan.packages if p.publish and p.key not in outcomes]
    if open_ones:
        return f"Still to publish: {', '.join(open_ones)}. Run the job that has them."
    return "Done."


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")
