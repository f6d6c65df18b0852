"""The version that an artifact carries, against the plan, by its registry's own rules."""

import posixpath
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from packaging.utils import InvalidWheelFilename, canonicalize_version, parse_wheel_filename

from tasker_release_pipeline.checks.archives import read_archive
from tasker_release_pipeline.checks.cargo_files import dependencies
from tasker_release_pipeline.checks.findings import error
from tasker_release_pipeline.registries.compare import same_version
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.plan import Finding, PackagePlan
from tasker_release_pipeline.toolchains.inspect import identify


def embedded_version(path: Path, planned: PackagePlan, crates: Mapping[str, str]) -> list[Finding]:
    """What in one artifact is not of the plan: its own version, its file's name, its `=` pins on planned crates.

    `crates`: the planned version of each crate, by name. Raises InputError where it can't be read.
    """
    registry = planned.registry
    _, says = identify(path, registry)
    found = list(_pins(path, registry, crates))
    if not same_version(registry, says, planned.version):
        found.append(
            error(
                f"{path.name}: says it is {says}, the plan has {planned.version}; a version carrier of "
                f"{planned.component} is missing in the manifest, or its build wrote another"
            )
        )
    if path.suffix == ".whl" and canonicalize_version(_named(path)) != canonicalize_version(says):
        found.append(error(f"{path.name}: its METADATA says {says}, and PyPI refuses two versions; build it again"))
    return found


def _named(wheel: Path) -> str:
    try:
        return str(parse_wheel_filename(wheel.name)[1])
    except InvalidWheelFilename:
        return ""


def _pins(path: Path, registry: RegistryName, crates: Mapping[str, str]) -> Iterator[Finding]:
    for member, content in read_archive(path, registry).files.items():
        if posixpath.basename(member) != "Cargo.toml":
            continue
        try:
            cargo = tomllib.loads(content.decode("utf-8"))
        except ValueError:
            continue  # another check says so
        for name, needed in dependencies(cargo):
            crate = needed.get("package", name) if isinstance(needed, dict) else name
            version = needed.get("version", "") if isinstance(needed, dict) else str(needed)
            pin = version.removeprefix("=").strip()
            if crate in crates and version.startswith("=") and pin != crates[crate]:
                yield error(
                    f"{path.name}: {member} pins {crate} to {pin}, the plan has {crates[crate]}; write the pin as `=` "
                    "with the crate's own version in the source, so that stamping finds it"
                )
