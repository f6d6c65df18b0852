"""The version that each ecosystem's own tool reads of a package's source, before anything is built."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.manifest import Package
from tasker_release_pipeline.toolchains.runner import run
from tasker_release_pipeline.toolchains.tools import search_path

_SECONDS = 60
_GEMSPEC = "spec = Gem::Specification.load(ARGV[0]) or abort; puts spec.name, spec.version"


def declared(package: Package, source: Path, crates: Mapping[str, str], *, logfile: Path) -> tuple[str, str]:
    """The file that the version comes from, as seen from `source`, and the version as it is written there.

    `crates`: the versions of the workspace's members, as cargo has them. Raises InputError where there is none, and
    ToolError where Ruby can't read a gemspec.
    """
    folder = source / package.folder
    match package.registry:
        case RegistryName.CRATES_IO:
            file, version = folder / "Cargo.toml", crates.get(package.name)
        case RegistryName.RUBYGEMS:
            file, version = _gem(package, folder, logfile)
        case RegistryName.PYPI:
            file, version = _python(folder)
        case RegistryName.NPM:
            file, version = folder / "package.json", json.loads(_text(folder / "package.json")).get("version")
    if not version:
        raise InputError(f"{file.relative_to(source)}: has no version of {package.name}; write it there")
    return str(file.relative_to(source)), version


def _gem(package: Package, folder: Path, logfile: Path) -> tuple[Path, str | None]:
    for file in sorted(folder.glob("*.gemspec")):
        command = ["ruby", "-e", _GEMSPEC, file.name]
        env = {"PATH": search_path()}
        name, version = run(
            command, cwd=folder, seconds=_SECONDS, log=lambda _: None, env=env, logfile=logfile
        ).output.splitlines()[-2:]
        if name == package.name:
            return file, version
    return folder / f"{package.name}.gemspec", None


def _python(folder: Path) -> tuple[Path, str | None]:
    project: dict[str, Any] = tomllib.loads(_text(folder / "pyproject.toml")).get("project", {})
    if "version" not in project.get("dynamic", ()):
        return folder / "pyproject.toml", project.get("version")
    # maturin then takes the crate's.
    return folder / "Cargo.toml", tomllib.loads(_text(folder / "Cargo.toml")).get("package", {}).get("version")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{file}: can't be read ({error.strerror}); commit it, or correct the folder") from None
