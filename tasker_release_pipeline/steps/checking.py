"""Running an asset's checks: side by side, each to its end, whatever the others find."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from tasker_release_pipeline.release.catalogue import checks_of
from tasker_release_pipeline.release.checks import Check, CheckResult, Report
from tasker_release_pipeline.release.errors import ReleaseError
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.toolchains.runner import end_all


def run_checks(
    run: ReleaseRun, asset: str, subject: str, checks: Mapping[str, Callable[[], Report]]
) -> list[CheckResult]:
    """Run all checks of `asset`, by name, and keep their results. `subject`: digest of what they look at.

    One that raises could not tell, which is an error of the release, too.
    """
    known = checks_of(asset)
    if {check.name for check in known} != set(checks):
        names = sorted(check.name for check in known)
        raise LookupError(f"{asset}: the catalogue has the checks {names}, the step runs {sorted(checks)}")

    def timed(check: Check) -> CheckResult:
        started = time.monotonic()
        try:
            report = checks[check.name]()
        except ReleaseError as error:
            report = Report.of(errors=[f"could not be checked: {error}"])
        except Exception as error:  # a file that nobody foresaw must not hide what the others found
            report = Report.of(errors=[f"could not be checked: {type(error).__name__}: {error}"])
        seconds = time.monotonic() - started
        return result(asset, check.name, check.subject(subject, run.mode), report, seconds=seconds)

    with ThreadPoolExecutor(max_workers=4) as pool:
        try:
            results = list(pool.map(timed, known))
        except BaseException:  # an interrupt: leaving the pool would wait for its tools
            end_all()
            raise
    for found in results:
        run.store.write_check(found)
    return results


def result(asset: str, name: str, subject: str, report: Report, *, seconds: float = 0.0) -> CheckResult:
    """A report as the result of a check."""
    return CheckResult(
        asset=asset,
        name=name,
        subject=subject,
        findings=report.findings,
        evidence=dict(report.evidence),
        seen=report.seen,
        seconds=round(seconds, 2),
    )
