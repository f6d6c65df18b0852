"""What a built file says of versions: its own, and those of the crates that it needs exactly."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from tasker_release_pipeline.checks.archives import read_archive
from tasker_release_pipeline.checks.cargo_files import dependencies
from tasker_release_pipeline.checks.findings import error
from tasker_release_pipeline.registries.compare import same_version
from tasker_release_pipeline.release.plan import Finding, PackagePlan
from tasker_release_pipeline.toolchains.inspect import identify


def embedded_version(path: Path, package: PackagePlan, crates: Mapping[str, str]) -> list[Finding]:
    """Whether a file's own metadata says what was planned, by its registry's rule, and its `=` pins as well.

    `crates`: the planned version of each. Raises InputError where the file can't be read.
    """
    name, version = identify(path, package.registry)
    found = []
    if not same_version(package.registry, version, package.version):
        found.append(
            error(
                f"{path.name}: its own metadata says {name} {version}, the plan has {package.version}; find what "
                "writes the old version, and make it a carrier in the manifest"
            )
        )
    return [*found, *_pins(path, package, crates)]


def _pins(path: Path, package: PackagePlan, crates: Mapping[str, str]) -> Iterator[Finding]:
    archive = read_archive(path, package.registry)
    for file, content in archive.files.items():
        if PurePosixPath(file).name != "Cargo.toml":
            continue
        try:
            cargo = tomllib.loads(content.decode("utf-8"))
        except ValueError:  # the checks of the contents say so
            continue
        for name, needed in dependencies(cargo):
            table = needed if isinstance(needed, dict) else {"version": needed}
            crate, pin = str(table.get("package", name)), str(table.get("version", "")).strip()
            if crate in crates and pin.startswith("=") and pin[1:].strip() != crates[crate]:
                yield error(
                    f"{archive.file}: {file} requires {crate} {pin}, the plan has {crates[crate]}; write "
                    f'version = "={crates[crate]}" there'
                )
