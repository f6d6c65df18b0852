"""The checks of the stamped source."""

from tasker_release_pipeline.release.catalogue import SOURCE_TREE
from tasker_release_pipeline.release.checks import CheckResult
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.steps.checking import run_checks
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.source import SourceTree, worktree


def check_source(run: ReleaseRun, plan: Plan, tree: SourceTree) -> list[CheckResult]:
    """Run the checks of the asset `source_tree`."""
    with worktree(run, plan, tree):
        return run_checks(run, SOURCE_TREE, tree.commit, {})
