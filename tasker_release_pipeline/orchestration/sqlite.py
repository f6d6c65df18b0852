"""Dagster's SQLite databases: a process keeps one connection to each file."""

import os
from typing import Any

# Nothing public has a hold on it: these storages make an engine and a connection for each row that they read or write,
# which was a tenth of what a release costs.
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from sqlalchemy import Engine, create_engine

_engines: dict[tuple[int, str], Engine] = {}


def keep_connections() -> None:
    """Let the storages of this process, and of those that are forked from it, keep what they open."""
    for storage in (sqlite_event_log, sqlite_run_storage):
        storage.create_engine = _kept  # type: ignore[attr-defined]


def _kept(url: str, **options: Any) -> Engine:
    # A connection that was open when the process was forked may not be used in the copy, nor closed there.
    key = os.getpid(), url
    if key not in _engines:
        options.pop("poolclass", None)  # none is kept by it
        _engines[key] = engine = create_engine(url, **options)
        engine.dispose = lambda close=True: None  # type: ignore[method-assign]  # noqa: ARG005
    return _engines[key]
