"""`prepare`: the next release as a commit and a tag, ready to be pushed."""

import json

import click

from tasker_release_pipeline.cli.command import ReleaseCommand
from tasker_release_pipeline.cli.options import Place, common_options, from_option, json_option
from tasker_release_pipeline.cli.table import table


@click.command(cls=ReleaseCommand)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and what speaks against it; change nothing.")
@from_option
@json_option
@common_options
def prepare(place: Place, dry_run: bool, from_ref: str | None, as_json: bool) -> None:
    """Make the commit and the tag of the next release, and print the command that pushes them.

    Asks the registries what is published, plans as a release would, writes the versions into the files, commits that on
    the branch that is checked out, and tags it: v1.2.3 where the crates are released, release-YYYYMMDD-HHMM (UTC) where
    bindings are alone. Nothing is pushed, built or published. Run again it finds what is there, and says so; failed or
    interrupted it leaves everything as it was.

    Refused are uncommitted changes of tracked files, a branch behind its upstream (as of the last fetch), a detached
    HEAD, a tag that stands elsewhere, and a workspace that the manifest does not describe. The commit is the same in
    every clone, and the very one that a rehearsal builds.

    \b
    Examples:
      tasker-release prepare --dry-run
      tasker-release prepare && git push --atomic origin main v0.1.9
    """
    from tasker_release_pipeline.release.plan import Severity  # noqa: PLC0415
    from tasker_release_pipeline.steps.prepare import look  # noqa: PLC0415

    settings, checkout, manifest = place.opened(from_ref=from_ref)
    found = look(settings, checkout, manifest, place.environment)
    if found is None:
        click.echo("{}" if as_json else "Nothing to release: no package changed since it was published.")
        return
    if not dry_run:
        found.carry_out()
    if as_json:
        packages = {p.key: p.version if p.publish else "unchanged" for p in found.plan.packages}
        said = {"tag": found.tag, "commit": found.prepared, "packages": packages, "files": found.changed}
        findings = [finding.model_dump(mode="json") for finding in found.findings]
        click.echo(json.dumps({**said, "done": found.done, "findings": findings, "push": found.push}, indent=2))
        return
    rows = [
        [p.name, p.version if p.publish else "unchanged", p.dist_tag if p.publish else "", "; ".join(p.reasons)]
        for p in found.plan.packages
    ]
    click.echo(table(["package", "version", "dist-tag", "why"], rows))
    for finding in found.findings:
        colour = "red" if finding.severity is Severity.ERROR else "yellow"
        click.secho(f"{finding.severity}: {finding.message}", fg=colour, err=True)
    at = f"{found.tag} at {found.prepared[:12]} on {found.branch or '(no branch)'}"
    if found.done:
        click.echo(f"\nPrepared already: {at}.")
    elif dry_run:
        files = f", {len(found.changed)} files changed: {' '.join(found.changed)}" if found.changed else ""
        click.echo(f"\nWould be {at}{files}.")
        if any(finding.severity is Severity.ERROR for finding in found.findings):
            click.get_current_context().exit(1)
        return
    else:
        click.echo(f"\nPrepared {at}.")
    click.echo(f"Nothing is pushed yet. The push starts the release:\n\n  {found.push}")
