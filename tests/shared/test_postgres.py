"""One history in Postgres, for all of CI's jobs and the web UI."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import psycopg2
import pytest

from tasker_release_pipeline.orchestration.database import Database, with_driver
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.steps.home import prepare

from .machine import Machine, ended
from .postgres import PASSWORD, Postgres

ONE, TWO = "rehearsal-20260301-0300", "rehearsal-20260302-0300"


def files_with(folder: Path, *texts: str) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and any(text.encode() in path.read_bytes() for text in texts):
            yield path


# --- the address


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg2"])
def test_the_address_is_taken_as_everyone_writes_it(scheme: str) -> None:
    rest = "://tasker:s3cret%2Fp@db:5432/dagster?sslmode=require"
    assert with_driver(f" {scheme}{rest}\n") == f"postgresql+psycopg2{rest}"


@pytest.mark.parametrize("url", ["", "mysql://tasker:s3cret@db/dagster", "tasker:s3cret@db"])
def test_any_other_address_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(InputError, match=r"give postgresql://USER:PASSWORD@HOST:5432/DATABASE") as raised:
        Database.from_config_value(None, {"postgres_url": url})
    assert "s3cret" not in str(raised.value)


# --- with a server


@pytest.mark.service
def test_jobs_that_start_at_once_on_an_empty_database_write_one_history(
    tmp_path: Path, postgres: Postgres, database: str
) -> None:
    machines = {ONE: Machine(tmp_path / "one", database), TWO: Machine(tmp_path / "two", database)}
    for release, machine in machines.items():
        machine.plan(release)
    started = [machine.execute("release_summary", release) for release, machine in machines.items()]
    outputs = [ended(process) for process in started]
    rows = postgres.query("SELECT partition, status FROM runs", database)
    assert sorted(rows) == [(ONE, "SUCCESS"), (TWO, "SUCCESS")]
    assert {row[0] for row in postgres.query("SELECT partition FROM dynamic_partitions", database)} == {ONE, TWO}
    info = ended(machines[ONE].start("dagster", "instance", "info"))
    assert "DAGSTER_POSTGRES_URL" in info
    for shown in (PASSWORD, quote(PASSWORD, safe="")):
        assert not any(shown in output for output in (*outputs, info))
    assert not list(files_with(tmp_path, PASSWORD, quote(PASSWORD, safe="")))


@pytest.mark.service
def test_an_upgrade_brings_an_older_schema_up_to_date(tmp_path: Path, postgres: Postgres, database: str) -> None:
    machine = Machine(tmp_path, database)
    ended(machine.start("dagster", "instance", "info"))
    version = "SELECT version_num FROM alembic_version"
    current = postgres.query(version, database)
    # As a Dagster of the end of 2024 left it.
    postgres.query("ALTER TABLE concurrency_limits DROP COLUMN using_default_limit", database)
    postgres.query("UPDATE alembic_version SET version_num = '6b7fb194ff9c'", database)
    ended(machine.start("dagster", "instance", "migrate"))
    assert postgres.query(version, database) == current
    assert postgres.query("SELECT using_default_limit FROM concurrency_limits", database) == []
    ended(machine.start("dagster", "instance", "migrate"))  # nothing is left to do


@pytest.mark.service
def test_a_database_that_refuses_is_told_soon_and_without_the_password(tmp_path: Path, database: str) -> None:
    machine = Machine(tmp_path, database.replace(quote(PASSWORD, safe=""), "wr0ngpass"))
    started = time.monotonic()
    output, _ = machine.start("dagster", "instance", "info").communicate(timeout=100)
    assert "password authentication failed" in output
    assert "wr0ngpass" not in output
    assert time.monotonic() - started < 30


_LOGS = """
import itertools, pathlib, time
import dagster as dg

@dg.op
def log_on(context):
    folder = pathlib.Path({folder!r})
    for number in itertools.count():
        context.log.info(f"line {{number}}")
        (folder / "started").touch()
        if (folder / "enough").exists():
            return
        time.sleep(0.01)

@dg.job
def logs():
    log_on()
"""


@pytest.mark.service
def test_a_run_outlasts_a_database_that_is_gone_for_30_seconds(
    tmp_path: Path, postgres: Postgres, database: str
) -> None:
    (tmp_path / "logs.py").write_text(_LOGS.format(folder=str(tmp_path)))
    process = Machine(tmp_path, database).execute("logs", ONE, "-f", str(tmp_path / "logs.py"))
    try:
        _until((tmp_path / "started").exists)
        postgres.stop()
        try:
            threading.Event().wait(30)  # that long is the point
        finally:
            postgres.start()
    finally:
        (tmp_path / "enough").touch()
        output = ended(process)
    assert "does not answer, waiting for it" in output
    assert postgres.query("SELECT status FROM runs", database) == [("SUCCESS",)]


@pytest.mark.service
def test_an_event_that_was_under_way_when_the_database_went_is_written_again(
    tmp_path: Path, postgres: Postgres, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", database)
    prepare(tmp_path, is_shared=True)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance, closing(psycopg2.connect(database)) as blocking:
        with blocking.cursor() as cursor:
            cursor.execute("LOCK TABLE event_logs")
        event = dg.AssetMaterialization("gate", partition=ONE)
        writing = threading.Thread(target=instance.report_runless_asset_event, args=(event,))
        writing.start()
        waiting = "FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        _until(lambda: postgres.query(f"SELECT pid {waiting}", database))
        postgres.query(f"SELECT pg_terminate_backend(pid) {waiting}", database)
        blocking.rollback()
        writing.join(60)
        known = instance.fetch_materializations(dg.AssetKey("gate"), limit=5).records
    assert len(known) == 1


@pytest.mark.service
def test_a_web_servers_first_question_after_a_restart_of_the_database_is_answered(
    tmp_path: Path, postgres: Postgres, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", database)
    prepare(tmp_path, is_shared=True)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        # As dagster-webserver does: it keeps a connection for each kind of question.
        instance.optimize_for_webserver(statement_timeout=5000, pool_recycle=3600, max_overflow=20)
        asked = (instance.get_runs_count, instance.all_asset_keys, instance.all_instigator_state)
        before = [ask() for ask in asked]
        postgres.stop()
        postgres.start()
        assert [ask() for ask in asked] == before


def _until(condition: Callable[[], object]) -> None:
    limit = time.monotonic() + 100
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.05)
