"""The changes of a release as Markdown, by git-cliff."""

from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path

from tasker_release_pipeline.toolchains.runner import run
from tasker_release_pipeline.toolchains.tools import search_path

SECONDS = 60.0


def changelog(
    source: Path, base: str | None, commit: str, *, scratch: Path, log: Callable[[str], None], logfile: Path
) -> str:
    """The commits from `base` (None: the first one of all) to `commit`, grouped; empty where there are none.

    `scratch`: a folder to write in. Raises ToolError.
    """
    written = scratch / "changes.md"
    with as_file(files("tasker_release_pipeline.github") / "cliff.toml") as config:
        run(
            [
                *("git-cliff", "--config", str(config), "--repository", str(source), "--output", str(written)),
                *("--strip", "all", "--offline", "--", f"{base}..{commit}" if base else commit),
            ],
            cwd=scratch,
            seconds=SECONDS,
            log=log,
            logfile=logfile,
            env={"PATH": search_path()},
        )
    return written.read_text(encoding="utf-8").strip()
