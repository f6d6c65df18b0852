"""What the registries' own clients need in their environment beside what every tool gets."""

import os
from pathlib import Path

from tasker_release_pipeline.registries.endpoints import is_live, is_loopback
from tasker_release_pipeline.release.endpoints import Endpoints
from tasker_release_pipeline.toolchains.tools import search_path

ID_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"  # noqa: S105 - a variable's name


def client_env(url: str, home: Path) -> dict[str, str]:
    """Where the clients are found, a home without anyone's logins, and that no proxy is asked for loopback's `url`."""
    env = {"PATH": search_path(), "HOME": str(home)}
    if not is_loopback(url):
        return env
    before = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    exempt = ",".join([*([before] if before else []), "127.0.0.1", "localhost"])
    return {**env, "no_proxy": exempt, "NO_PROXY": exempt}


def github_env(endpoints: Endpoints) -> dict[str, str]:
    """What a client identifies a GitHub job with: trusted publishing, npm's provenance. Nothing anywhere else.

    `ACTIONS_ID_TOKEN_REQUEST_TOKEN` is among it, a secret to redact (`ID_TOKEN`); `GITHUB_TOKEN` is not.
    """
    if not in_live_github_job(endpoints):
        return {}
    prefixes = ("GITHUB_", "RUNNER_", "ACTIONS_ID_TOKEN_")
    passed = {name: value for name, value in os.environ.items() if name.startswith(prefixes) and name != "GITHUB_TOKEN"}
    return {"CI": "true", **passed}


def in_live_github_job(endpoints: Endpoints) -> bool:
    """Whether this is a GitHub Actions job that publishes for ever."""
    return is_live(endpoints) and os.environ.get("GITHUB_ACTIONS") == "true"
