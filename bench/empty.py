"""The least that Dagster can run: one asset that does nothing, under the default executor."""

import dagster as dg


@dg.asset
def nothing() -> None:
    """Do nothing."""


defs = dg.Definitions(assets=[nothing], jobs=[dg.define_asset_job("empty", selection=[nothing])])
