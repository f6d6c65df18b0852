"""Uploading the stored files of one package, to staging or to the target: the same code, the same arguments."""

from contextlib import ExitStack
from pathlib import Path

from tasker_release_pipeline.registries.client import client
from tasker_release_pipeline.registries.model import Upload
from tasker_release_pipeline.registries.publish import PublishResult, publish
from tasker_release_pipeline.registries.question import Question
from tasker_release_pipeline.release.artifact import Artifact
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName
from tasker_release_pipeline.release.outcome import OutcomeKind
from tasker_release_pipeline.release.plan import PackagePlan, Plan
from tasker_release_pipeline.steps.registry_sets import RegistrySet
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.source import SourceTree, worktree


def upload_package(
    run: ReleaseRun,
    package: PackagePlan,
    artifacts: tuple[Artifact, ...],
    registries: RegistrySet,
    *,
    plan: Plan,
    tree: SourceTree,
    scratch: Path,
    log: str,
) -> PublishResult:
    """Bring the artifacts of `package` onto `registries`, and see them served. For errors see `publish`.

    `scratch`: a folder of this step's own, for the files and the client's settings. `log`: the name of the log file.
    """
    row = run.manifest.package(package.key)
    limits = run.manifest.registries[package.registry]
    is_crate = package.registry is RegistryName.CRATES_IO
    with ExitStack() as stack:
        # cargo publishes from source: it packages once more, and the client compares the bytes before it uploads.
        source = stack.enter_context(worktree(run, plan, tree)) if is_crate else None
        upload = Upload(
            name=package.name,
            version=package.version,
            files=tuple(run.store.get_artifact(artifact, scratch / "files") for artifact in artifacts),
            scratch=scratch / "client",
            seconds=limits.upload_seconds,
            log=run.log,
            logfile=run.logfile(log),
            dist_tag=package.dist_tag or "",
            access=row.access,
            source=source,
            target_dir=scratch / "target" if is_crate else None,
        )
        upload.scratch.mkdir(parents=True, exist_ok=True)
        return publish(
            client(package.registry, registries.endpoints),
            upload,
            artifacts,
            registries.credentials,
            propagation_seconds=limits.propagation_seconds,
            same_commit_counts=_never_sent(run, package),
        )


def asked(run: ReleaseRun, package: PackagePlan, artifacts: tuple[Artifact, ...], endpoints: Endpoints) -> Question:
    """What `endpoints` have of the package, as its upload will ask."""
    return Question(
        client(package.registry, endpoints),
        package.name,
        package.version,
        artifacts,
        ours=lambda artifact: run.store.get_artifact(artifact, run.work / "asked").read_bytes(),
        place=lambda artifact: str(run.store.folder / "artifacts" / artifact.file),
        same_commit_counts=_never_sent(run, package),
    )


def _never_sent(run: ReleaseRun, package: PackagePlan) -> bool:
    """Whether the store knows of no upload of this release's own files that arrived, or may have.

    Then other bytes on the registry can be another runner's of the same release: the commit that they name counts.
    """
    arrived = (OutcomeKind.PUBLISHED, OutcomeKind.UPLOADED_NOT_VISIBLE, OutcomeKind.UNKNOWN)
    now = (run.run, run.attempt)  # written when this upload began
    return not any(o.kind in arrived and (o.run, o.attempt) != now for o in run.store.outcomes(package.key))
