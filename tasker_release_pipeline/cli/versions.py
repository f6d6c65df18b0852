"""`update-versions`: versions written into the files that carry them."""

import difflib
import json
import re
from collections.abc import Iterator

import click
from semver import Version

from tasker_release_pipeline.cli.command import ReleaseCommand
from tasker_release_pipeline.cli.options import Place, common_options, json_option
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.manifest import Manifest
from tasker_release_pipeline.release.versions import REGISTRY_STYLE, parse, render

UNCHANGED = "unchanged"


def _version(_ctx: click.Context, _param: click.Parameter, text: str | None) -> Version | str | None:
    """A version with three parts, or `unchanged`, which `calculate-versions` prints."""
    try:
        return text if text is None or text == UNCHANGED else parse(text, "version")
    except InputError as error:
        raise click.BadParameter(str(error)) from None


@click.command("update-versions", cls=ReleaseCommand)
@click.option("--core", callback=_version, metavar="V", help="Of all crates, and of the pins that lead to them.")
@click.option("--ruby", callback=_version, metavar="V", help="Of the gem.")
@click.option("--python", callback=_version, metavar="V", help="Of the wheels.")
@click.option("--typescript", callback=_version, metavar="V", help="Of the npm package.")
@click.option("--dry-run", is_flag=True, help="Print the changes as a diff, and write nothing.")
@json_option
@common_options
def update_versions(place: Place, dry_run: bool, as_json: bool, **given: Version | str | None) -> None:
    """Write versions into every file of the checkout that carries one.

    VERSION, Cargo.toml, pins of our own crates, version.rb, pyproject.toml, package.json, and our own entries in
    lockfiles. Nothing else in these files changes, nothing is committed, and no tool or registry is asked. A component
    that is not named keeps its version, as does one that is given `unchanged`. All files are written, or none.

    V is SemVer with three parts; a pre-release like 0.2.0-rc.1 is written 0.2.0rc1 for PyPI, 0.2.0.rc.1 for RubyGems.

    \b
    Examples:
      tasker-release update-versions --core 0.1.9 --ruby 0.1.9 --dry-run | git apply --stat
      eval "$(tasker-release calculate-versions)"
      tasker-release update-versions --core "$NEXT_CORE_VERSION" --python "$NEXT_PYTHON_VERSION"
    """
    from tasker_release_pipeline.release.stamping import rewrites, tree_versions  # noqa: PLC0415
    from tasker_release_pipeline.release.working_tree import working_tree, write_files  # noqa: PLC0415

    if not any(given.values()):
        raise click.UsageError("name at least one version, as in --core 0.1.9")
    _, checkout, manifest = place.opened()
    wanted = {name: version for name, version in given.items() if isinstance(version, Version)}
    _check(wanted, manifest)
    tree = working_tree(checkout)
    before = tree_versions(tree.read, manifest, str(checkout.path))
    after = before | wanted
    texts = rewrites(tree, manifest, after)
    if not dry_run:
        write_files(checkout.path, texts)
    if as_json:
        versions = {name: {"from": str(before[name]), "to": str(after[name])} for name in before}
        click.echo(json.dumps({"versions": versions, "files": list(texts), "written": not dry_run}, indent=2))
    elif dry_run:
        for path, text in texts.items():
            click.echo("".join(_diff(path, tree.read(path) or "", text)), nl=False)
    else:
        for name, version in after.items():
            click.echo(f"{name} {version}" if version == before[name] else f"{name} {before[name]} -> {version}")
        for path in texts:
            click.echo(f"  {path}")
        if not texts:
            click.echo("Nothing to change: all files say these versions.")


def _check(wanted: dict[str, Version], manifest: Manifest) -> None:
    """Refuse what no file of a component, or not its registry, could say. Raises InputError, UsageError."""
    for component, version in wanted.items():
        if component not in manifest.components:
            raise click.UsageError(
                f"--{component}: the manifest {manifest.name} has no such component; it has "
                + ", ".join(manifest.components)
            )
        for package in manifest.of_component(component):
            render(version, REGISTRY_STYLE[package.registry])


def _diff(path: str, before: str, after: str) -> Iterator[str]:
    """A diff that `git apply` takes, in colours."""
    colours = {"+": "green", "-": "red", "@": "cyan"}
    # Lines as git and patch see them, which end with a line feed and with nothing else.
    old, new = (re.findall(r"[^\n]*\n|[^\n]+", text) for text in (before, after))
    for line in difflib.unified_diff(old, new, f"a/{path}", f"b/{path}"):
        ended = line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        yield click.style(ended, fg=colours.get(line[0]))
