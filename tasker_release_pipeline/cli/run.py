"""`run`: a release by its graph, in a process of its own."""

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tasker_release_pipeline.cli.command import INTERRUPTED, ReleaseCommand
from tasker_release_pipeline.cli.options import Place, common_options, from_option
from tasker_release_pipeline.cli.progress import Progress
from tasker_release_pipeline.release.settings import LATCH, OnDuplicate
from tasker_release_pipeline.steps.home import dagster_home
from tasker_release_pipeline.toolchains.watchdog import unwatch, watch

if TYPE_CHECKING:
    from tasker_release_pipeline.steps.run import ReleaseRun

JOBS = (
    "release",
    "detect_and_calculate",
    "pre_flight_check",
    "build_ruby",
    "build_python",
    "build_typescript",
    "probe_pypi",
    "probe_npm",
    "gate",
    "publish_crates",
    "publish_ruby",
    "publish_python",
    "publish_typescript",
    "github_release",
    "release_summary",
)


@click.command(cls=ReleaseCommand)
@click.argument("release")
@click.option(
    "--dry-run/--no-dry-run",
    default=None,
    envvar="TASKER_RELEASE_DRY_RUN",
    show_envvar=True,
    help="End at the gate and upload nothing.  [default: what this release used before, else --dry-run]",
)
@click.option(
    "--on-duplicate",
    type=click.Choice([choice.value for choice in OnDuplicate]),
    envvar="TASKER_RELEASE_ON_DUPLICATE",
    show_envvar=True,
    help="What to do about a version that is published already with the same content.  [default: warn]",
)
@click.option(
    "--job",
    "jobs",
    type=click.Choice(JOBS),
    multiple=True,
    default=("release",),
    metavar="NAME",
    help="A slice of the release instead of all of it; several run one after the other.  [default: release]",
)
@from_option
@common_options
def run(
    place: Place,
    release: str,
    *,
    dry_run: bool | None,
    on_duplicate: str | None,
    jobs: tuple[str, ...],
    from_ref: str | None,
) -> None:
    """Plan, build, prove and (unless it is a dry run) publish RELEASE.

    RELEASE is the tag, like v0.1.9 or release-20260208-1828; a rehearsal, with `--registries rehearsal`, has a key like
    rehearsal-20260301-0300. Run again, a release continues: what is published is not sent twice.

    The public registries take uploads only with `--no-dry-run` and RELEASE_DRY_RUN=false in the environment.

    Runs Dagster's job in a process of its own, which records it in DAGSTER_HOME (default: .tasker-release/dagster), or
    where DAGSTER_POSTGRES_URL is set in Postgres. On a terminal one line shows what is being done, elsewhere each line
    of each tool is printed; the store keeps them all.
    Exits with 0, or with 1 where anything failed; the summary says what, and the command that repairs it.

    \b
    Jobs: release (everything), or its slices, in this order: detect_and_calculate, pre_flight_check, build_ruby,
    build_python, build_typescript, probe_pypi, probe_npm, gate, publish_crates, publish_ruby, publish_python,
    publish_typescript, github_release, release_summary.

    \b
    Examples:
      tasker-release run v0.1.9
      tasker-release run rehearsal-20260301-0300 --registries rehearsal --no-dry-run
      RELEASE_DRY_RUN=false tasker-release run v0.1.9 --no-dry-run
    """
    # Settled here already, so that wrong settings are refused at once, and the graph is that of the release's manifest.
    settled = place.run_on(release, dry_run=dry_run, on_duplicate=on_duplicate, from_ref=from_ref)
    if dry_run is False and settled.settings.dry_run:
        click.secho(f"A dry run: {LATCH} is not false, and {release} is meant for live registries.", fg="yellow")
    click.echo(f"{release}: {settled.mode}, from {settled.settings.source}")
    environment = _environment(place, settled)
    statuses = []
    with _run_config(settled.settings.model_dump(mode="json")) as config:
        for job in jobs:
            statuses.append(_execute(job, release, config, environment))
            if statuses[-1]:
                break
    if settled.store.read_text("summary.md") is not None:
        click.echo(f"Summary: {settled.store.folder / 'summary.md'}")
    context = click.get_current_context()
    if INTERRUPTED in statuses:
        click.echo("Interrupted. Run it again to continue.", err=True)
        context.exit(INTERRUPTED)
    context.exit(1 if any(statuses) else 0)


def _environment(place: Place, settled: "ReleaseRun") -> dict[str, str]:
    """Dagster's environment: ours, with the manifest that its graph is made from, and a home."""
    home = dagster_home(place.environment)
    given = {"DAGSTER_HOME": str(home), "TASKER_RELEASE_MANIFEST": settled.settings.manifest, "PYTHONUNBUFFERED": "1"}
    return {**place.environment, **given}


@contextmanager
def _run_config(settings: Mapping[str, Any]) -> Iterator[Path]:
    """A run config of these settings, in which nothing is secret."""
    loggers = {"console": {"config": {"log_level": "INFO"}}}
    with tempfile.TemporaryDirectory(prefix="tasker-release-") as folder:
        path = Path(folder, "run.yaml")  # JSON is YAML
        path.write_text(json.dumps({"resources": {"settings": {"config": settings}}, "loggers": loggers}))
        yield path


def _execute(job: str, release: str, config: Path, environment: Mapping[str, str]) -> int:
    """Dagster's exit status; 130 where we were interrupted, and it ended in order."""
    # Dagster's own word that another command follows it is for us, not for who releases.
    command = [sys.executable, "-W", "ignore:Function `job_execute_command` is superseded", "-m", "dagster"]
    options = ["-m", "tasker_release_pipeline", "-j", job, "-c", str(config)]
    interrupted: list[int] = []
    process: subprocess.Popen[str] | None = None

    def pass_on(number: int, _frame: object) -> None:
        interrupted.append(number)
        if process is not None:
            process.send_signal(signal.SIGINT if len(interrupted) == 1 else signal.SIGTERM)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        # A session of its own: a Ctrl-C reaches it once, through us, and we see it end.
        process = subprocess.Popen(
            [*command, "job", "execute", *options, "--tags", json.dumps({"dagster/partition": release})],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
            errors="replace",
        )
        watch(process.pid)
        if interrupted:
            process.send_signal(signal.SIGINT)
        with process, Progress() as progress:
            for line in process.stdout or ():
                progress.line(line.rstrip("\n"))
        unwatch(process.pid)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return INTERRUPTED if interrupted else process.returncode
