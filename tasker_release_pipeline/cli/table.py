"""Tables for a terminal."""

from collections.abc import Iterable, Mapping, Sequence

import click


def table(head: Sequence[str], rows: Iterable[Sequence[object]], colours: Mapping[str, str] | None = None) -> str:
    """Columns as wide as their widest cell, two spaces apart; each row is one line. `colours`: by a cell's text."""
    lines = [[" ".join(str("" if cell is None else cell).split()) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]

    def shown(cell: str, width: int) -> str:
        colour = (colours or {}).get(cell)
        return click.style(cell, fg=colour) + " " * (width - len(cell)) if colour else cell.ljust(width)

    return "\n".join("  ".join(map(shown, line, widths)).rstrip() for line in lines)
