"""Telling how a release ended: what is told, and to a webhook. Slack is told by the graph, which has its client."""

import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from tasker_release_pipeline.github.actions import in_actions
from tasker_release_pipeline.registries.secret_requests import send
from tasker_release_pipeline.release.errors import InputError, UnavailableError
from tasker_release_pipeline.release.notification import Notification, Result, is_complete, problems, told
from tasker_release_pipeline.release.record import GITHUB_RELEASE, Record
from tasker_release_pipeline.release.settings import Mode
from tasker_release_pipeline.release.summary import headline
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.summary import standing
from tasker_release_pipeline.toolchains.redaction import Redactor

WEBHOOK = "TASKER_RELEASE_WEBHOOK_URL"
UI = "TASKER_RELEASE_UI_URL"
ATTEMPTS = 2
PAUSE_SECONDS = 1.0


def notification(run: ReleaseRun, failures: Mapping[str, str], *, job: str, is_whole: bool) -> Notification:
    """How a release stands after this run.

    `failures`: by step, what stopped it. `is_whole`: the run is a release's end, so that all of it has to be done;
    else it went well where nothing of its own failed. Raises InputError where the store can't be read.
    """
    stands = standing(run)
    done = is_complete(run.mode, stands.plan, stands.gate, stands.outcomes, stands.records)
    went_well = not failures and (done or not is_whole)
    return Notification(
        release=run.release,
        mode=run.mode,
        result=Result.SUCCESS if went_well else Result.FAILURE,
        summary=headline(run.mode, stands.plan, stands.gate, stands.outcomes, failures),
        packages=told(stands.plan, stands.outcomes),
        problems=() if went_well else problems(stands.gate, stands.outcomes, stands.records, failures),
        link=_link(run, {record.subject: record for record in stands.records}.get(GITHUB_RELEASE)),
        run=run.run,
        job=job,
        at=datetime.now(UTC),
    )


def post(message: Notification, environment: Mapping[str, str]) -> None:
    """Send it to the webhook that TASKER_RELEASE_WEBHOOK_URL names, if it names one; twice at most.

    The address is a secret, and in no error. Raises InputError, UnavailableError.
    """
    url = environment.get(WEBHOOK, "").strip()
    if not url:
        return
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InputError(f"{WEBHOOK}: is no address that starts with https://; correct it")
    # Of requests with 2xx answers httpx logs the whole address.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    redact = Redactor([url, parts.path.strip("/"), parts.query, parts.username or "", parts.password or ""])
    for attempt in range(1, ATTEMPTS + 1):
        try:
            response = send("POST", url, secret=url, json=message.model_dump(mode="json"))
        except UnavailableError as error:
            if attempt == ATTEMPTS:
                raise UnavailableError(f"{WEBHOOK}: {redact(str(error))}") from None
            time.sleep(PAUSE_SECONDS)
            continue
        if response.is_error:
            raise InputError(f"{WEBHOOK}: {parts.hostname} answered HTTP {response.status_code}; correct the address")
        return


def _link(run: ReleaseRun, release: Record | None) -> str:
    """Where to read on: the job in GitHub, the run in the web UI, or else the GitHub Release."""
    known = run.environment
    if in_actions(known):
        names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")
        server, repository, number = (known.get(name, "") for name in names)
        return f"{server}/{repository}/actions/runs/{number}"
    if address := known.get(UI, "").strip():
        return f"{address.rstrip('/')}/runs/{run.run}"
    # A rehearsal's is gone by the time that anyone follows it.
    return release.url if release is not None and run.mode is Mode.LIVE else ""
