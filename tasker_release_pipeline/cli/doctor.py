"""`doctor`: whether a release could be made from here, as far as that shows without building anything."""

import json
import os
import sys

import click

from tasker_release_pipeline.cli.command import ReleaseCommand
from tasker_release_pipeline.cli.options import Place, common_options, json_option
from tasker_release_pipeline.cli.table import table

_COLOURS = {"ok": "green", "warning": "yellow", "error": "red"}


@click.command(cls=ReleaseCommand)
@json_option
@common_options
def doctor(place: Place, as_json: bool) -> None:
    """Examine this machine and checkout for whatever would stop a release, without building.

    Tools and their versions, Python, the store, the latch, the checkout and its tags, versions in all files, the
    manifest against cargo; what the registries hold, whose the names are, what they and GitHub would let us in with.
    Every red line says the way out. What could not be asked is `unproven`, a warning; a dry run, which is the default,
    has as warnings what would stop a release for want of credentials or rights.

    Nothing is built, uploaded or changed. Registries that do not answer are waited for, for 45 seconds in all. Exits
    with 0 when nothing is red, else with 1.

    \b
    Examples:
      tasker-release doctor
      RELEASE_DRY_RUN=false TASKER_RELEASE_DRY_RUN=false tasker-release doctor
      tasker-release doctor --json | jq -r '.rows[] | select(.health == "error") | .message'
    """
    from tasker_release_pipeline.release.manifest import load  # noqa: PLC0415
    from tasker_release_pipeline.steps.doctor import examine  # noqa: PLC0415
    from tasker_release_pipeline.steps.doctor_rows import Health  # noqa: PLC0415

    settings = place.settings()
    found = examine(settings, load(settings.manifest), place.environment)
    counted = {health: sum(row.health is health for row in found.rows) for health in Health}
    if as_json:
        rows = [{"what": row.what, "health": row.health.value, "message": row.message} for row in found.rows]
        click.echo(json.dumps({"seconds": round(found.seconds, 1), "late": found.late, "rows": rows}, indent=2))
    else:
        shown = [[row.health.value, row.what, row.message] for row in found.rows]
        click.echo(table(["", "what", "found"], shown, colours=_COLOURS))
        told = ", ".join(f"{number} {health}" for health, number in counted.items())
        click.echo(f"\n{told}, in {found.seconds:.1f} s, as a {settings.mode}. Nothing was built or changed.")
    status = 1 if counted[Health.ERROR] else 0
    if found.late:
        sys.stdout.flush()
        os._exit(status)  # else the process would wait for those who do not answer
    click.get_current_context().exit(status)
