"""Runs of GitHub Actions: started by hand, found, and followed to their end."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tasker_release_pipeline.github.api import GitHub
from tasker_release_pipeline.release.errors import UnavailableError

_APPEARS_SECONDS = 60.0
"""How long a run that was started may take to be listed."""
_DONE = "completed"


@dataclass(frozen=True)
class WorkflowRun:
    """A run. `status`: `queued`, `waiting` (for a reviewer), `in_progress`, `completed`, ...; `conclusion`: then."""

    number: int
    page: str
    status: str
    conclusion: str

    @property
    def is_done(self) -> bool:
        """Whether it has ended."""
        return self.status == _DONE


def dispatch(api: GitHub, workflow: str, ref: str, inputs: Mapping[str, str], *, poll_seconds: float) -> int:
    """Start a workflow; the number of its run. Raises UnavailableError, RefusedError."""
    before = max(_dispatched(api, workflow), default=0)
    body = {"ref": ref, "inputs": dict(inputs), "return_run_details": True}
    said = api.send("POST", f"actions/workflows/{workflow}/dispatches", body)
    if said and said.get("workflow_run_id"):
        return int(said["workflow_run_id"])
    # Before 2026 GitHub, and its Enterprise servers still, said nothing: it is the first that is new.
    deadline = time.monotonic() + _APPEARS_SECONDS
    while not (new := [number for number in _dispatched(api, workflow) if number > before]):
        if time.monotonic() > deadline:
            raise UnavailableError(
                f"{workflow}: started, but GitHub lists no run of it; look at its page, then try again"
            )
        time.sleep(poll_seconds)
    return min(new)


def run_of(api: GitHub, number: int) -> WorkflowRun | None:
    """One run; None where there is none. Raises UnavailableError, RefusedError."""
    row = api.get(f"actions/runs/{number}")
    if row is None:
        return None
    return WorkflowRun(int(row["id"]), str(row["html_url"]), str(row["status"]), str(row["conclusion"] or ""))


def follow(
    api: GitHub, number: int, log: Callable[[str], None], *, poll_seconds: float, most_seconds: float
) -> WorkflowRun:
    """Wait for a run's end, and log each job as it starts and ends. Raises UnavailableError, RefusedError."""
    told: dict[str, str] = {}
    deadline = time.monotonic() + most_seconds
    while True:
        run = run_of(api, number)
        if run is None:
            raise UnavailableError(f"run {number} of {api.repository}: GitHub does not know it (any more); try again")
        # Behind the run's own state, so that what is told of an ended run is all of it.
        for job, state in _jobs(api, number):
            if told.get(job) != state:
                told[job] = state
                log(f"{job}: {state}")
        if run.is_done:
            log(f"run {number} ended: {run.conclusion}")
            return run
        if run.status == "waiting" and told.get("") != "waiting":
            told[""] = "waiting"
            log(f"waits for a reviewer's approval: {run.page}")
        if time.monotonic() > deadline:
            raise UnavailableError(
                f"run {number} is still {run.status} after {most_seconds / 3600:g} h: {run.page}; run this again to "
                "wait on"
            )
        time.sleep(poll_seconds)


def pushed(api: GitHub, workflow: str, tag: str) -> list[int]:
    """The runs of a workflow that the push of a tag started, the newest first."""
    return [int(row["id"]) for row in _runs(api, workflow, event="push", branch=tag)]


def _dispatched(api: GitHub, workflow: str) -> list[int]:
    answer: Any = api.get(f"actions/workflows/{workflow}/runs", event="workflow_dispatch", per_page="20") or {}
    return [int(row["id"]) for row in answer.get("workflow_runs", [])]


def _runs(api: GitHub, workflow: str, **query: str) -> Iterator[Any]:
    yield from api.pages(f"actions/workflows/{workflow}/runs", "workflow_runs", **query)


def _jobs(api: GitHub, number: int) -> Iterator[tuple[str, str]]:
    """The jobs that are not left out, each with its state in a word."""
    for row in api.pages(f"actions/runs/{number}/jobs", "jobs"):
        state = str(row["conclusion"] or row["status"])
        if state not in ("skipped", "queued", "pending"):
            yield str(row["name"]), state
