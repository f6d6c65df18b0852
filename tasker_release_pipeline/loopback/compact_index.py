"""RubyGems' compact index: the texts `names`, `versions` and `info/NAME`, which gem and Bundler resolve from.

Format: https://guides.rubygems.org/rubygems-org-compact-index-api/. A line of `info` is
`NUMBER[-PLATFORM] DEP:REQ&REQ,DEP:REQ|checksum:SHA256,ruby:REQ,rubygems:REQ`, one of `versions` is
`NAME NUMBER,NUMBER MD5-OF-INFO`.
"""

import hashlib
from collections.abc import Collection, Iterable

from tasker_release_pipeline.loopback.storage import Record

BEGIN = "---\n"


def info(records: list[Record]) -> str:
    """`info/NAME`: one line for each published file, oldest first."""
    return BEGIN + "".join(f"{_line(record)}\n" for record in records)


def md5(text: str) -> str:
    """What Bundler compares texts by."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def versions(held: dict[str, list[Record]], upstream: str = "", hidden: Collection[str] = ()) -> str:
    """`versions`: the upstream's lines but for what is held or `hidden` (lowercase names), then our own."""
    header, _, lines = upstream.partition(BEGIN)
    own_names = {name.lower() for name in held} | set(hidden)
    others = [line for line in lines.splitlines() if line.split(" ", 1)[0].lower() not in own_names]
    own = [
        f"{name} {','.join(record['number'] for record in records)} {md5(info(records))}"
        for name, records in sorted(held.items())
    ]
    return (header or "created_at: 2026-01-01T00:00:00Z\n") + BEGIN + _joined(others + own)


def names(held: Iterable[str]) -> str:
    """`names`: what is held here."""
    return BEGIN + _joined(sorted(held))


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _line(record: Record) -> str:
    dependencies = [
        f"{name}:{_requirement(requirements)}"
        for name, kind, requirements in sorted(record["dependencies"])
        if kind == "runtime"
    ]
    required = {tool: _requirement(record[f"required_{tool}"]) for tool in ("ruby", "rubygems")}
    # ">= 0" is no condition, and the public index leaves it out.
    conditions = [f"{tool}:{requirement}" for tool, requirement in required.items() if requirement != ">= 0"]
    checked = [f"checksum:{record['sha256']}", *conditions]
    return f"{record['number']} {','.join(dependencies)}|{','.join(checked)}"


def _requirement(requirements: Iterable[str]) -> str:
    return "&".join(requirements)
