"""The gate: go or no-go for the exact files of a release manifest, in one mode."""

from collections.abc import Mapping
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from tasker_release_pipeline.release.artifact import ReleaseManifest
from tasker_release_pipeline.release.catalogue import job_with
from tasker_release_pipeline.release.checks import CheckResult
from tasker_release_pipeline.release.errors import GateError
from tasker_release_pipeline.release.plan import Finding, Severity
from tasker_release_pipeline.release.settings import Mode


class Verdict(StrEnum):
    """What the gate says."""

    GO = "go"
    NO_GO = "no-go"


class Gate(BaseModel):
    """The gate's verdict on one manifest. `findings`: all that speaks against it, or should be known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    release: str
    manifest: str
    mode: Mode
    verdict: Verdict
    checks: tuple[CheckResult, ...]
    findings: tuple[Finding, ...]

    def admit(self, manifest: ReleaseManifest, mode: Mode) -> None:
        """Let uploads of `manifest` in `mode` pass. Raises GateError, with the way out, for anything else."""
        way_out = "run the `gate` job (or `release`) again for this release"
        if self.manifest != manifest.digest:
            raise GateError(
                f"release {self.release}: the gate spoke of another manifest ({self.manifest[:12]}, "
                f"not {manifest.digest[:12]}); {way_out}"
            )
        if self.mode is not mode:
            raise GateError(f"release {self.release}: the gate spoke for a {self.mode}, this is {mode}; {way_out}")
        if self.verdict is not Verdict.GO:
            causes = "; ".join(f.message for f in self.findings if f.severity is Severity.ERROR)
            raise GateError(f"release {self.release}: the gate says no-go: {causes}; mend that and {way_out}")


def judge(
    manifest: ReleaseManifest,
    mode: Mode,
    checks: Mapping[tuple[str, str], CheckResult],
    expected: Mapping[tuple[str, str], str],
    findings: tuple[Finding, ...],
) -> Gate:
    """Give the verdict.

    `checks`: the results at hand by asset and name. `expected`: the checks that have to be there, with the digest that
    each must have looked at: one that is missing, or looked at something else, is a no-go.
    """
    against = list(findings)
    for (asset, name), subject in expected.items():
        result = checks.get((asset, name))
        if result is None:
            message = f"{asset}: {name}: has not run; run {job_with(asset)}"
            against.append(Finding(severity=Severity.ERROR, message=message))
        elif result.subject != subject:
            message = f"{asset}: {name}: looked at an older state; run {job_with(asset)} again"
            against.append(Finding(severity=Severity.ERROR, message=message))
        else:
            against += result.named
    stopped = any(finding.severity is Severity.ERROR for finding in against)
    return Gate(
        release=manifest.release,
        manifest=manifest.digest,
        mode=mode,
        verdict=Verdict.NO_GO if stopped else Verdict.GO,
        checks=tuple(checks[key] for key in expected if key in checks),
        findings=tuple(dict.fromkeys(against)),  # two steps may have asked the same registry in vain
    )
