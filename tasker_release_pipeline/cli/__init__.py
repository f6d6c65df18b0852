"""The command line: `tasker-release`, and `publish-crates` with its sisters. Nothing here imports Dagster."""

from tasker_release_pipeline.cli.main import main

__all__ = ["main"]
