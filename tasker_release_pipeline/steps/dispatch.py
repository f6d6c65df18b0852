"""Publishing where the credentials are: the release workflow on GitHub uploads, this machine starts and follows it."""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict

from tasker_release_pipeline.github.api import GitHub
from tasker_release_pipeline.github.artifacts import artifacts_of
from tasker_release_pipeline.github.workflows import dispatch, follow, pushed, run_of
from tasker_release_pipeline.registries.endpoints import GITHUB_API
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError, ReleaseError
from tasker_release_pipeline.release.gate import Gate, Verdict
from tasker_release_pipeline.release.outcome import Outcome
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.release.publish_from import PublishFrom, publish_from
from tasker_release_pipeline.release.settings import Mode, Settings
from tasker_release_pipeline.steps.fetch_run import STORES, Fetched, fetch_run
from tasker_release_pipeline.steps.github_target import repository, token
from tasker_release_pipeline.steps.publish import publish_package
from tasker_release_pipeline.steps.run import ReleaseRun

WORKFLOW = "release.yml"
_GATE_FILES = "store-gate"
POLL_SECONDS = 10.0
MOST_SECONDS = 6 * 3600.0
"""How long a run is followed: a reviewer may take an afternoon."""


class Dispatched(BaseModel):
    """A run of the workflow that was started for a registry, kept as `dispatched/<registry>.json`.

    `run`: the run of ours that last followed it: its other packages of that registry have what they wanted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    run: str


def is_githubs(run: ReleaseRun, config: Mapping[str, Any], named: str | None) -> bool:
    """Whether GitHub's workflow has to upload what this step is to publish: it is live, and the gate said go.

    `config`, `named`: what the run's config says, and says of `publish_from`. Raises InputError.
    """
    gate = run.store.read("gate.json", Gate)
    if gate is None or gate.mode is not Mode.LIVE or gate.verdict is not Verdict.GO:
        return False
    remembered = run.store.read("settings.json", Settings)
    return publish_from(config, run.environment, remembered, named) is PublishFrom.GITHUB


def publish_on_github(run: ReleaseRun, key: str) -> Outcome:
    """Let the release workflow publish the registry of one package, follow it, and end as it ended.

    Its outcomes are taken into the store. Started once for all packages of a registry, and not again while it runs.
    Raises ReleaseError: the workflow's own, in its words, or what kept it from being started.
    """
    live = replace(run, settings=run.settings.model_copy(update={"dry_run": False}))
    plan = run.store.demand(
        "plan.json", Plan, f"bring it here first: tasker-release import {run.release} --from-run ID"
    )
    package = plan.package(key)
    if not package.publish and (unchanged := publish_package(live, key)) is not None:
        return unchanged
    if token(run.environment) is None:
        raise InputError(
            f"{key}: is published by GitHub's {WORKFLOW}, which this machine may not start; set GITHUB_TOKEN, with "
            "`actions: write`, in the environment of the code server"
        )
    before = run.store.outcomes(key)
    url = run.environment.get("GITHUB_API_URL") or GITHUB_API
    with GitHub.at(url, repository(run.environment, lambda: run.checkout), token(run.environment)) as api:
        with _alone(run, package.registry):
            noted = run.store.read(_note(package.registry), Dispatched)
            number = _started(run, api, package.registry, noted)
        # What another package of the registry had started in this run is for this one, too.
        is_shared = noted is not None and noted.run == run.run
        ended = follow(api, number, run.log, poll_seconds=POLL_SECONDS, most_seconds=MOST_SECONDS)
        has_files = bool(artifacts_of(api, number, STORES))
    if has_files:
        fetch_run(run.store, number, environment=run.environment, checkout=lambda: run.checkout, log=run.log)
    outcome, said = run.store.outcome(key), f"{WORKFLOW} ended with {ended.conclusion}: {ended.page}"
    if outcome is None or (outcome in before and not is_shared):
        raise ReleaseError(f"{key}: was not attempted; {said}")
    if not outcome.kind.good:
        raise ReleaseError(f"{key}: {outcome.kind}; {said}: {outcome.detail}")
    return outcome


def _started(run: ReleaseRun, api: GitHub, registry: RegistryName, noted: Dispatched | None) -> int:
    """The workflow's run for this registry: one that is on its way, or was followed by this run, or a new one."""
    known = run_of(api, noted.number) if noted is not None else None
    if noted is not None and known is not None and (noted.run == run.run or not known.is_done):
        run.store.write(_note(registry), Dispatched(number=known.number, run=run.run))
        run.log(f"joins run {known.number} of {WORKFLOW}: {known.page}")
        return known.number
    inputs = {
        "release": run.release,
        "only": registry.value,
        "source_run_id": str(_source_run(run, api)),
        "dry_run": "false",
    }
    # As by hand: the default branch's workflow, which checks the release's own commit out.
    ref = str((api.get("") or {}).get("default_branch", "main"))
    number = dispatch(api, WORKFLOW, ref, inputs, poll_seconds=POLL_SECONDS)
    # At once: whoever comes back after this process was killed waits for it, and starts no second one.
    run.store.write(_note(registry), Dispatched(number=number, run=run.run))
    started = run_of(api, number)
    run.log(f"started {WORKFLOW} for {run.release}, {registry}: {started.page if started else number}")
    return number


def _source_run(run: ReleaseRun, api: GitHub) -> int:
    """The run of the workflow whose files the gate let through. Raises InputError."""
    notes = [run.store.read(f"fetched/{path.name}", Fetched) for path in run.store.listed("fetched")]
    if built := [note.run for note in notes if note is not None and note.name == _GATE_FILES]:
        return max(built)
    for number in pushed(api, WORKFLOW, run.release):
        if artifacts_of(api, number, _GATE_FILES):
            return number
    raise InputError(
        f"{run.release}: no run of {WORKFLOW} in {api.repository} is known to have proven its files; name it: "
        f"tasker-release import {run.release} --from-run ID, or publish from here (publish_from: here, an open latch)"
    )


@contextmanager
def _alone(run: ReleaseRun, registry: RegistryName) -> Iterator[None]:
    """Packages of one registry, whose steps run beside each other, start its workflow one after another: it is one."""
    run.work.mkdir(parents=True, exist_ok=True)
    with (run.work / f"dispatch-{registry}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _note(registry: RegistryName) -> str:
    return f"dispatched/{registry}.json"
