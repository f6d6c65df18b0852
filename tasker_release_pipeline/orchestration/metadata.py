"""What an engineer sees on an asset in the web UI."""

import logging
from typing import Any

import dagster as dg

from tasker_release_pipeline.registries.endpoints import TITLES
from tasker_release_pipeline.release.artifact import Artifact, BuildResult, ReleaseManifest
from tasker_release_pipeline.release.bases import Base
from tasker_release_pipeline.release.checks import CheckResult
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.gate import Gate
from tasker_release_pipeline.release.outcome import Outcome
from tasker_release_pipeline.release.plan import Plan, Severity
from tasker_release_pipeline.release.probes import Probed
from tasker_release_pipeline.release.record import Record
from tasker_release_pipeline.release.settings import Mode
from tasker_release_pipeline.release.summary import findings_list, manifest_table, plan_table, table
from tasker_release_pipeline.steps.source import SourceTree
from tasker_release_pipeline.steps.staged_install import StagedInstall

_MODES = {
    Mode.DRY_RUN: "DRY RUN: nothing is published",
    Mode.REHEARSAL: "REHEARSAL: to registries on loopback, nothing is public",
    Mode.LIVE: "LIVE: to the public registries",
}
_LOG_LINES = 200
_LAST_WORDS = 6
"""Lines of a tool's output; all of it lies in the store."""


def of_plan(plan: Plan) -> dict[str, Any]:
    """The plan as a table, with what speaks against it."""
    return {
        "mode": _MODES[plan.settings.mode],
        "plan": dg.MetadataValue.md(plan_table(plan)),
        "findings": dg.MetadataValue.md(findings_list(plan.findings) or "none"),
        "commit": plan.commit,
        "bases": dg.MetadataValue.md(
            table(
                ["component", "version", "tree", "prepared", "base"],
                [[n, d.version, d.tree, d.prepared, _base(d.base)] for n, d in plan.components.items()],
            )
        ),
    }


def _base(base: Base) -> str:
    return base.ref if base.commit is None else f"{base.ref} ({base.kind}, {base.commit[:12]})"


def of_source(tree: SourceTree) -> dict[str, Any]:
    """The released commit, and what was written into it."""
    return {"commit": tree.commit, "stamped": "\n".join(tree.changed) or "nothing: the tree was prepared"}


def of_lints(commit: str) -> dict[str, Any]:
    """The commit whose lints were looked for."""
    return {"commit": commit}


def of_staged(installed: StagedInstall) -> dict[str, Any]:
    """What was installed from staging, at the version that it reported itself."""
    rows = [[package, version] for package, version in installed.reported.items()]
    return {
        "reported": dg.MetadataValue.md(table(["package", "version"], rows) if rows else "nothing"),
        "seconds": round(installed.seconds, 1),
    }


def of_artifacts(artifacts: tuple[Artifact, ...]) -> dict[str, Any]:
    """Files with sizes and digests."""
    # No table: a digest does not break, and would push the column out of sight.
    files = [
        f"- **{artifact.file}** ({artifact.size:,} bytes)  \n  SHA-256 `{artifact.sha256}`" for artifact in artifacts
    ]
    return {
        "files": dg.MetadataValue.md("\n".join(files) or "none"),
        "bytes": sum(artifact.size for artifact in artifacts),
    }


def of_build(result: BuildResult) -> dict[str, Any]:
    """What a build made, and how long it took."""
    return {**of_artifacts(result.artifacts), "seconds": round(result.seconds, 1), "commit": result.commit}


def of_manifest(manifest: ReleaseManifest) -> dict[str, Any]:
    """The release manifest as a table."""
    return {
        "manifest": dg.MetadataValue.md(manifest_table(manifest)),
        "digest": manifest.digest,
        "commit": manifest.commit,
    }


def of_probe(probed: Probed) -> dict[str, Any]:
    """Whether a release would be let in."""
    return {
        "mode": _MODES[probed.mode],
        "access": probed.access.value,
        "packages": "\n".join(probed.packages) or "none",
        "told": "\n".join(probed.told),
    }


def of_gate(gate: Gate, manifest: ReleaseManifest) -> dict[str, Any]:
    """The verdict, and the files that it is about."""
    return {
        "verdict": gate.verdict.value,
        "mode": _MODES[gate.mode],
        "findings": dg.MetadataValue.md(findings_list(gate.findings) or "none"),
        "files": dg.MetadataValue.md(manifest_table(manifest)),
        "manifest": gate.manifest,
    }


def of_outcome(outcome: Outcome, log: str = "") -> dict[str, Any]:
    """What became of a package; `log`: what its upload printed."""
    shown: dict[str, Any] = {
        "mode": _MODES[outcome.mode],
        "outcome": outcome.kind.value,
        "version": outcome.version,
        "registry": TITLES[RegistryName(outcome.registry)],
    }
    if outcome.page:
        shown["page"] = dg.MetadataValue.url(outcome.page)
    if outcome.detail:
        # Below the first line are a tool's own; a page of them would hide all else.
        shown["detail"], *said = outcome.detail.strip().splitlines()
        if said:
            # No block of code, whose long lines would push the column out of sight.
            shown["last_words"] = dg.MetadataValue.md("  \n".join(f"``` {line} ```" for line in said[-_LAST_WORDS:]))
    if outcome.files:
        shown |= {
            **of_artifacts(outcome.files),
            "seconds_upload": round(outcome.seconds_upload, 1),
            "seconds_propagation": round(outcome.seconds_propagation, 1),
        }
    if log:
        shown["log"] = dg.MetadataValue.md(_fenced(log.rstrip().splitlines()))
    return shown


def _fenced(lines: list[str]) -> str:
    left_out = [f"... ({len(lines) - _LOG_LINES} lines before)"] if len(lines) > _LOG_LINES else []
    # More backticks than any tool prints.
    return "\n".join(["``````", *left_out, *lines[-_LOG_LINES:], "``````"])


def of_record(record: Record) -> dict[str, Any]:
    """Where a tag or the GitHub Release stands."""
    shown: dict[str, Any] = {"mode": _MODES[record.mode], "state": record.state.value, "name": record.name}
    if record.commit:
        shown["commit"] = record.commit
    # A rehearsal's address is gone by the time that anyone follows the link.
    if record.url and record.mode is Mode.LIVE:
        shown["page"] = dg.MetadataValue.url(record.url)
    if record.detail:
        shown["detail"] = record.detail
    return shown


def of_check(result: CheckResult, log: logging.Logger) -> dg.AssetCheckResult:
    """A check's result as Dagster shows it; what it found is logged besides."""
    for finding in result.findings:
        level = logging.ERROR if finding.severity is Severity.ERROR else logging.WARNING
        log.log(level, f"{result.name}: {finding.message}")
    return dg.AssetCheckResult(
        check_name=result.name,
        asset_key=dg.AssetKey(result.asset.split("/")),
        passed=result.passed,
        severity=dg.AssetCheckSeverity.ERROR if result.severity is Severity.ERROR else dg.AssetCheckSeverity.WARN,
        description=result.message,
        metadata={**result.evidence, "seconds": result.seconds, "subject": result.subject},
    )
