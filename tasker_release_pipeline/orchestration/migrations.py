"""Dagster's migrations of its database, read once for a run and all its steps."""

import dagster as dg
from alembic.config import Config
from alembic.script import ScriptDirectory

_from_config = ScriptDirectory.from_config
_known: dict[str | None, ScriptDirectory] = {}


def read_migrations_once(instance: dg.DagsterInstance) -> None:
    """Keep what `instance`'s storages read to see that their tables are current, for the processes forked from this.

    Each step's process would read all of them four times: some 90 files, and a third of what a step costs.
    """
    ScriptDirectory.from_config = staticmethod(_once)  # type: ignore[method-assign]
    with dg.DagsterInstance.from_ref(instance.get_ref()):
        pass  # to open it is to read them


def _once(config: Config) -> ScriptDirectory:
    where = config.get_main_option("script_location")
    if where not in _known:
        _known[where] = _from_config(config)
    return _known[where]
