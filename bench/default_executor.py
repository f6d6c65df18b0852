"""The pipeline under Dagster's default executor: `dagster job execute -m bench.default_executor -j release`."""

import dagster as dg

from tasker_release_pipeline import definitions

defs = dg.Definitions(
    assets=definitions.defs.assets,
    asset_checks=definitions.defs.asset_checks,
    jobs=definitions.defs.jobs,
    resources=definitions.defs.resources,
    loggers=definitions.defs.loggers,
    executor=dg.multiprocess_executor,
)
