"""Whether the stamped source says the plan's versions, everywhere and to every tool."""

import json
from collections.abc import Mapping
from pathlib import Path

from tasker_release_pipeline.checks.declared import declared
from tasker_release_pipeline.registries.compare import same_version
from tasker_release_pipeline.release.cargo_packages import cargo_versions
from tasker_release_pipeline.release.checks import Report
from tasker_release_pipeline.release.errors import InputError, ToolError
from tasker_release_pipeline.release.manifest import Manifest
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.release.stamping import Tree, disagreements
from tasker_release_pipeline.toolchains.cargo_metadata import members, metadata


def versions_as_planned(manifest: Manifest, plan: Plan, tree: Tree, source: Path, *, logfile: Path) -> Report:
    """Every carrier, `=` pin and own lockfile entry has the plan's version; so has what cargo and Ruby read.

    A member of the workspace that kept the version which the core had before is a warning: the manifest has no carrier
    for it. `source`: the folder that holds `tree`. Raises ToolError where cargo refuses the workspace.
    """
    crates = {member.name: member for member in members(metadata(source))}
    errors, evidence = disagreements(tree, manifest, plan.versions), {}
    numbers = {name: member.version for name, member in crates.items()}
    for package in manifest.packages:
        planned = plan.package(package.key)
        try:
            file, version = declared(package, source, numbers, logfile=logfile)
        except (InputError, ToolError, json.JSONDecodeError) as error:
            errors.append(f"{package.key}: its version can't be told: {error}")
            continue
        evidence[package.key] = f"{version} ({file})"
        if not same_version(package.registry, version, planned.version):
            errors.append(
                f"{file}: {package.name} is built as {version}, expected {planned.version}; let it take the version "
                f"from a carrier of {package.component} in the manifest, or make it one"
            )
    warnings = [
        f"{crates[name].file}: {name} still has the version {version}, which the core had before; name it among the "
        "carriers in the manifest, if it is to follow"
        for name, version in _left_behind(manifest, plan, tree, numbers).items()
    ]
    return Report.of(errors=errors, warnings=warnings, evidence=evidence, seen="all say the plan's versions")


def _left_behind(manifest: Manifest, plan: Plan, tree: Tree, members: Mapping[str, str]) -> dict[str, str]:
    if manifest.core is None:
        return {}
    before = plan.components[manifest.core].tree
    try:
        carried = cargo_versions(tree, manifest, plan.versions)
    except InputError:  # said above
        return {}
    planned = {str(version) for version in plan.versions.values()}
    return {n: v for n, v in members.items() if n not in carried and v == before and v not in planned}
