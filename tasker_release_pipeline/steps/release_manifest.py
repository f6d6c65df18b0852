"""The release manifest: exactly the files that this release will upload."""

from collections.abc import Iterable

from tasker_release_pipeline.registries.compare import same_version
from tasker_release_pipeline.release.artifact import Artifact, BuildResult, ReleaseManifest, digest_of
from tasker_release_pipeline.release.catalogue import RELEASE_MANIFEST
from tasker_release_pipeline.release.checks import CheckResult, Report
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.steps.checking import run_checks
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.source import SourceTree


def list_files(
    run: ReleaseRun, plan: Plan, tree: SourceTree, builds: Iterable[BuildResult]
) -> tuple[ReleaseManifest, list[CheckResult]]:
    """List what was built; the check says whether that is all of the plan, at the plan's versions, from one commit."""
    problems: list[str] = []
    artifacts: list[Artifact] = []
    for result in builds:
        artifacts += result.artifacts
        if result.commit != tree.commit:
            names = ", ".join(artifact.file for artifact in result.artifacts) or "an empty build"
            problems.append(
                f"{names}: built from {result.commit[:12]}, the source is {tree.commit[:12]}; run that build again"
            )
    manifest = ReleaseManifest(
        release=run.release,
        plan=plan.digest,
        commit=tree.commit,
        artifacts=tuple(
            sorted(artifacts, key=lambda artifact: (run.manifest.keys.index(artifact.package), artifact.file))
        ),
    )
    for package in plan.packages:
        files = manifest.of_package(package.key)
        if package.publish and not files:
            problems.append(f"{package.key}: nothing was built for {package.version}; run its build again")
        problems += [
            f"{artifact.file}: says it is {artifact.version}, the plan has {package.version}; "
            f"a version carrier of {package.component} is missing in the manifest, or its build is older than the plan"
            for artifact in files
            if not same_version(package.registry, artifact.version, package.version)
        ]
    checks = run_checks(
        run,
        RELEASE_MANIFEST,
        digest_of(manifest.artifacts),
        {
            "complete_and_as_planned": lambda: Report.of(
                errors=problems,
                evidence={artifact.file: artifact.version for artifact in manifest.artifacts},
                seen="every package of the plan, at the plan's version",
            )
        },
    )
    return manifest, checks
