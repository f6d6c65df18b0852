"""Who is told how a release ended, and when: from within the run, since sensors do not see runs of the command line.

Nothing of it ever fails a run: what could not be told is a warning.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from logging import Logger

from tasker_release_pipeline.github.actions import annotate
from tasker_release_pipeline.registries.endpoints import is_loopback
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.notification import Notification, Result, slack_text
from tasker_release_pipeline.release.settings import Mode
from tasker_release_pipeline.steps.notify import WEBHOOK, notification, post
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.run_lock import last_run
from tasker_release_pipeline.toolchains.redaction import Redactor

SLACK_TOKEN = "TASKER_RELEASE_SLACK_TOKEN"  # noqa: S105  # a variable's name
SLACK_CHANNEL = "TASKER_RELEASE_SLACK_CHANNEL"
SLACK_API = "TASKER_RELEASE_SLACK_API"

WHOLE = ("release", "release_summary")
"""The jobs whose end is a release's end: all in one, and the last of the slices, which runs however they ended."""
_SLACK_SECONDS = 10


def tell_end(run: ReleaseRun, failures: Mapping[str, str], *, job: str, publishes: bool, log: Logger) -> None:
    """Tell how a release stands at the end of a run, where that is told at all.

    One message for each end of a release: of `release`, and of `release_summary` for all slices before it. Of single
    assets, which have no job of ours, where the run `publishes` (uploads or records): so a release is repaired.
    """
    if not _is_set(run.environment):
        return
    repairs = job.startswith("__") and publishes and run.mode is not Mode.DRY_RUN
    if job not in WHOLE and not repairs:
        return
    other = last_run(run.store, run.work)
    if other is not None and other.alive:
        return  # it refused this run, and its own end is told

    try:
        message = notification(run, failures, job=job, is_whole=job in WHOLE)
    except Exception as error:  # a store that can't be read, say
        log.warning(f"nobody was told how the release ended: {error}")
        return
    _tell(message, run.environment, log)


def tell_not_started(release: str, why: Exception, environment: Mapping[str, str], log: Logger) -> None:
    """Tell that a rehearsal could not even be started."""
    message = Notification(
        release=release,
        mode=Mode.REHEARSAL,
        result=Result.FAILURE,
        summary="not started (rehearsal)",
        problems=(str(why),),
        job="release",
        at=datetime.now(UTC),
    )
    if _is_set(environment):
        _tell(message, environment, log)


def _is_set(environment: Mapping[str, str]) -> bool:
    return any(environment.get(name, "").strip() for name in (WEBHOOK, SLACK_TOKEN))


def _tell(message: Notification, environment: Mapping[str, str], log: Logger) -> None:
    for channel in (post, _slack):
        try:
            channel(message, environment)
        except Exception as error:  # of whatever library
            redact = Redactor(environment.get(name, "").strip() for name in (WEBHOOK, SLACK_TOKEN))
            said = redact(f"not told how the release ended: {error}")
            log.warning(said)
            annotate(environment, "warning", said)


def _slack(message: Notification, environment: Mapping[str, str]) -> None:
    token, channel = (environment.get(name, "").strip() for name in (SLACK_TOKEN, SLACK_CHANNEL))
    if not token:
        return
    if not channel:
        raise InputError(f"{SLACK_TOKEN} is set, and {SLACK_CHANNEL} is not: name the channel that takes the messages")
    try:
        from dagster_slack import SlackResource  # noqa: PLC0415  # an extra
    except ImportError:
        raise InputError(
            f"{SLACK_TOKEN} is set, and dagster-slack is not installed: pip install 'tasker-release-pipeline[slack]'"
        ) from None
    client = SlackResource(token=token).get_client()
    client.timeout = _SLACK_SECONDS
    # The resource takes no address: Slack for governments has another one, and so has a test.
    if address := environment.get(SLACK_API, "").strip():
        client.base_url = address.rstrip("/") + "/"
        if is_loopback(address):
            client.proxy = None
    client.chat_postMessage(channel=channel, text=slack_text(message))
