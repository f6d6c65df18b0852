"""The build steps: one for each registry, which makes the files of that registry's packages."""

import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from tasker_release_pipeline.release.artifact import Artifact, BuildResult
from tasker_release_pipeline.release.catalogue import BUILD_ASSETS
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError, ToolError
from tasker_release_pipeline.release.manifest import Build
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.steps.compiled import compiled
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.source import SourceTree, worktree
from tasker_release_pipeline.store import ReleaseStore
from tasker_release_pipeline.toolchains.build import build


def stored_build(store: ReleaseStore, registry: RegistryName) -> BuildResult:
    """What was built for a registry. Where the release has no package of it, its build need not have run.

    Raises InputError where a build is missing.
    """
    path, way_out = f"builds/{BUILD_ASSETS[registry]}.json", f"run the job that has {BUILD_ASSETS[registry]} first"
    built = store.read(path, BuildResult)
    if built is None and not store.demand("plan.json", Plan, way_out).of_registry(registry):
        return BuildResult(commit=store.demand("source.json", SourceTree, way_out).commit)
    return built or store.demand(path, BuildResult, way_out)


def build_packages(run: ReleaseRun, plan: Plan, tree: SourceTree, registry: RegistryName) -> BuildResult:
    """Build what the plan publishes to `registry`, and keep it in the store.

    A build that fails is a problem of its result: the others go on, and the gate hears of all that is wrong.
    """
    if not plan.of_registry(registry):
        run.log(f"{registry}: nothing to build, no package of it is part of this release")
        return BuildResult(commit=tree.commit)
    step = BUILD_ASSETS[registry]
    out = run.scratch(f"out/{step}")
    started = time.monotonic()
    try:
        artifacts = _build(run, plan, tree, registry, recipe=run.manifest.registries[registry].build, out=out, log=step)
    except (ToolError, InputError) as error:
        return BuildResult(commit=tree.commit, seconds=time.monotonic() - started, problem=str(error))
    finally:
        run.keep_log(step)
    for artifact in artifacts:
        run.store.put_artifact(out / artifact.file)
    return BuildResult(commit=tree.commit, artifacts=artifacts, seconds=time.monotonic() - started)


def built_file(run: ReleaseRun, registry: RegistryName, artifact: Artifact) -> Path:
    """Where the step that built an artifact still has it."""
    return run.work / "out" / BUILD_ASSETS[registry] / artifact.file


def build_again(run: ReleaseRun, plan: Plan, tree: SourceTree, registry: RegistryName) -> list[Path]:
    """Make the files once more, by the manifest's `again` commands, of what the first build left in the tree.

    Raises ToolError or InputError as `build` does.
    """
    step = BUILD_ASSETS[registry]
    recipe = run.manifest.registries[registry].build
    out = run.scratch(f"again/{step}")
    again = recipe.model_copy(update={"commands": recipe.again})
    artifacts = _build(run, plan, tree, registry, recipe=again, out=out, log=f"{step}_checks")
    return [out / artifact.file for artifact in artifacts]


def _build(
    run: ReleaseRun, plan: Plan, tree: SourceTree, registry: RegistryName, *, recipe: Build, out: Path, log: str
) -> tuple[Artifact, ...]:
    with worktree(run, plan, tree) as source, _target(run, source, registry) as target:
        return build(
            registry,
            [run.manifest.package(package.key) for package in plan.of_registry(registry)],
            recipe,
            source=source,
            out=out,
            target=target,
            epoch=tree.epoch,
            log=run.log,
            logfile=run.logfile(log),
        )


def _target(run: ReleaseRun, source: Path, registry: RegistryName) -> AbstractContextManager[Path]:
    if registry is RegistryName.CRATES_IO:  # cargo keeps the archives there, and unpacks them to compile them
        return nullcontext(run.work / "target")
    return compiled(run, source, is_uploaded=True)
