"""Versions in the files that carry them: read, and written so that only the version's characters change."""

import json
import re
from collections.abc import Callable

import tomlkit
from semver import Version

from tasker_release_pipeline.release import toml_style, versions
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.lockfiles import Span, gemfile_spans, replace, uv_spans
from tasker_release_pipeline.release.manifest import Carrier, CarrierKind
from tasker_release_pipeline.release.versions import VersionStyle

_LOCK_STYLE = {CarrierKind.UV_LOCK: VersionStyle.PEP440, CarrierKind.GEMFILE_LOCK: VersionStyle.GEM}
_JSON = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\r\n]*")


def read_version(text: str, carrier: Carrier, where: str) -> Version:
    """The version that a file's `text` carries.

    `where` names the file for errors, with its commit where it has one: `v0.1.0:VERSION`.
    Raises InputError where the key is missing, stands there twice, or holds no version.
    """
    found = read_value(text, carrier, where)
    return versions.read(found, style_of(carrier), f"{where}: {_what(carrier)}")


def read_value(text: str, carrier: Carrier, where: str) -> str:
    """The version as it is spelled in the file. Raises InputError where the key is missing or stands there twice."""
    if carrier.kind is CarrierKind.TOML:
        table, key = _toml_place(toml_style.parse(text, where), carrier, where)
        return str(table[key])
    values = {text[start:end] for start, end in _spans(text, carrier, where)}
    if len(values) > 1:
        raise InputError(f"{where}: {_what(carrier)} has several values ({', '.join(sorted(values))}); make them one")
    return values.pop()


def write_version(text: str, carrier: Carrier, version: Version) -> str:
    """The file's text with `version` in it, spelled in the carrier's style; everything else stays as it is.

    Raises InputError as `read_version` does, and for a pre-release that the style has no word for.
    """
    read_version(text, carrier, carrier.path)
    new = expected(carrier, version)
    if carrier.kind is CarrierKind.TOML:
        document = toml_style.parse(text, carrier.path)
        table, key = _toml_place(document, carrier, carrier.path)
        toml_style.set_string(table, key, new)
        written = tomlkit.dumps(document)
    else:
        written = replace(text, [(span, new) for span in _spans(text, carrier, carrier.path)])
    if read_value(written, carrier, carrier.path) != new:
        raise InputError(
            f"{carrier.path}: {_what(carrier)} can't be set to {new} with the rest of the file kept; "
            "write it there by hand, in plain quotes, and commit"
        )
    return written


def expected(carrier: Carrier, version: Version) -> str:
    """How the carrier spells `version`."""
    return versions.render(version, style_of(carrier))


def style_of(carrier: Carrier) -> VersionStyle:
    """The carrier's style; a lockfile's is its tool's."""
    return _LOCK_STYLE.get(carrier.kind, carrier.style)


def _what(carrier: Carrier) -> str:
    return carrier.key or "the version"


def _toml_place(document: toml_style.Table, carrier: Carrier, where: str) -> tuple[toml_style.Table, str]:
    *path, key = carrier.key.split(".")
    table = toml_style.table_at(document, *path)
    if table is None or key not in table:
        raise _missing(carrier, where)
    if toml_style.table_at(table, key) is not None:
        raise InputError(
            f"{where}: {carrier.key} is a table, no version; where it is inherited (version.workspace = true), name "
            "the workspace's Cargo.toml with the key workspace.package.version as the carrier instead"
        )
    if not isinstance(table[key], str):
        raise InputError(f"{where}: {carrier.key} is {table[key]!r}, no string; write the version in quotes")
    return table, key


def _spans(text: str, carrier: Carrier, where: str) -> list[Span]:
    finders: dict[CarrierKind, Callable[[], list[Span]]] = {
        CarrierKind.TEXT: lambda: _text_spans(text),
        CarrierKind.JSON: lambda: _json_spans(text, carrier, where),
        CarrierKind.RUBY: lambda: _ruby_spans(text, carrier.key),
        CarrierKind.UV_LOCK: lambda: uv_spans(text, carrier.key),
        CarrierKind.GEMFILE_LOCK: lambda: gemfile_spans(text, carrier.key),
    }
    spans = finders[carrier.kind]()
    if not spans:
        raise _missing(carrier, where)
    return spans


def _text_spans(text: str) -> list[Span]:
    start = len(text) - len(text.lstrip())
    return [(start, max(start, len(text.rstrip())))]


def _ruby_spans(text: str, constant: str) -> list[Span]:
    # At the start of a line, so neither in a comment nor in OTHER_VERSION.
    assignment = re.compile(rf"""^[ \t]*{re.escape(constant)}[ \t]*=[ \t]*(["'])(.*?)\1""", re.MULTILINE)
    return [match.span(2) for match in assignment.finditer(text)]


def _json_spans(text: str, carrier: Carrier, where: str) -> list[Span]:
    try:
        json.loads(text)
    except ValueError as error:
        raise InputError(f"{where}: not JSON: {error}; correct the file") from None
    return _json_strings(text, _after_blank(text, 0), carrier.key.split("."))


def _json_strings(text: str, at: int, path: list[str]) -> list[Span]:
    # Walks valid JSON by the standard library's own decoder, as `loads` tells no positions.
    if not path:
        return [(at + 1, _JSON.raw_decode(text, at)[1] - 1)] if text[at] == '"' else []
    if text[at] != "{":
        return []
    found: list[Span] = []
    at = _after_blank(text, at + 1)
    while text[at] == '"':
        name, at = _JSON.raw_decode(text, at)
        at = _after_blank(text, _after_blank(text, at) + 1)
        if name == path[0]:
            found += _json_strings(text, at, path[1:])
        at = _after_blank(text, _JSON.raw_decode(text, at)[1])
        if text[at] == "}":
            break
        at = _after_blank(text, at + 1)
    return found


def _after_blank(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    return blank.end() if blank else at


def _missing(carrier: Carrier, where: str) -> InputError:
    said = {
        CarrierKind.RUBY: f'no line {carrier.key} = "..."; add it',
        CarrierKind.UV_LOCK: f"no entry {carrier.key} with a version and a source in the checkout; run uv lock",
        CarrierKind.GEMFILE_LOCK: f"no gem {carrier.key} under PATH; run bundle lock",
    }.get(carrier.kind, f"no string at {carrier.key}; add it")
    return InputError(f"{where}: {said}, commit it, or correct the carrier in the manifest")
