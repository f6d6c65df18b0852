"""The lints of the workspace, which every crate that is published belongs to."""

from tasker_release_pipeline.checks.clippy import clippy
from tasker_release_pipeline.release.catalogue import LINTS
from tasker_release_pipeline.release.checks import CheckResult, Report
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.steps.checking import run_checks
from tasker_release_pipeline.steps.compiled import compiled
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.source import SourceTree, worktree

_CLIPPY_SECONDS = 1500


def check_lints(run: ReleaseRun, plan: Plan, tree: SourceTree) -> list[CheckResult]:
    """Run the checks of the asset `lints`."""
    try:
        return run_checks(run, LINTS, tree.commit, {"clippy_is_clean": lambda: _clippy(run, plan, tree)})
    finally:
        run.keep_log(LINTS)


def _clippy(run: ReleaseRun, plan: Plan, tree: SourceTree) -> Report:
    if not plan.of_registry(RegistryName.CRATES_IO):
        return Report(seen="no crate is part of this release")
    with worktree(run, plan, tree) as source, compiled(run, source, is_uploaded=False) as target:
        found = clippy(
            source,
            target=target,
            env=run.manifest.registries[RegistryName.CRATES_IO].build.env,
            seconds=_CLIPPY_SECONDS,
            log=run.log,
            logfile=run.logfile(LINTS),
        )
    return Report(tuple(found), seen="clippy denies nothing")
