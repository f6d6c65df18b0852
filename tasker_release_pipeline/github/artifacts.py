"""Artifacts of a run of GitHub Actions: what its jobs handed on."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tasker_release_pipeline.github.api import GitHub
from tasker_release_pipeline.release.errors import InputError, UnavailableError


@dataclass(frozen=True)
class RunArtifact:
    """A zip that a job of `run` uploaded. `digest`: `sha256:...`, empty where GitHub has none."""

    number: int
    run: int
    name: str
    digest: str


def artifacts_of(api: GitHub, run: int, pattern: str = "*") -> list[RunArtifact]:
    """The artifacts of a run whose names match, the oldest first. Raises InputError, UnavailableError, RefusedError."""
    if api.get(f"actions/runs/{run}") is None:
        raise InputError(f"run {run}: {api.repository} has no such run of Actions, or the token may not see it")
    rows = [row for row in api.pages(f"actions/runs/{run}/artifacts", "artifacts") if fnmatchcase(row["name"], pattern)]
    if expired := sorted(row["name"] for row in rows if row["expired"]):
        raise InputError(
            f"run {run} of {api.repository}: GitHub has deleted {', '.join(expired)} by now, as it does after a while; "
            "run the workflow again for this release"
        )
    # GitHub counts upwards.
    return [
        RunArtifact(row["id"], run, row["name"], row.get("digest") or "")
        for row in sorted(rows, key=lambda row: int(row["id"]))
    ]


def downloaded(api: GitHub, artifacts: list[RunArtifact]) -> Iterator[tuple[RunArtifact, bytes]]:
    """Each with its zip. Raises UnavailableError, RefusedError."""
    for artifact in artifacts:
        # A redirect leads to a storage on another host, which the token is not sent to.
        content = api.download(f"actions/artifacts/{artifact.number}/zip")
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if artifact.digest not in ("", digest):
            raise UnavailableError(
                f"{artifact.name} of run {artifact.run}: came with {digest}, GitHub says {artifact.digest}; try again"
            )
        yield artifact, content
