"""The Dagster Definitions, wired in one place."""

import gc
import logging
import os

import dagster as dg

from tasker_release_pipeline.orchestration.assets import build_asset, gate_assets, release_plan, source_tree
from tasker_release_pipeline.orchestration.console import console
from tasker_release_pipeline.orchestration.credentials import credential_assets
from tasker_release_pipeline.orchestration.executor import release_executor
from tasker_release_pipeline.orchestration.io_manager import StoreIOManager
from tasker_release_pipeline.orchestration.jobs import release_jobs
from tasker_release_pipeline.orchestration.publishing import install_checks, publish_assets
from tasker_release_pipeline.orchestration.recording import record_assets
from tasker_release_pipeline.orchestration.rehearsing import prune_rehearsals, schedules
from tasker_release_pipeline.orchestration.resources import SettingsResource
from tasker_release_pipeline.orchestration.tag_sensor import tag_sensor
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.manifest import Manifest, load
from tasker_release_pipeline.release.publish_from import exposed


def _graph() -> Manifest:
    try:
        return load(os.environ.get("TASKER_RELEASE_MANIFEST") or "tasker")
    except InputError:
        # Every run reads the setting again, and refuses it with one message; an import could only end in a stack.
        return load("tasker")


if _warning := exposed(os.environ):
    logging.getLogger("tasker-release").warning(_warning)
_manifest = _graph()
_registries = tuple(registry for registry in RegistryName if _manifest.of_registry(registry))

defs = dg.Definitions(
    assets=[
        release_plan,
        source_tree,
        *(build_asset(registry) for registry in _registries),
        credential_assets(_registries),
        *gate_assets(_registries),
        *publish_assets(_manifest),
        *record_assets(_manifest),
    ],
    asset_checks=install_checks(_manifest),
    jobs=[*release_jobs(_manifest), prune_rehearsals],
    schedules=schedules(os.environ),
    sensors=[tag_sensor(os.environ)],
    resources={"settings": SettingsResource(), "io_manager": StoreIOManager()},
    loggers={"console": console},
    executor=release_executor(_manifest),
)

# All that was loaded stays. Else Python looks through it for garbage when a job is made of it: 0.15 s a command.
gc.freeze()
