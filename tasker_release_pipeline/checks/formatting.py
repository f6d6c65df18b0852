"""Whether the Rust code is formatted as rustfmt would."""

from pathlib import Path

from tasker_release_pipeline.release.checks import Report
from tasker_release_pipeline.release.errors import ToolError
from tasker_release_pipeline.toolchains.runner import run
from tasker_release_pipeline.toolchains.tools import search_path

_COMMAND = ["cargo", "fmt", "--all", "--", "--check", "-l"]
_SECONDS = 120
_SHOWN = 10


def formatted(source: Path, *, logfile: Path) -> Report:
    """`cargo fmt --all -- --check` has nothing to change; else the files that it would change are named.

    Raises ToolError where cargo or rustfmt is missing, or can't read the sources.
    """
    said: list[str] = []
    try:
        run(_COMMAND, cwd=source, seconds=_SECONDS, log=said.append, env={"PATH": search_path()}, logfile=logfile)
    except ToolError:
        files = [line.removeprefix(f"{source.resolve()}/") for line in said if line.startswith("/")]
        if not files:
            raise
        more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
        message = f"{', '.join(files[:_SHOWN])}{more}: not formatted; run `cargo fmt --all`, and commit"
        return Report.of(errors=[message], evidence={"files": "\n".join(files)})
    return Report(seen="cargo fmt has nothing to change")
