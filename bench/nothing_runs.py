"""Runs of the graph whose tools do nothing, and of an empty one, as the command line starts them."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from bench.world import BIN, World

Beside = Callable[[int], AbstractContextManager[Any]]
_WARM = {"start_method": {"forkserver": {"preload_modules": ["bench.warm_up"]}}}


def _alone(_pid: int) -> AbstractContextManager[None]:
    return nullcontext()


def nothing_run(world: World, job: str, *, default_executor: bool = False, beside: Beside = _alone) -> float:
    """The seconds of a job whose tools do nothing. A dry run: the gate of a slice on its own lets nothing through."""
    command = world.job("bench.nothing", job, None if default_executor else _WARM, dry_run=True)
    return world.run(command, beside, BENCH_EXECUTOR="default" if default_executor else "release")


def empty_run(world: World, beside: Beside = _alone) -> float:
    """The seconds of a run of one asset that does nothing."""
    return world.run([str(BIN / "dagster"), "job", "execute", "-m", "bench.empty", "-j", "empty"], beside)
