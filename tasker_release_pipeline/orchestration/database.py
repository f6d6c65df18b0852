"""Runs, events and schedules in Postgres, for config/dagster-postgres.yaml: an instance that CI and the web UI share.

Dagster's own storage, which also takes an address as everyone writes it, and outlasts a database that is restarted.
"""

import logging
import re
import time
from collections.abc import Mapping
from typing import Any

import dagster as dg
from sqlalchemy import Pool, event, exc
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2

from tasker_release_pipeline.release.errors import InputError

try:
    import psycopg2  # type: ignore[import-untyped]
    from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage
except ImportError as missing:
    raise InputError(
        f"DAGSTER_POSTGRES_URL is set, and {missing.name} is not installed: pip install "
        "'tasker-release-pipeline[postgres]', or unset it to keep the history in DAGSTER_HOME"
    ) from missing

WAIT_SECONDS = 20.0
"""How long one attempt to connect waits for a database that is down; Dagster makes six before it gives up."""
_PAUSE_SECONDS = 0.5
_COMING = re.compile(r"starting up|shutting down|recovery|too many (clients|connections)|reserved for")
_WAS_USED = "tasker_release_pipeline.was_used"
_log = logging.getLogger(__name__)


class Database(DagsterPostgresStorage):
    """Postgres as the place of an instance's history."""

    def __init__(self, postgres_url: str, inst_data: Any = None) -> None:
        url = with_driver(postgres_url)
        super().__init__(url, inst_data=inst_data)
        self._events = _Events(url, inst_data=inst_data)

    @property
    def event_log_storage(self) -> "_Events":
        """Where events go."""
        return self._events

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> "Database":
        """What dagster.yaml describes. Raises InputError for an address that is none of Postgres."""
        return cls(config_value["postgres_url"], inst_data)


class _Events(PostgresEventLogStorage):
    def store_event(self, event: dg.EventLogEntry) -> None:
        try:
            super().store_event(event)
        except exc.DBAPIError as error:
            if not error.connection_invalidated:
                raise
            # The database went away in the middle; at worst the history has the event twice.
            super().store_event(event)


def with_driver(url: str) -> str:
    """The address with the driver that is installed; SQLAlchemy would look for another one. Raises InputError."""
    scheme, separator, rest = url.strip().partition("://")
    if not separator or scheme not in ("postgres", "postgresql", "postgresql+psycopg2"):
        # Without the address: a password may be in it.
        raise InputError(
            "DAGSTER_POSTGRES_URL is no address of Postgres; give postgresql://USER:PASSWORD@HOST:5432/DATABASE "
            "(what is special in the password percent-encoded)"
        )
    return f"postgresql+psycopg2://{rest}"


@event.listens_for(PGDialect_psycopg2, "do_connect")
def _patiently(dialect: Any, _record: Any, arguments: Any, options: Any) -> Any:
    """Connect; wait a while for a database that can't be reached, or is starting, but not for one that refuses us."""
    given_up = time.monotonic() + WAIT_SECONDS
    told = False
    while True:
        try:
            return dialect.connect(*arguments, **options)
        except dialect.loaded_dbapi.OperationalError as error:
            said = " ".join(str(error).split())
            is_refusal = "FATAL:" in said and not _COMING.search(said)
            if is_refusal or time.monotonic() >= given_up:
                raise
            if not told:
                _log.warning(f"The database of DAGSTER_POSTGRES_URL does not answer, waiting for it: {said}")
                told = True
            time.sleep(_PAUSE_SECONDS)


@event.listens_for(Pool, "checkout")
def _still_there(connection: Any, record: Any, _proxy: Any) -> None:
    """Have a kept connection made anew if its database has gone since: the web server keeps some for hours."""
    if not isinstance(connection, psycopg2.extensions.connection):
        return
    if not record.info.get(_WAS_USED):
        record.info[_WAS_USED] = True
        return
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as gone:
        raise exc.DisconnectionError(str(gone)) from gone
