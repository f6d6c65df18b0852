"""The checks of the stamped source."""

from collections.abc import Callable
from pathlib import Path

from tasker_release_pipeline.checks.commits import nothing_but_commits, tag_on_this_commit
from tasker_release_pipeline.checks.formatting import formatted
from tasker_release_pipeline.checks.links import links_lead_inside
from tasker_release_pipeline.checks.lockfiles import lockfiles_current
from tasker_release_pipeline.checks.source_versions import versions_as_planned
from tasker_release_pipeline.checks.toolchains import toolchains_are_known
from tasker_release_pipeline.checks.workspace import manifest_matches_cargo
from tasker_release_pipeline.release.catalogue import SOURCE_TREE
from tasker_release_pipeline.release.checks import CheckResult, Report
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.release.stamping import Tree
from tasker_release_pipeline.steps.checking import run_checks
from tasker_release_pipeline.steps.credential_checks import vouched_for
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.source import SourceTree, worktree
from tasker_release_pipeline.toolchains.cargo_metadata import metadata


def check_source(run: ReleaseRun, plan: Plan, tree: SourceTree) -> list[CheckResult]:
    """Run the checks of the asset `source_tree`."""
    try:
        with worktree(run, plan, tree) as source:
            return run_checks(
                run,
                SOURCE_TREE,
                tree.commit,
                {
                    **file_checks(run, plan, tree, source),
                    "tag_on_this_commit": lambda: tag_on_this_commit(plan, tree.commit, run.checkout.tags(), run.mode),
                    "commit_is_vouched_for": lambda: vouched_for(run, plan),
                },
            )
    finally:
        run.keep_log(SOURCE_TREE)


def file_checks(run: ReleaseRun, plan: Plan, tree: SourceTree, source: Path) -> dict[str, Callable[[], Report]]:
    """By name those checks of the asset that look at the files in `source` alone, the worktree of `tree`."""
    manifest, logfile = run.manifest, run.logfile(SOURCE_TREE)
    before, after = (Tree.of(run.checkout, commit) for commit in (plan.commit, tree.commit))
    built_for = sorted({package.registry for package in plan.packages if package.publish})
    return {
        "formatted": lambda: formatted(source, logfile=logfile),
        "versions_as_planned": lambda: versions_as_planned(manifest, plan, after, source, logfile=logfile),
        "lockfiles_current": lambda: lockfiles_current(manifest, before, after, source, logfile=logfile),
        "manifest_matches_cargo": lambda: manifest_matches_cargo(manifest, metadata(source)),
        "nothing_but_commits": lambda: nothing_but_commits(manifest, source),
        "toolchains_are_known": lambda: toolchains_are_known(manifest, built_for, source),
        "links_lead_inside": lambda: links_lead_inside(manifest, source, logfile=logfile),
    }
