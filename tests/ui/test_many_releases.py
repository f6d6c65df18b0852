"""The pages of an instance that has known a thousand releases, on the SQLite that needs no configuration."""

import shutil
import sqlite3
import time
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from tests.pipeline.conftest import FIRST, Pipeline
from tests.ui.conftest import served

pytestmark = [pytest.mark.toolchain, pytest.mark.service]
RELEASES = [FIRST, *(f"v0.{number // 50}.{number % 50}" for number in range(50, 1049))]
_TABLES = {
    "runs.db": ["runs", "run_tags"],
    "runs/index.db": ["event_logs", "asset_event_tags", "asset_check_executions", "dynamic_partitions"],
}
_APART = 10_000  # ids; more than a release has of any


@pytest.fixture
def thousand(first_release: Pipeline, second: Pipeline) -> Pipeline:
    """A world whose history has a real release a thousand times, each with its key, its run and all its events."""
    history = shutil.copytree(first_release.home, second.home) / "history"
    (run,) = (path.stem for path in (history / "runs").glob("*-*.db"))
    for file, tables in _TABLES.items():
        with closing(sqlite3.connect(history / file)) as database, database:
            for table in tables:
                _repeat(database, table, run)
    with closing(sqlite3.connect(history / "runs/index.db")) as database, database:
        # What an asset had last, which is kept beside its events.
        database.execute(
            "UPDATE asset_keys SET last_run_id = run, last_materialization = "
            "replace(replace(json_set(last_materialization, '$.storage_id', event), :run, run), :first, partition) "
            "FROM (SELECT max(id) AS event, run_id AS run, partition, asset_key AS asset FROM event_logs "
            "WHERE dagster_event_type = 'ASSET_MATERIALIZATION' GROUP BY asset_key) WHERE asset = asset_key",
            {"run": run, "first": FIRST},
        )
    return second


def _repeat(database: sqlite3.Connection, table: str, run: str) -> None:
    """Write a table's rows anew for every release but the first, as if its run had written them."""
    columns = {name: kind for _, name, kind, *_ in database.execute(f"PRAGMA table_info({table})")}
    values = {
        "INTEGER": "{} + :shift",  # ids, and what refers to them
        **dict.fromkeys(("TEXT", "VARCHAR(255)"), "replace(replace({}, :run, :its_run), :first, :release)"),
    }
    selected = [values.get(kind, "{}").format(f'"{name}"') for name, kind in columns.items()]
    statement = f"INSERT INTO {table} SELECT {', '.join(selected)} FROM {table} WHERE id < {_APART}"  # noqa: S608
    database.executemany(
        statement,
        (
            {"shift": n * _APART, "run": run, "its_run": f"{n:08x}{run[8:]}", "first": FIRST, "release": release}
            for n, release in enumerate(RELEASES)
            if n
        ),
    )


def test_an_assets_page_shows_a_thousand_releases_within_two_seconds(thousand: Pipeline, page: Page) -> None:
    with served(thousand) as web:
        _seconds_until_shown(page, web)  # the first visit loads the definitions, and the page's own code
        # Whatever else the machine does adds to each; the best of a few is what the page takes.
        seconds = [_seconds_until_shown(page, web) for _ in range(5)]
        page.get_by_placeholder("Filter by name").fill(RELEASES[-1])
        page.get_by_text(RELEASES[-1]).first.click()
        expect(page.get_by_text("published", exact=True)).to_be_visible()
    assert min(seconds) < 2, seconds


def _seconds_until_shown(page: Page, web: str) -> float:
    """From navigation until the page has its partitions and their states."""
    page.goto("about:blank")
    started = time.monotonic()
    page.goto(f"{web}/assets/npm/tasker?view=partitions")
    page.get_by_text(f"Materialized ({len(RELEASES)})").wait_for()
    page.get_by_text(RELEASES[1], exact=True).first.wait_for()
    return time.monotonic() - started
