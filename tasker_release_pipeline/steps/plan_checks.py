"""The checks of the plan, against what the registries and the source's history say."""

from tasker_release_pipeline.release.catalogue import RELEASE_PLAN
from tasker_release_pipeline.release.checks import CheckResult
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.steps.checking import run_checks
from tasker_release_pipeline.steps.run import ReleaseRun


def check_plan(run: ReleaseRun, plan: Plan) -> list[CheckResult]:
    """Run the checks of the asset `release_plan`."""
    return run_checks(run, RELEASE_PLAN, plan.digest, {})
