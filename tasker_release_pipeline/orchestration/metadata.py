"""What an engineer sees on an asset in the web UI."""

import logging
from typing import Any

import dagster as dg

from tasker_release_pipeline.release.artifact import Artifact, BuildResult, ReleaseManifest
from tasker_release_pipeline.release.bases import Base
from tasker_release_pipeline.release.checks import CheckResult
from tasker_release_pipeline.release.gate import Gate
from tasker_release_pipeline.release.outcome import Outcome
from tasker_release_pipeline.release.plan import Plan, Severity
from tasker_release_pipeline.release.probes import Probed
from tasker_release_pipeline.release.record import Record
from tasker_release_pipeline.release.settings import Mode
from tasker_release_pipeline.release.summary import findings_list, manifest_table, plan_table, table


def of_plan(plan: Plan) -> dict[str, Any]:
    """The plan as a table, with what speaks against it."""
    return {
        "plan": dg.MetadataValue.md(plan_table(plan)),
        "findings": dg.MetadataValue.md(findings_list(plan.findings) or "none"),
        "commit": plan.commit,
        "mode": plan.settings.mode.value,
        "bases": dg.MetadataValue.md(
            table(
                ["component", "version", "tree", "prepared", "base"],
                [[n, d.version, d.tree, d.prepared, _base(d.base)] for n, d in plan.components.items()],
            )
        ),
    }


def _base(base: Base) -> str:
    return base.ref if base.commit is None else f"{base.ref} ({base.kind}, {base.commit[:12]})"


def of_artifacts(artifacts: tuple[Artifact, ...]) -> dict[str, Any]:
    """Files with sizes and digests."""
    rows = [[artifact.file, artifact.version, artifact.size, f"`{artifact.sha256}`"] for artifact in artifacts]
    return {
        "files": dg.MetadataValue.md(table(["file", "version", "bytes", "SHA-256"], rows) if rows else "none"),
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
        "access": probed.access.value,
        "mode": probed.mode.value,
        "packages": "\n".join(probed.packages) or "none",
        "told": "\n".join(probed.told),
    }


def of_gate(gate: Gate, manifest: ReleaseManifest) -> dict[str, Any]:
    """The verdict, and the files that it is about."""
    return {
        "verdict": gate.verdict.value,
        "mode": gate.mode.value,
        "findings": dg.MetadataValue.md(findings_list(gate.findings) or "none"),
        "files": dg.MetadataValue.md(manifest_table(manifest)),
        "manifest": gate.manifest,
    }


def of_outcome(outcome: Outcome) -> dict[str, Any]:
    """What became of a package."""
    shown: dict[str, Any] = {
        "outcome": outcome.kind.value,
        "version": outcome.version,
        "registry": outcome.registry,
        "mode": outcome.mode.value,
        **of_artifacts(outcome.files),
        "seconds_upload": round(outcome.seconds_upload, 1),
        "seconds_propagation": round(outcome.seconds_propagation, 1),
    }
    if outcome.page:
        shown["page"] = dg.MetadataValue.url(outcome.page)
    if outcome.detail:
        shown["detail"] = outcome.detail
    return shown


def of_record(record: Record) -> dict[str, Any]:
    """Where a tag or the GitHub Release stands."""
    shown: dict[str, Any] = {"state": record.state.value, "name": record.name, "mode": record.mode.value}
    if record.commit:
        shown["commit"] = record.commit
    # A rehearsal's address is gone by the time that anyone follows the link.
    if record.url and record.mode is Mode.LIVE:
        shown["page"] = dg.MetadataValue.url(record.url)
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
