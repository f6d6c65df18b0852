"""What a job of GitHub Actions reads and shows. Nothing here does anything anywhere else.

Each function takes the environment, in which GITHUB_ACTIONS is `true` within a job alone.
"""

import re
import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SUMMARY_LIMIT = 1_000_000
"""Bytes; GitHub refuses a step's summary of more than 1 MiB, all of it."""
# `path/file.ext:12`, and no host and port of an address.
_PLACE = re.compile(r"(?<![\w/:@.+-])(?P<file>/?[\w@.+-]+(?:/[\w@.+-]+)*\.[A-Za-z]\w*):(?P<line>\d+)\b")


def in_actions(environment: Mapping[str, str]) -> bool:
    """Whether this is a job of GitHub Actions."""
    return environment.get("GITHUB_ACTIONS") == "true"


def append_summary(environment: Mapping[str, str], text: str) -> None:
    """Show Markdown on the run's page. The same text is not shown twice by one step."""
    path = _file(environment, "GITHUB_STEP_SUMMARY")
    if path is None:
        return
    said = path.read_text(encoding="utf-8") if path.exists() else ""
    if text in said:
        return
    room = SUMMARY_LIMIT - len(said.encode())
    content = text.encode() + b"\n"
    if len(content) > room:
        content = (
            content[: max(0, room - 100)].decode(errors="ignore").encode() + b"\n\n... cut: GitHub takes no more\n"
        )
    with path.open("ab") as file:
        file.write(content)


def set_outputs(environment: Mapping[str, str], values: Mapping[str, str]) -> None:
    """Set outputs of the step, whatever is in them: a value can't end early or set another output."""
    path = _file(environment, "GITHUB_OUTPUT")
    if path is None:
        return
    lines = []
    for name, value in values.items():
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", name):
            raise ValueError(f"output {name!r}: a name has letters, digits, - and _ only")
        # Nobody can have written a delimiter into the value that is made up here.
        delimiter = f"end-{secrets.token_hex(16)}"
        lines.append(f"{name}<<{delimiter}\n{value}\n{delimiter}\n")
    with path.open("a", encoding="utf-8") as file:
        file.write("".join(lines))


def annotate(environment: Mapping[str, str], level: str, message: str, title: str = "") -> None:
    """Show an `error`, `warning` or `notice` on the run's page, at the file and line that the message names first."""
    if not in_actions(environment):
        return
    place = _PLACE.search(message)
    fields = {"title": title} if title else {}
    if place is not None:
        fields |= {"file": place["file"], "line": place["line"]}
    said = ",".join(f"{name}={_escaped(value, field=True)}" for name, value in fields.items())
    _say(f"::{level} {said}::{_escaped(message)}" if said else f"::{level}::{_escaped(message)}")


@contextmanager
def group(environment: Mapping[str, str], title: str) -> Iterator[None]:
    """Fold what is printed in the block. Commands in it are text: a tool's output can't give the runner orders."""
    if not in_actions(environment):
        yield
        return
    word = f"quote-{secrets.token_hex(16)}"
    _say(f"::group::{_escaped(title)}\n::stop-commands::{word}")
    try:
        yield
    finally:
        _say(f"::{word}::\n::endgroup::")


def show_log(environment: Mapping[str, str], title: str, text: str) -> None:
    """A tool's log, folded."""
    if in_actions(environment):
        with group(environment, title):
            _say(text.rstrip("\n"))


def _file(environment: Mapping[str, str], name: str) -> Path | None:
    path = environment.get(name)
    return Path(path) if in_actions(environment) and path else None


def _escaped(text: str, *, field: bool = False) -> str:
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return escaped.replace(":", "%3A").replace(",", "%2C") if field else escaped


def _say(line: str) -> None:
    # The runner reads commands at the beginning of a line on standard output alone.
    print(line, file=sys.stdout, flush=True)  # noqa: T201
