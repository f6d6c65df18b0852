"""The pipeline as Dagster loads it, but that its public registries are those of TESTS_PUBLIC_REGISTRIES."""

import os

from tasker_release_pipeline.definitions import defs
from tasker_release_pipeline.release.endpoints import Endpoints
from tasker_release_pipeline.steps import registry_sets

registry_sets.LIVE = Endpoints.model_validate_json(os.environ["TESTS_PUBLIC_REGISTRIES"])  # type: ignore[misc]

__all__ = ["defs"]
