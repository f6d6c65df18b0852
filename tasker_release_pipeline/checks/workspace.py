"""The manifest against what cargo knows of the workspace."""

from collections.abc import Mapping
from typing import Any

from tasker_release_pipeline.release.checks import Report
from tasker_release_pipeline.release.manifest import Manifest
from tasker_release_pipeline.toolchains.cargo_metadata import check_manifest, members


def manifest_matches_cargo(manifest: Manifest, metadata: Mapping[str, Any]) -> Report:
    """The crates that the manifest publishes are those of the workspace, in an order that their edges allow.

    A member that crates.io would take and the manifest does not know is a warning: after a renaming, or a new one.
    """
    known = {package.name for package in manifest.crates}
    # A binding's own crate is published inside of the binding.
    bindings = [f"{package.folder}/" for package in manifest.bindings]
    unlisted = [
        member
        for member in members(metadata)
        if member.publishable and member.name not in known and not member.file.startswith(tuple(bindings))
    ]
    return Report.of(
        errors=check_manifest(manifest, metadata),
        warnings=[
            f"{member.file}: {member.name} could be published, and the manifest {manifest.name} does not know it; list "
            "it there, or write publish = false"
            for member in unlisted
        ],
        evidence={package.name: f"{package.folder}, phase {package.phase}" for package in manifest.crates},
        seen=f"{len(known)} crates, as cargo has them",
    )
