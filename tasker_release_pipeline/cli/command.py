"""Commands that end as a shell expects: one message for what the pipeline raises on purpose, 130 for Ctrl-C."""

from typing import Any

import click

from tasker_release_pipeline.release.errors import ReleaseError

INTERRUPTED = 130
SETTINGS: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class ReleaseCommand(click.Command):
    """Exit status 0; 1 with one message for a ReleaseError; 2 for wrong usage; 130 for Ctrl-C."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["context_settings"] = {**SETTINGS, **(kwargs.get("context_settings") or {})}
        super().__init__(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except ReleaseError as error:
            raise click.ClickException(str(error)) from None
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(INTERRUPTED)


class ReleaseGroup(click.Group):
    """A group of such commands, listed in the order of a release."""

    command_class = ReleaseCommand

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """In the order that they were added."""
        return list(self.commands)
