"""The one way that anything is published: ask, compare, upload what is missing, ask again."""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from tasker_release_pipeline.registries.base import sha256
from tasker_release_pipeline.registries.compare import Comparison, Verdict, compare, conflict, digest
from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.registries.endpoints import TITLES
from tasker_release_pipeline.registries.model import Holdings, RegistryClient, Upload
from tasker_release_pipeline.release.artifact import Artifact
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import (
    InputError,
    NotVisibleError,
    ToolError,
    UnavailableError,
)

SETTLE_SECONDS = 5.0
"""How long a failed upload is looked for: an index may take a moment to serve what was accepted after all."""

_REFUSED_AS_DUPLICATE = {
    RegistryName.CRATES_IO: re.compile("is already uploaded|already exists on"),
    RegistryName.RUBYGEMS: re.compile("Repushing of gem versions is not allowed"),
    RegistryName.PYPI: re.compile("File already exists"),
    RegistryName.NPM: re.compile("cannot publish over"),
}
"""The registries' words for a version that they have, as their clients pass them on."""


class PublishStatus(StrEnum):
    """published: by this call. already_published: the same content was there before."""

    PUBLISHED = "published"
    ALREADY_PUBLISHED = "already_published"


@dataclass(frozen=True)
class PublishResult:
    """What `publish` did. `uploaded`: the files that were sent. `page`: the registry's page. Times in seconds."""

    status: PublishStatus
    page: str
    uploaded: tuple[str, ...] = ()
    seconds_upload: float = 0.0
    seconds_propagation: float = 0.0


def publish(
    client: RegistryClient,
    upload: Upload,
    artifacts: Sequence[Artifact],
    credentials: Credentials,
    *,
    propagation_seconds: float,
    settle_seconds: float = SETTLE_SECONDS,
) -> PublishResult:
    """Bring `artifacts`, whose bytes are `upload.files`, onto the registry, and see them served.

    The same content already there is success; missing files of a version are uploaded; so every call may be repeated.
    `settle_seconds`: how long a failed upload is looked for.
    Raises ConflictError (other content under this version), UnavailableError (could not ask: nothing is known),
    ToolError (the upload failed, and the registry does not have the files), NotVisibleError (accepted, but not served
    within `propagation_seconds`), InputError (files that are not the artifacts).
    """
    paths = _checked(upload, artifacts)
    page = client.page(upload.name, upload.version)
    before = _ask(client, upload, artifacts)
    if before.verdict is Verdict.SAME:
        upload.log(f"{upload.name} {upload.version}: already on {TITLES[client.registry]}, with the same content")
        return PublishResult(PublishStatus.ALREADY_PUBLISHED, page)
    # In the order given, and only what is not there.
    sent = replace(upload, files=tuple(path for name, path in paths.items() if name in before.missing))
    started = time.monotonic()
    try:
        with credentials.for_package(
            client.registry,
            upload.name,
            exists=lambda: bool(client.holdings(upload.name).versions),
            log=upload.log,
        ) as usable:
            client.upload(sent, usable)
    except ToolError as error:
        _arrived_all_the_same(client, upload, artifacts, error, settle_seconds)
    seconds_upload = time.monotonic() - started
    digests = {artifact.file: digest(artifact, client.registry) for artifact in artifacts}
    seconds = client.wait_until_visible(upload.name, upload.version, digests, propagation_seconds, upload.log)
    return PublishResult(PublishStatus.PUBLISHED, page, before.missing, seconds_upload, seconds)


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


def _ask(client: RegistryClient, upload: Upload, artifacts: Sequence[Artifact]) -> Comparison:
    """What the registry has of the version. Raises ConflictError for other content."""
    holdings = client.holdings(upload.name)
    found = compare(artifacts, holdings, upload.version, client.registry)
    if found.unknown:
        found = compare(artifacts, _with_digests(client, holdings, found), upload.version, client.registry)
    if found.verdict is Verdict.CONFLICT:
        lies = {path.name: str(path) for path in upload.files}
        raise conflict(client.registry, upload.name, upload.version, found.conflicts, lies)
    return found


def _with_digests(client: RegistryClient, holdings: Holdings, found: Comparison) -> Holdings:
    """The holdings, with the digests that the registry does not state taken from the files themselves."""
    kind = "integrity" if client.registry is RegistryName.NPM else "sha256"
    files = [f.model_copy(update={kind: client.digest(f)}) if f in found.unknown else f for f in holdings.files]
    return holdings.model_copy(update={"files": tuple(files)})


def _arrived_all_the_same(
    client: RegistryClient, upload: Upload, artifacts: Sequence[Artifact], error: ToolError, settle_seconds: float
) -> None:
    """Return where the registry has all files in spite of the client's failure, or says that it has the version.

    Otherwise that failure is raised.
    """
    title = TITLES[client.registry]
    upload.log(f"{upload.name} {upload.version}: the upload failed; asking {title} whether it arrived all the same")
    digests = {artifact.file: digest(artifact, client.registry) for artifact in artifacts}
    try:
        client.wait_until_visible(upload.name, upload.version, digests, settle_seconds, upload.log)
        return
    except NotVisibleError:
        pass
    try:
        after = _ask(client, upload, artifacts)
    except UnavailableError as unavailable:
        raise UnavailableError(
            f"{upload.name} {upload.version}: the upload failed, and whether it arrived is unknown, as {title} could "
            f"not be asked ({unavailable}); run again: it asks first. The upload's own words: {error}",
            retry_after=unavailable.retry_after,
        ) from error
    if after.verdict is Verdict.SAME:
        return
    if _REFUSED_AS_DUPLICATE[client.registry].search(str(error)):
        # The registry has the version, and its index hides it yet: what it is shows when the index comes round.
        upload.log(f"{upload.name} {upload.version}: {title} has it already; waiting for its index to say what it is")
        return
    has = "nothing of it" if after.verdict is Verdict.ABSENT else f"all but {', '.join(after.missing)}"
    raise ToolError(
        f"{upload.name} {upload.version}: the upload failed; {title} has {has}. When the cause is mended, run again: "
        f"what is there is not sent twice. {error}"
    ) from error
