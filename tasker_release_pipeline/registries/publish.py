"""The one way that anything is published: ask, compare, upload what is missing, ask again."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tasker_release_pipeline.registries.base import sha256
from tasker_release_pipeline.registries.compare import Verdict
from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.registries.endpoints import TITLES
from tasker_release_pipeline.registries.model import RegistryClient, Upload
from tasker_release_pipeline.registries.propagation import wait_until_visible
from tasker_release_pipeline.registries.question import Question, Sameness
from tasker_release_pipeline.registries.sending import PATIENCE, Patience, Sending
from tasker_release_pipeline.release.artifact import Artifact
from tasker_release_pipeline.release.errors import InputError, NotVisibleError, UntoldError


class PublishStatus(StrEnum):
    """published: by this call. already_published: the same content was there before."""

    PUBLISHED = "published"
    ALREADY_PUBLISHED = "already_published"


@dataclass(frozen=True)
class PublishResult:
    """What `publish` did. `uploaded`: the files that were sent. `page`: the registry's page. Times in seconds.

    `same`: by which rule each file that is there now has the same content.
    """

    status: PublishStatus
    page: str
    uploaded: tuple[str, ...] = ()
    seconds_upload: float = 0.0
    seconds_propagation: float = 0.0
    same: Mapping[str, Sameness] = field(default_factory=dict)


def publish(
    client: RegistryClient,
    upload: Upload,
    artifacts: Sequence[Artifact],
    credentials: Credentials,
    *,
    propagation_seconds: float,
    patience: Patience = PATIENCE,
    same_commit_counts: bool = False,
) -> PublishResult:
    """Bring `artifacts`, whose bytes are `upload.files`, onto the registry, and see them served.

    The same content already there is success; missing files of a version are uploaded; so every call may be repeated.
    `same_commit_counts`: see `Question`.
    Raises ConflictError (other content under this version), UnavailableError (could not ask, or an upload failed and
    may have arrived all the same), ToolError (the upload was refused, and the registry lacks files), TransientError,
    one of its kind (it failed for the moment), NotVisibleError (accepted, but not served within `propagation_seconds`),
    UntoldError (so it is of a file before others were sent), InputError (files that are not the artifacts).
    """
    paths = _checked(upload, artifacts)
    question = Question(
        client,
        upload.name,
        upload.version,
        tuple(artifacts),
        ours=lambda artifact: paths[artifact.file].read_bytes(),
        place=lambda artifact: str(paths[artifact.file]),
        same_commit_counts=same_commit_counts,
    )
    page = client.page(upload.name, upload.version)
    before = question.answer()
    if before.same:
        there = "already" if before.verdict is Verdict.SAME else f"{', '.join(before.same)} already"
        upload.log(f"{upload.name} {upload.version}: {there} on {TITLES[client.registry]}, with {before.how}")
    if before.verdict is Verdict.SAME:
        return PublishResult(PublishStatus.ALREADY_PUBLISHED, page, same=before.same)
    started = time.monotonic()
    uploaded: list[str] = []
    with credentials.for_package(
        client.registry, upload.name, exists=lambda: bool(client.holdings(upload.name).versions), log=upload.log
    ) as usable:
        sending = Sending(question, upload, usable, patience, propagation_seconds)
        # In the order given, each alone, so that a failure is of one file; and only what is not there.
        missing = [path for name, path in paths.items() if name in before.comparison.missing]
        for number, path in enumerate(missing, 1):
            if path.name in sending.there:
                upload.log(f"{upload.name} {upload.version}: {path.name} has come meanwhile")
                continue
            uploaded.append(path.name)
            try:
                sending.send(path)
            except NotVisibleError as hidden:
                rest = [other.name for other in missing[number:] if other.name not in sending.there]
                if rest:  # it is not uploaded as a whole
                    raise UntoldError(f"{hidden}; not sent before that is known: {', '.join(rest)}") from hidden
                raise
    seconds_upload = time.monotonic() - started
    seen = wait_until_visible(question, list(paths), propagation_seconds, upload.log)
    same = seen.answer.same if seen.answer else {}
    return PublishResult(PublishStatus.PUBLISHED, page, tuple(uploaded), seconds_upload, seen.seconds, same=same)


def _checked(upload: Upload, artifacts: Sequence[Artifact]) -> dict[str, Path]:
    """The files by name. Raises InputError where they are not, byte for byte, the artifacts."""
    paths = {path.name: path for path in upload.files}
    named = {artifact.file: artifact for artifact in artifacts}
    if not artifacts or set(paths) != set(named):
        raise InputError(f"{upload.name} {upload.version}: asked to upload {sorted(paths)}, but built {sorted(named)}")
    for file, path in paths.items():
        try:
            found = sha256(path.read_bytes())
        except FileNotFoundError:
            raise InputError(f"{path}: the artifact is missing in the store; build it again") from None
        if found != named[file].sha256:
            raise InputError(
                f"{path}: has SHA-256 {found}, but {named[file].sha256} went through the gate; the file was changed "
                "since; restore it, or build and prove the release again"
            )
    return paths
