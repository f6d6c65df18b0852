"""clippy over the whole workspace: default members and features alone are far less than it seems."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from tasker_release_pipeline.checks.findings import error
from tasker_release_pipeline.release.errors import ToolError
from tasker_release_pipeline.release.plan import Finding
from tasker_release_pipeline.toolchains.runner import run
from tasker_release_pipeline.toolchains.tools import search_path

COMMAND = (
    *("cargo", "clippy", "--workspace", "--all-targets", "--all-features", "--locked", "--keep-going"),
    # In the profile that the bindings are built in: third parties' macros and build scripts are compiled once for both.
    # All else is as clippy usually does it: what is there for assertions alone is looked at, and nothing optimised.
    *("--release", "--config", "profile.release.debug-assertions=true", "--config", "profile.release.opt-level=0"),
    *("--config", "profile.release.build-override.debug-assertions=false"),
)
DENY = ("--", "-D", "warnings")


def clippy(
    source: Path,
    *,
    target: Path,
    env: Mapping[str, str],
    seconds: float,
    log: Callable[[str], None],
    logfile: Path,
) -> list[Finding]:
    """What clippy denies in `source`, a finding for each place. `target`: cargo's folder.

    `env`: the crates' build environment. Raises ToolError where it can't run, or fails for anything but the code.
    """
    command = [*COMMAND, "--message-format", "short", *DENY]
    folders = {"CARGO_TARGET_DIR": str(target), "CARGO_BUILD_BUILD_DIR": str(target)}
    settings = {"PATH": search_path(), **folders, "CARGO_INCREMENTAL": "0", **env}
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)
        log(line)

    try:
        run(command, cwd=source, seconds=seconds, log=hear, env=settings, logfile=logfile)
    except ToolError:
        # FILE:LINE:COLUMN: error...: MESSAGE; a target that is compiled twice (as library and test) says it twice.
        places = [line for line in dict.fromkeys(lines) if re.match(r"\S+:\d+:\d+: error", line)]
        if not places:
            raise
        return [error(f"clippy: {place}; correct it, or allow the lint there with its reason") for place in places]
    return []
