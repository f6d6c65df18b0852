"""Takes what the jobs of a GitHub Actions run handed on into the release store."""

import io
import zipfile
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from pydantic import BaseModel, ConfigDict

from tasker_release_pipeline.github.api import GitHub
from tasker_release_pipeline.github.artifacts import RunArtifact, artifacts_of, downloaded
from tasker_release_pipeline.registries.endpoints import GITHUB_API
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.git import Checkout
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.steps.github_target import repository, token
from tasker_release_pipeline.store import ReleaseStore

STORES = "store-*"
"""How .github/actions/hand-on names the artifacts."""


class Fetched(BaseModel):
    """An artifact that was taken in, kept under `fetched/`: what came later is not overwritten by it again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: int
    name: str
    digest: str


def fetch_run(
    store: ReleaseStore,
    run: int,
    *,
    environment: Mapping[str, str],
    checkout: Callable[[], Checkout],
    log: Callable[[str], None],
) -> None:
    """Take the store's artifacts of a run of Actions into `store`, as the jobs behind one another do. Each once.

    `checkout` tells the repository where GITHUB_REPOSITORY does not. Raises InputError (the run is not there, or is of
    another release; the store has a release of that name that goes on from another plan), UnavailableError,
    RefusedError.
    """
    url = environment.get("GITHUB_API_URL") or GITHUB_API
    with GitHub.at(url, repository(environment, checkout), token(environment)) as api:
        found = artifacts_of(api, run, STORES)
        if not found:
            raise InputError(f"run {run} of {api.repository}: has no artifacts {STORES}; name the release's own run")
        fresh = [artifact for artifact in found if store.read(_note(artifact), Fetched) is None]
        files: dict[str, bytes] = {}
        for artifact, content in downloaded(api, fresh):
            log(f"{artifact.name}: {len(content):,} bytes")
            files |= _unpacked(artifact, content, store.release)
    _check_plan(store, run, files)
    for path, content in files.items():
        store.write_bytes(path, content)
    for artifact in fresh:
        store.write(_note(artifact), Fetched(run=run, name=artifact.name, digest=artifact.digest))


def _note(artifact: RunArtifact) -> str:
    return f"fetched/{artifact.number}.json"


def _unpacked(artifact: RunArtifact, content: bytes, release: str) -> dict[str, bytes]:
    """The release's files, by their path in its folder. Raises InputError for any other."""
    files = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.infolist():
                path = PurePosixPath(entry.filename)
                if entry.is_dir():
                    continue
                if path.parts[0] != release or any(part.startswith(".") for part in path.parts):
                    raise InputError(
                        f"{artifact.name} of run {artifact.run}: holds {entry.filename}, which is no file of "
                        f"{release}; name the run of this release"
                    )
                files[str(path.relative_to(release))] = archive.read(entry)
    except zipfile.BadZipFile as error:
        raise InputError(f"{artifact.name} of run {artifact.run}: is no zip ({error}); try again") from None
    return files


def _check_plan(store: ReleaseStore, run: int, files: Mapping[str, bytes]) -> None:
    """An upload binds a release to its plan: one that was begun here is not continued by another plan's files."""
    if "plan.json" not in files or (ours := store.read("plan.json", Plan)) is None:
        return
    theirs = Plan.model_validate_json(files["plan.json"])
    begun = [p.key for p in ours.packages if any(outcome.kind.attempted for outcome in store.outcomes(p.key))]
    if begun and theirs.digest != ours.digest:
        raise InputError(
            f"{store.folder}: uploads of {', '.join(begun)} were begun by plan {ours.digest[:12]}, run {run} has plan "
            f"{theirs.digest[:12]}; import it into another store (--store), or the run that this release came from"
        )
