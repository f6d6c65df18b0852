"""The critical path of a run: what it would take with a core for each step, and nothing between them."""

from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg


def critical_path(seconds: Mapping[str, float], follows: Mapping[str, Collection[str]]) -> float:
    """The longest way through the graph. `seconds`: of each step; `follows`: the steps that each waits for."""

    @cache
    def end(step: str) -> float:
        return seconds.get(step, 0.0) + max((end(before) for before in follows.get(step, ())), default=0.0)

    return max((end(step) for step in seconds), default=0.0)


def follows(defs: dg.Definitions) -> dict[str, set[str]]:
    """By step of a graph the steps that it waits for."""
    assets: list[Any] = list(defs.assets or ())
    step_of = {key: asset.op.name for asset in assets for key in asset.keys}
    found = {asset.op.name: {step_of[dep.asset_key] for s in asset.specs for dep in s.deps} for asset in assets}
    for check in defs.asset_checks or ():
        (spec,) = check.check_specs
        looked_at = [spec.asset_key, *(dep.asset_key for dep in spec.additional_deps)]
        found[check.op.name] = {step_of[key] for key in looked_at}
    return found


def recorded(home: Path) -> dict[str, tuple[float, float]]:
    """When each step of the last run began and ended, in Unix time, as Dagster recorded it."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        (run,) = instance.get_run_records(limit=1)
        stats = instance.get_run_step_stats(run.dagster_run.run_id)
        return {s.step_key: (s.start_time, s.end_time) for s in stats if s.start_time and s.end_time}
