"""Where a release that is meant for the public registries is published from: this machine, or GitHub's workflow."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.settings import LATCH, Mode, Settings, resolve

PUBLISH_FROM = "TASKER_RELEASE_PUBLISH_FROM"


class PublishFrom(StrEnum):
    """Whose credentials are used."""

    GITHUB = "github"
    HERE = "here"


def publish_from(
    config: Mapping[str, Any], environment: Mapping[str, str], remembered: Settings | None, named: str | None = None
) -> PublishFrom:
    """Who uploads the packages of a release that the gate let through.

    Without a word (`named`, or TASKER_RELEASE_PUBLISH_FROM) the latch says it: open, this machine; closed, GitHub. A
    rehearsal, a dry run and a job of GitHub Actions are `here`, whatever is said. Raises InputError for `here` with a
    closed latch, and for any other word.
    """
    word = named or environment.get(PUBLISH_FROM) or ""
    if word not in ("", *PublishFrom):
        raise InputError(f"publish_from: {word!r} is none of {', '.join(PublishFrom)}")
    # What would be, were the latch open.
    meant = resolve(config, {**environment, LATCH: "false"}, remembered).mode
    if meant is not Mode.LIVE or environment.get("GITHUB_ACTIONS") == "true":
        return PublishFrom.HERE
    is_open = resolve(config, environment, remembered).mode is Mode.LIVE
    if word == PublishFrom.HERE and not is_open:
        raise InputError(
            f"publish_from: here, but the latch is closed: set {LATCH}=false in the environment of the code server "
            f"(and the registry's token), or {PUBLISH_FROM}=github, which starts the release workflow"
        )
    if word:
        return PublishFrom(word)
    return PublishFrom.HERE if is_open else PublishFrom.GITHUB


def exposed(environment: Mapping[str, str]) -> str | None:
    """A warning where this machine publishes for whoever reaches its web server; None where it does not.

    The server's address is known where it is set by DAGSTER_WEBSERVER_HOST, as services do.
    """
    host = environment.get("DAGSTER_WEBSERVER_HOST") or "127.0.0.1"
    if host in ("localhost", "::1") or host.startswith("127."):
        return None
    live = {"dry_run": False, "registries": "live"}
    try:
        is_here = publish_from(live, environment, None) is PublishFrom.HERE
    except InputError:  # each run will say it
        return None
    if not is_here or environment.get("GITHUB_ACTIONS") == "true":
        return None
    return (
        f"the web server listens on {host}, asks nobody who they are, and the latch is open: whoever reaches it "
        f"publishes with this machine's credentials; listen on 127.0.0.1, or close the latch ({LATCH}=true)"
    )
