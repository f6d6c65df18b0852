"""The simple index's HTML (PEP 503): names, addresses and digests of a project's files."""

from html.parser import HTMLParser
from typing import NamedTuple
from urllib.parse import parse_qs, urldefrag, urljoin

Attributes = dict[str, str | None]


class Link(NamedTuple):
    """A file's name, its address, its SHA-256 in hex where the link has it, and whether it is withdrawn."""

    file: str
    url: str
    sha256: str | None
    yanked: bool


def links(page: str, base: str) -> list[Link]:
    """The files that a page lists; `base` is its own address."""
    anchors = _Anchors()
    anchors.feed(page)
    anchors.close()
    return [_link(text, attributes, base) for text, attributes in anchors.found if attributes.get("href")]


def _link(text: str, attributes: Attributes, base: str) -> Link:
    url, fragment = urldefrag(urljoin(base, attributes["href"] or ""))
    sha256 = parse_qs(fragment).get("sha256", [None])[0]
    return Link(file=text, url=url, sha256=sha256, yanked="data-yanked" in attributes)


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, Attributes]] = []
        self._open: tuple[list[str], Attributes] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self._open = ([], dict(attrs))

    def handle_data(self, data: str) -> None:
        if self._open is not None:
            self._open[0].append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._open is not None:
            texts, attributes = self._open
            self.found.append(("".join(texts).strip(), attributes))
            self._open = None
