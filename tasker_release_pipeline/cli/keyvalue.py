"""KEY=VALUE lines that a shell may `eval` and that $GITHUB_OUTPUT takes: no quotes, no odd characters."""

import re
from collections.abc import Iterator, Mapping

from tasker_release_pipeline.release.bases import Base
from tasker_release_pipeline.release.errors import InputError

_KEY = re.compile(r"[A-Z_][A-Z0-9_]*")
_VALUE = re.compile(r"[A-Za-z0-9._/+@,-]*")


def lines(values: Mapping[str, str | bool]) -> Iterator[str]:
    """`true`, `false`, or the text as it is. Raises InputError for a text that a shell would read as something else."""
    for key, value in values.items():
        text = value if isinstance(value, str) else str(value).lower()
        if not _KEY.fullmatch(key) or not _VALUE.fullmatch(text):
            raise InputError(f"{key}: {text!r} can't be printed for a shell; take --json")
        yield f"{key}={text}"


def ref_of(base: Base) -> str:
    """The base's name; its commit where the name has odd characters (a tag may hold `$(...)`); empty for no base."""
    return base.ref if base.commit and _VALUE.fullmatch(base.ref) else base.commit or ""
