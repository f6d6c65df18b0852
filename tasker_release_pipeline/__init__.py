"""Takes a Tasker workspace into crates.io, RubyGems, PyPI and npm."""

from typing import Any


def __getattr__(name: str) -> Any:
    # `dagster ... -m tasker_release_pipeline` looks for `defs` here; what runs no graph must not import Dagster.
    if name == "defs":
        from tasker_release_pipeline.definitions import defs  # noqa: PLC0415

        return defs
    raise AttributeError(name)


def __dir__() -> list[str]:
    return [*globals(), "defs"]
