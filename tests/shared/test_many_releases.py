"""An instance that has known a thousand releases."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import pytest

from tasker_release_pipeline.steps.home import prepare

from .machine import Machine, ended
from .web import web_server

RELEASES = [f"v0.{minor}.{patch}" for minor in range(20) for patch in range(50)]
_PAGE = """
query ($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) {
    ... on AssetNode {
      partitionKeys
      partitionStats { numMaterialized numPartitions }
      assetMaterializations(limit: 100) { partition timestamp }
    }
  }
}"""


@pytest.mark.service
def test_a_thousand_old_releases_slow_neither_the_definitions_nor_an_assets_page(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", database)
    machine = Machine(tmp_path, database)
    prepare(tmp_path / "dagster", is_shared=True)
    with dg.DagsterInstance.from_config(str(tmp_path / "dagster")) as instance:
        instance.add_dynamic_partitions("releases", RELEASES)

        def published(release: str) -> None:
            for asset in ("gate", "npm/tasker"):
                event = dg.AssetMaterialization(asset.split("/"), partition=release, metadata={"outcome": "published"})
                instance.report_runless_asset_event(event)

        with ThreadPoolExecutor(max_workers=4) as pool:
            list(pool.map(published, RELEASES))

    started = time.monotonic()
    ended(machine.start("dagster", "definitions", "validate", "-m", "tasker_release_pipeline"))
    assert time.monotonic() - started < 10

    with web_server(machine) as web:
        web.ask(_PAGE, key={"path": ["gate"]})  # the first question of all loads the definitions
        started = time.monotonic()
        page = web.ask(_PAGE, key={"path": ["npm", "tasker"]})["assetNodeOrError"]
        assert time.monotonic() - started < 2
    assert page["partitionStats"] == {"numMaterialized": 1000, "numPartitions": 1000}
    assert len(page["assetMaterializations"]) == 100
