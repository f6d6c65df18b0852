"""Lockfiles' own entries: those of packages whose source lies in the checkout. All other bytes stay.

Pure text edits: writing a lockfile anew, by its tool or by a library, would touch entries that are not ours.
"""

import re
from collections.abc import Iterator, Mapping

Span = tuple[int, int]
"""Where a version stands in a text: start and end."""

_HEADER = re.compile(r"^\[", re.MULTILINE)
_OWN_SOURCE = re.compile(r"^source = \{ (?:editable|virtual|directory) = ", re.MULTILINE)
_GEM_SECTION = re.compile(r"^(PATH|CHECKSUMS)[ \t]*\r?\n((?:[ \t]+\S.*(?:\n|\Z))*)", re.MULTILINE)


def cargo_entries(text: str) -> dict[str, str]:
    """The own entries of a Cargo.lock (those without a source): names and versions."""
    return {name: text[slice(*span)] for name, span in _cargo_own(text)}


def stamp_cargo(text: str, versions: Mapping[str, str]) -> str:
    """A Cargo.lock with the own entries of the packages in `versions` at those versions.

    Entries of the same name that come from a registry stay; so do packages that `versions` does not name.
    """
    edits = [(span, versions[name]) for name, span in _cargo_own(text) if name in versions]
    references: dict[str, str] = {}
    for name, old in cargo_entries(text).items():
        if name not in versions or old == versions[name]:
            continue
        new = versions[name]
        # Cargo takes a reference without a source for ours, as soon as ours has that version.
        references |= {f"{name} {new}": f"{name} {new} ({source})" for source in _cargo_sources(text, name, new)}
        references[f"{name} {old}"] = f"{name} {new}"
    # Only lines of `dependencies` lists begin with a blank; entries refer by version where a name occurs twice.
    lines = re.finditer(r'^[ \t]+"([^"\n]+)"', text, re.MULTILINE)
    edits += [(line.span(1), references[line[1]]) for line in lines if line[1] in references]
    return replace(text, edits)


def uv_spans(text: str, package: str) -> list[Span]:
    """Where the own entry of `package` in a uv.lock has its version. Empty where there is none."""
    wanted = _normalised(package)
    return [
        version.span(1)
        for block in _entries(text, "[[package]]")
        if (name := _value(text, block, "name")) and _normalised(name[1]) == wanted
        if _OWN_SOURCE.search(text, *block)
        if (version := _value(text, block, "version"))
    ]


def gemfile_spans(text: str, gem: str) -> list[Span]:
    """Where the own entry of `gem` in a Gemfile.lock has its version: in PATH, and in newer Bundlers' CHECKSUMS."""
    spans = []
    for section in _GEM_SECTION.finditer(text):
        indent = "    " if section[1] == "PATH" else "  "
        # A platform may follow the version, which has no dash itself. A gem from the checkout has no checksum: where
        # one follows, it is another gem of that name.
        line = re.compile(rf"^{indent}{re.escape(gem)} \(([^()\s-]+)(?:-[^()\s]+)?\)[ \t]*\r?$", re.MULTILINE)
        spans += [match.span(1) for match in line.finditer(text, *section.span(2))]
    return spans


def replace(text: str, edits: list[tuple[Span, str]]) -> str:
    """The text with the spans replaced; spans must not overlap."""
    for (start, end), new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _cargo_own(text: str) -> Iterator[tuple[str, Span]]:
    for block in _entries(text, "[[package]]", "[[patch.unused]]"):
        name, version = _value(text, block, "name"), _value(text, block, "version")
        if name and version and not _value(text, block, "source"):
            yield name[1], version.span(1)


def _cargo_sources(text: str, name: str, version: str) -> Iterator[str]:
    for block in _entries(text, "[[package]]"):
        found = [_value(text, block, key) for key in ("name", "version", "source")]
        values = [match[1] for match in found if match]
        if values[:2] == [name, version] and len(values) == 3:
            yield values[2]


def _entries(text: str, *headers: str) -> Iterator[Span]:
    starts = [match.start() for match in _HEADER.finditer(text)]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        header = text[start:end].split("\n", 1)[0].rstrip()
        if header in headers:
            yield start, end


def _value(text: str, block: Span, key: str) -> re.Match[str] | None:
    return re.compile(rf'^{key} = "([^"\n]*)"', re.MULTILINE).search(text, *block)


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
