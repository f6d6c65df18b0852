"""`status`: how releases stand."""

import click

from tasker_release_pipeline.cli.command import ReleaseCommand
from tasker_release_pipeline.cli.options import Place, common_options, json_option
from tasker_release_pipeline.cli.table import table

_COLOURS = {"published": "green", "missing": "yellow", "in part": "yellow", "other content": "red", "unknown": "red"}


@click.command(cls=ReleaseCommand)
@click.argument("release", required=False)
@json_option
@common_options
def status(place: Place, release: str | None, as_json: bool) -> None:
    """Say how RELEASE stands, package by package; without it, list the releases in the store.

    What this pipeline recorded of each package (its last outcome), beside what the registry says now: `published` (all
    our files, by their digests), `in part`, `missing`, `other content` (the version is taken), `unknown` (could not be
    asked, which is never "no"). Before anything is built versions are all there is to compare. A package that is no
    part of the release shows the version that it stays at.

    Exits with 0 however the release stands; with 1 where it can't be read.

    \b
    Examples:
      tasker-release status
      tasker-release status v0.1.9
      tasker-release status v0.1.9 --json | jq -r '.packages[] | select(.presence != "published") | .package'
    """
    from tasker_release_pipeline.steps.known_releases import releases, row  # noqa: PLC0415

    if release is None:
        rows = [row(key, place.environment) for key in releases(place.environment)]
        if as_json:
            click.echo(f"[{','.join(known.model_dump_json() for known in rows)}]")
        elif rows:
            listed = [
                [
                    r.release,
                    r.registries,
                    f"{r.published} of {r.packages}",
                    r.verdict,
                    r.at and f"{r.at:%Y-%m-%d %H:%M}",
                ]
                for r in rows
            ]
            click.echo(table(["release", "registries", "published", "gate", "last (UTC)"], listed))
        else:
            click.echo("No releases in the store.")
        return
    from tasker_release_pipeline.steps.status import look_up  # noqa: PLC0415

    found = look_up(place.run_on(release))
    if as_json:
        click.echo(found.model_dump_json(indent=2))
        return
    click.echo(f"{found.release} ({found.registries}) of {found.commit[:12]}")
    gate = f"{found.verdict} for a {found.mode}" if found.verdict else "not given yet"
    click.echo(f"gate: {gate}{'' if found.files else '; nothing is built and listed yet'}\n")
    rows_of_packages = [
        [
            p.name,
            p.version if p.publish else f"{p.version} (unchanged)",
            p.registry,
            p.outcome or "-",
            p.presence,
            p.detail,
        ]
        for p in found.packages
    ]
    head = ["package", "version", "registry", "recorded", "registry now", ""]
    click.echo(table(head, rows_of_packages, colours=_COLOURS))
