"""The checks of what was built for one registry."""

from tasker_release_pipeline.release.artifact import BuildResult
from tasker_release_pipeline.release.catalogue import BUILD_ASSETS
from tasker_release_pipeline.release.checks import CheckResult, Report
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.steps.checking import run_checks
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.source import SourceTree


def check_build(
    run: ReleaseRun,
    plan: Plan,  # noqa: ARG001
    tree: SourceTree,  # noqa: ARG001
    registry: RegistryName,
    built: BuildResult,
) -> list[CheckResult]:
    """Run the checks of one registry's build."""
    return run_checks(
        run,
        BUILD_ASSETS[registry],
        built.subject,
        {
            "builds_from_source": lambda: Report.of(
                errors=[built.problem] if built.problem else [],
                evidence={artifact.file: f"{artifact.size} bytes" for artifact in built.artifacts},
                seen=f"{len(built.artifacts)} files in {built.seconds:.0f} s",
            ),
        },
    )
