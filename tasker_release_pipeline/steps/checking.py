"""Running an asset's checks: side by side, each to its end, whatever the others find."""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from tasker_release_pipeline.release.catalogue import checks_of
from tasker_release_pipeline.release.checks import CheckResult, Report
from tasker_release_pipeline.release.errors import ReleaseError
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.toolchains.runner import end_all


def run_checks(
    run: ReleaseRun, asset: str, subject: str, checks: Mapping[str, Callable[[], Report]]
) -> list[CheckResult]:
    """Run all checks of `asset`, by name, and keep their results. `subject`: digest of what they look at.

    One that raises a ReleaseError could not tell, which is an error of the release, too.
    """
    names = [check.name for check in checks_of(asset)]
    if set(names) != set(checks):
        raise LookupError(f"{asset}: the catalogue has the checks {sorted(names)}, the step runs {sorted(checks)}")

    def timed(name: str) -> CheckResult:
        started = time.monotonic()
        try:
            report = checks[name]()
        except ReleaseError as error:
            report = Report.of(errors=[f"could not be checked: {error}"])
        return result(asset, name, subject, report, seconds=time.monotonic() - started)

    with ThreadPoolExecutor(max_workers=4) as pool:
        try:
            results = list(pool.map(timed, names))
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
