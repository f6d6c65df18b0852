"""`import`: a release that ran elsewhere, brought into this instance of Dagster."""

import subprocess
import sys
from pathlib import Path

import click

from tasker_release_pipeline.cli.command import ReleaseCommand
from tasker_release_pipeline.cli.options import Place, common_options
from tasker_release_pipeline.release.git import Checkout
from tasker_release_pipeline.steps.home import dagster_home


@click.command("import", cls=ReleaseCommand)
@click.argument("release")
@click.option(
    "--from-run",
    type=click.IntRange(min=1),
    metavar="ID",
    help="A run of GitHub Actions (the number in its address), whose artifacts are fetched into the store first.",
)
@common_options
def import_release(place: Place, release: str, from_run: int | None) -> None:
    """Let the web UI know a release that CI ran with a database of its own.

    Registers RELEASE as a partition in the instance of DAGSTER_HOME (default: .tasker-release/dagster), or of
    DAGSTER_POSTGRES_URL, and tells it what the store holds of it. A package that is not published is missing in the UI,
    with the reason beside it; materialise it there, or by `dagster asset materialize`, to repair the release with the
    settings that it was released with. Imported again, nothing is told twice.

    `--from-run` needs GITHUB_TOKEN with `actions: read`; the repository is GITHUB_REPOSITORY, else the source's origin.

    Exits with 0, or with 1 where the release is not known.

    \b
    Examples:
      tasker-release import v0.1.9
      tasker-release import v0.1.9 --from-run 18234567890
    """
    if from_run is not None:
        from tasker_release_pipeline.steps.fetch_run import fetch_run  # noqa: PLC0415
        from tasker_release_pipeline.store import ReleaseStore  # noqa: PLC0415

        fetch_run(
            ReleaseStore.of(release, place.environment),
            from_run,
            environment=place.environment,
            checkout=lambda: Checkout.at(place.settings().source),
            log=click.echo,
        )
    settings = place.run_on(release).settings
    environment = {
        **place.environment,
        "DAGSTER_HOME": str(dagster_home(place.environment)),
        "TASKER_RELEASE_MANIFEST": settings.manifest,
    }
    command = [sys.executable, "-m", "tasker_release_pipeline.orchestration.bring_in", release]
    status = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, check=False).returncode
    if status == 0 and not Path(settings.source).is_dir():
        click.secho(
            f"The source of {release} was {settings.source}, which is not on this machine: set TASKER_RELEASE_SOURCE "
            "to a checkout here, for the web UI as well.",
            fg="yellow",
        )
    click.get_current_context().exit(1 if status else 0)
