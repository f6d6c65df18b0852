"""`python -m bench [--short] [--only NAME]`: measures, prints a table, and writes `bench/results.json`."""

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import click

from bench import growth, memory, overhead, plan, release
from bench.table import exceeded, table
from bench.targets import Figure
from bench.world import BenchError

MEASURES: dict[str, Callable[[bool], Iterable[Figure]]] = {
    "overhead": overhead.measure,
    "release": release.measure,
    "plan": plan.measure,
    "growth": growth.measure,
    "memory": memory.measure,
}
RESULTS = Path(__file__).with_name("results.json")


@click.command()
@click.option("--short", is_flag=True, help="Smaller, for CI: fails where a ratio is above its target by over a third.")
@click.option(
    "--only", type=click.Choice(list(MEASURES)), multiple=True, help="This measure alone; nothing is written."
)
def bench(short: bool, only: tuple[str, ...]) -> None:
    """Measure how fast the pipeline is, beside the tools that it calls."""
    figures: list[Figure] = []
    failed = []
    for name in only or MEASURES:
        started = time.monotonic()
        try:
            figures.extend(MEASURES[name](short))  # those before one that fails stay
        except BenchError as error:
            failed.append(name)
            click.echo(f"{name}: {error}", err=True)
        click.echo(f"{name}: {time.monotonic() - started:.0f} s", err=True)
    click.echo(table(figures))
    if not (short or only or failed):
        RESULTS.write_text(json.dumps(_results(figures), indent=2, ensure_ascii=False) + "\n")
    too_slow = exceeded(figures) if short else []
    for line in too_slow:
        click.echo(f"too slow: {line}", err=True)
    sys.exit(1 if failed or too_slow else 0)


def _results(figures: list[Figure]) -> dict[str, object]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "system": platform.system(), "processor": platform.machine()},
        "versions": {"python": platform.python_version(), "dagster": version("dagster")},
        "figures": [asdict(figure) for figure in figures],
    }


if __name__ == "__main__":
    bench()
