"""Imported by the process that all steps are forked from: what each of them would import and build is there already.

Never imported by the definitions.
"""

import contextlib
import gc
import warnings
from collections.abc import Iterator
from typing import Any

# What is loaded here stays: looking for garbage in it would cost time, and each step a copy of the pages it touches.
gc.disable()

import dagster as dg  # noqa: E402

_SILENT = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def warm_up() -> None:
    """Load what a step needs: the graph, and by materialising one trivial asset Dagster's storages and their kin."""
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
    warm_up()
gc.freeze()
gc.enable()
