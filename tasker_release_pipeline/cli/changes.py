"""`detect-changes` and `calculate-versions`: what would be released from what is checked out, for shells and for CI."""

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from tasker_release_pipeline.cli.command import ReleaseCommand
from tasker_release_pipeline.cli.keyvalue import lines, ref_of
from tasker_release_pipeline.cli.options import Place, common_options, from_option, json_option
from tasker_release_pipeline.release.manifest import Manifest

if TYPE_CHECKING:
    from tasker_release_pipeline.release.next_release import NextRelease


@click.command("detect-changes", cls=ReleaseCommand)
@from_option
@json_option
@common_options
def detect_changes(place: Place, from_ref: str | None, as_json: bool) -> None:
    """Say what changed since the last release, from git alone.

    Prints KEY=VALUE lines that a shell may eval and that $GITHUB_OUTPUT takes. CORE_CHANGED is a change of any crate, a
    binding's line one of its own folder. Versions that a release writes into files are no change, and uncommitted
    changes do not count.

    Counted from the nearest release tag (v1.2.3, release-...) in the history, leaving out those on the commit itself,
    which name the release that is looked at. Without such a tag everything changed, and CHANGES_BASE_REF is empty. No
    registry is asked: whether that tag was ever published is what `calculate-versions` finds out.

    \b
    Examples:
      eval "$(tasker-release detect-changes)" && echo "$CORE_CHANGED"
      tasker-release detect-changes --from v0.1.8 >> "$GITHUB_OUTPUT"
    """
    from tasker_release_pipeline.release.next_release import NextRelease  # noqa: PLC0415

    settings, checkout, manifest = place.opened(from_ref=from_ref)
    upcoming = NextRelease.of(checkout, manifest, settings.from_ref)
    if as_json:
        click.echo(json.dumps(_as_json(upcoming, manifest), indent=2))
    else:
        _print(_changes(upcoming, manifest))


@click.command("calculate-versions", cls=ReleaseCommand)
@from_option
@json_option
@common_options
def calculate_versions(place: Place, from_ref: str | None, as_json: bool) -> None:
    """Say what changed, and which versions the next release has.

    Prints the lines of `detect-changes`, then CURRENT_CORE_VERSION and NEXT_..._VERSION, which says `unchanged` for
    what is no part of the release. Versions are SemVer; PyPI and RubyGems write pre-releases their own way.

    All registries are asked what is published. Changes count from each component's last published version (its tag, or
    the nearest release tag), and no number is given twice. A registry that can't be asked is an error: nothing is known
    then. CHANGES_BASE_REF is the core's base; `--json` has that of each component.

    With `--registries rehearsal` the loopback registries in TASKER_RELEASE_REHEARSAL_REGISTRIES are asked; without that
    folder nothing is published yet.

    \b
    Example:
      eval "$(tasker-release calculate-versions)"
      tasker-release update-versions --core "$NEXT_CORE_VERSION" --ruby "$NEXT_RUBY_VERSION"
    """
    from tasker_release_pipeline.release.next_release import NextRelease  # noqa: PLC0415
    from tasker_release_pipeline.steps.published import ask_target  # noqa: PLC0415

    settings, checkout, manifest = place.opened(from_ref=from_ref)
    published = ask_target(settings, manifest, place.environment)
    upcoming = NextRelease.of(checkout, manifest, settings.from_ref, published)
    decisions = upcoming.decisions(manifest)
    following = {name: d.version if d.publish else "unchanged" for name, d in decisions.items()}
    if as_json:
        found = _as_json(upcoming, manifest)
        for name, decision in decisions.items():
            found["components"][name] |= {"next": following[name], "reasons": decision.reasons}
        click.echo(json.dumps(found, indent=2))
        return
    values = _changes(upcoming, manifest)
    if manifest.core is not None:
        values["CURRENT_CORE_VERSION"] = str(upcoming.facts[manifest.core].tree)
        values["NEXT_CORE_VERSION"] = following.pop(manifest.core)
    _print({**values, **{f"NEXT_{_upper(name)}_VERSION": version for name, version in following.items()}})


def _changes(upcoming: "NextRelease", manifest: Manifest) -> dict[str, str | bool]:
    facts = upcoming.facts
    first = facts[manifest.core or next(iter(facts))]
    values: dict[str, str | bool] = {"CHANGES_BASE_REF": ref_of(first.base)}
    if manifest.core is not None:
        values["FFI_CORE_CHANGED"] = first.changes.ffi_core
        values["SERVER_CORE_CHANGED"] = first.changes.server_core
        values["CORE_CHANGED"] = first.changes.core
    bindings = [name for name in manifest.components if name != manifest.core]
    return values | {f"{_upper(name)}_CHANGED": bool(_paths(upcoming, manifest, name)) for name in bindings}


def _as_json(upcoming: "NextRelease", manifest: Manifest) -> dict[str, Any]:
    core = upcoming.facts[manifest.core].changes if manifest.core is not None else None
    return {
        "commit": upcoming.commit,
        "ffi_core_changed": core is not None and core.ffi_core,
        "server_core_changed": core is not None and core.server_core,
        "components": {
            name: {
                "base": known.base.model_dump(mode="json"),
                "changed": _paths(upcoming, manifest, name),
                "current": str(known.tree),
            }
            for name, known in upcoming.facts.items()
        },
        # What packages ship or are built with, though no package counts it as a change.
        "unclassified": sorted({path for known in upcoming.facts.values() for path in known.changes.unclassified}),
    }


def _paths(upcoming: "NextRelease", manifest: Manifest, component: str) -> dict[str, tuple[str, ...]]:
    """By package of the component its changed paths."""
    changed = upcoming.facts[component].changes.packages
    return {key: paths for key, paths in changed.items() if manifest.package(key).component == component}


def _upper(component: str) -> str:
    return re.sub(r"\W", "_", component.upper())


def _print(values: Mapping[str, str | bool]) -> None:
    # All or none: a shell that evals half of them would go on with the other half unset.
    click.echo("\n".join(list(lines(values))))
