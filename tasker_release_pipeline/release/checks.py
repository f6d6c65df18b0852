"""Checks: what each one proves of which asset, and what it found. `catalogue.py` lists them all."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from tasker_release_pipeline.release.plan import Finding, Severity
from tasker_release_pipeline.release.settings import Mode


@dataclass(frozen=True)
class Check:
    """A check of one asset. `proves`: what a pass says, as a sentence.

    `by_mode`: it judges a dry run, a rehearsal and a live release each in its own way, so that its result counts in the
    mode alone that it was got in.
    """

    asset: str
    name: str
    proves: str
    by_mode: bool = False

    def subject(self, asset: str, mode: Mode) -> str:
        """Digest of what it looks at. `asset`: that of its asset."""
        return hashlib.sha256(f"{asset}\n{mode}".encode()).hexdigest() if self.by_mode else asset


@dataclass(frozen=True)
class Report:
    """What a check found: nothing, where it passed. `evidence`: what it saw, by name. `seen`: that in a sentence."""

    findings: tuple[Finding, ...] = ()
    evidence: Mapping[str, str] = field(default_factory=dict)
    seen: str = ""

    @classmethod
    def of(
        cls,
        *,
        errors: Iterable[str] = (),
        warnings: Iterable[str] = (),
        evidence: Mapping[str, str] | None = None,
        seen: str = "",
    ) -> "Report":
        """A report with these findings, each a message that names what is wrong, where, and the way out."""
        findings = [Finding(severity=Severity.ERROR, message=message) for message in errors]
        findings += [Finding(severity=Severity.WARNING, message=message) for message in warnings]
        return cls(tuple(findings), evidence or {}, seen)


class CheckResult(BaseModel):
    """What one check found, as it is kept. `subject`: digest of what it looked at. See `Report` for the rest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    asset: str
    name: str
    subject: str
    findings: tuple[Finding, ...] = ()
    evidence: dict[str, str] = {}
    seen: str = ""
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether it found nothing."""
        return not self.findings

    @property
    def stops(self) -> bool:
        """Whether a release must not go on."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)

    @property
    def severity(self) -> Severity:
        """The gravest finding's; of a passed check, that of what it could find."""
        return Severity.ERROR if self.stops or self.passed else Severity.WARNING

    @property
    def named(self) -> tuple[Finding, ...]:
        """The findings, each with the check that found it."""
        return tuple(
            finding.model_copy(update={"message": f"{self.asset}: {self.name}: {finding.message}"})
            for finding in self.findings
        )

    @property
    def message(self) -> str:
        """All findings, or what it saw."""
        return "; ".join(finding.message for finding in self.findings) or self.seen
