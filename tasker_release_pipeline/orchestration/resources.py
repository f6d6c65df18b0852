"""The one resource: the settings of a release."""

from typing import Any

import dagster as dg
from pydantic import Field

from tasker_release_pipeline.orchestration.partitions import PARTITION_TAG
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.run_lock import end_with_the_run


class SettingsResource(dg.ConfigurableResource[None]):
    """What to release and how. A field that is not given comes from the environment, or from what this release used
    before, or is the default; RELEASE_DRY_RUN, unless it says false, forces a dry run with live registries.
    """

    source: str | None = Field(
        default=None, description="A git checkout of the workspace. Default: the working directory."
    )
    manifest: str | None = Field(
        default=None, description="A packaged manifest's name, or a path to one. Default: tasker."
    )
    dry_run: bool | None = Field(default=None, description="End at the gate and upload nothing. Default: true.")
    on_duplicate: str | None = Field(
        default=None, description="A version is published with the same content: skip, warn or fail. Default: warn."
    )
    from_ref: str | None = Field(
        default=None, description="The base for change detection. Default: what was last published."
    )
    registries: str | None = Field(
        default=None, description="live, or rehearsal (loopback registries that the pipeline starts). Default: live."
    )

    def given(self) -> dict[str, Any]:
        """The fields that the run config gives."""
        return {name: value for name, value in self.model_dump().items() if value is not None}

    def start(
        self, context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext | dg.OpExecutionContext
    ) -> ReleaseRun:
        """What a step works with."""
        run = ReleaseRun.of(
            context.run.tags[PARTITION_TAG],
            self.given(),
            log=context.log.info,
            run=context.run.run_id,
            attempt=context.retry_number + 1,
        )
        end_with_the_run(run)
        return run
