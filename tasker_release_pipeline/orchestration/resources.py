"""The one resource: the settings of a release."""

from typing import Any

import dagster as dg
from pydantic import Field

from tasker_release_pipeline.orchestration.partitions import PARTITION_TAG
from tasker_release_pipeline.steps.dispatch import is_githubs
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

    publish_from: str | None = Field(
        default=None,
        description="Who uploads to the public registries: github (the release workflow, which this run starts and "
        "follows), or here. Default: here where the latch is open, else github.",
    )

    def given(self) -> dict[str, Any]:
        """The fields that the run config gives of a release's settings."""
        return {name: value for name, value in self.model_dump(exclude={"publish_from"}).items() if value is not None}

    def is_githubs(self, run: ReleaseRun) -> bool:
        """Whether GitHub uploads what a step is to publish. Raises InputError."""
        return is_githubs(run, self.given(), self.publish_from)

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
