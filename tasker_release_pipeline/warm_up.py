"""Imported by the process that all steps are forked from: what each of them would import and build is there already.

Never imported by the definitions.
"""

import contextlib
import gc
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

# What is loaded here stays: looking for garbage in it would cost time, and each step a copy of the pages it touches.
gc.disable()

import dagster as dg  # noqa: E402

_SILENT = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def ask_once() -> None:
    """Load what a step loads late: what serves loopback registries, what asks them, and what keeps a step's output."""
    import anyio  # noqa: PLC0415

    import tasker_release_pipeline.orchestration.compute_logs  # noqa: F401, PLC0415
    from tasker_release_pipeline.loopback.server import serve  # noqa: PLC0415
    from tasker_release_pipeline.registries import http  # noqa: PLC0415

    with TemporaryDirectory() as folder, serve(Path(folder), reserved={}) as registries:
        http.get(f"{registries.endpoints.cargo_index}/config.json")
    anyio.run(anyio.sleep, 0)


def materialise_once() -> None:
    """Load what a run has loaded: the graph, and by materialising one trivial asset Dagster's storages."""
    import upath.implementations.local  # noqa: F401, PLC0415

    from tasker_release_pipeline.definitions import defs  # noqa: PLC0415

    defs.resolve_job_def("release")

    @dg.asset(
        partitions_def=dg.DynamicPartitionsDefinition(name="warm"),
        check_specs=[dg.AssetCheckSpec("warm", asset="warm")],
    )
    def warm() -> Iterator[Any]:
        yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True)])

    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions("warm", ["once"])
        dg.materialize([warm], partition_key="once", instance=instance, run_config=_SILENT)


# One that raises would end the process that it warms up; the steps then load what they need by themselves.
with contextlib.suppress(BaseException), warnings.catch_warnings():
    warnings.simplefilter("ignore")
    if "tasker_release_pipeline.definitions" not in sys.modules:  # else it is a copy of the run
        materialise_once()
    ask_once()
gc.freeze()
gc.enable()
