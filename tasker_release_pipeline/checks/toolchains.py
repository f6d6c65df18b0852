"""Which toolchains build: pinned by a file of the source, or at least on record."""

import json
import re
import shutil
import tomllib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tasker_release_pipeline.release.checks import Report
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import ToolError
from tasker_release_pipeline.release.manifest import Manifest
from tasker_release_pipeline.toolchains.runner import run
from tasker_release_pipeline.toolchains.tools import ANSWER_SECONDS, search_path

_NUMBER = re.compile(r"\d+(?:\.\d+)*")


@dataclass(frozen=True)
class _Pin:
    """A file that may pin a tool; `read` gives what it says, empty where it says nothing of this tool."""

    tool: str
    file: str
    read: Callable[[str], str]


def _rust(text: str) -> str:
    return str(tomllib.loads(text).get("toolchain", {}).get("channel", ""))


def _package_manager(text: str) -> str:
    tool, _, version = str(json.loads(text).get("packageManager", "")).partition("@")
    return version if tool == "bun" else ""


def _engine(text: str) -> str:
    return str(json.loads(text).get("engines", {}).get("node", ""))


_PINS = (
    _Pin("rustc", "rust-toolchain.toml", _rust),
    _Pin("rustc", "rust-toolchain", str.strip),
    _Pin("ruby", ".ruby-version", str.strip),
    _Pin("python3", ".python-version", str.strip),
    _Pin("node", ".node-version", str.strip),
    _Pin("node", ".nvmrc", str.strip),
    _Pin("node", "package.json", _engine),
    _Pin("bun", "package.json", _package_manager),
)
_BUILT_WITH = {
    RegistryName.CRATES_IO: ("rustc",),
    RegistryName.RUBYGEMS: ("rustc", "ruby"),
    RegistryName.PYPI: ("rustc", "python3"),
    RegistryName.NPM: ("node", "bun"),
}


def toolchains_are_known(manifest: Manifest, registries: Iterable[RegistryName], source: Path) -> Report:
    """Each toolchain that builds has its version on record; a warning where the source pins another one.

    `registries`: those that something is built for. A tool that does not tell its version is a warning unless the
    source pins it.
    """
    tools: dict[str, list[Path]] = {}
    for registry in registries:
        commands = {command.run[0] for command in manifest.registries[registry].build.commands}
        for tool in _BUILT_WITH[registry]:
            if tool != "bun" or "bun" in commands:
                folders = [source / package.folder for package in manifest.of_registry(registry)]
                tools.setdefault(tool, []).extend(folders)
    with ThreadPoolExecutor(max_workers=len(_PINS)) as pool:
        versions = dict(zip(tools, pool.map(lambda tool: _version(tool, source), tools), strict=True))
    warnings, evidence = [], {}
    for tool, folders in tools.items():
        if shutil.which(tool, path=search_path()) is None:
            evidence[tool] = "not here: another job builds with it"
            continue
        pins = _pins(tool, [*folders, source], source)
        evidence[tool] = f"{versions[tool] or 'unknown'}, " + (
            ", ".join(f"pinned to {pin} by {file}" for file, pin in pins.items()) or "not pinned"
        )
        if not versions[tool] and not pins:
            warnings.append(f"{tool}: neither pinned by the source nor telling its version; pin it, or mend the tool")
        warnings += [
            f"{file}: pins {tool} to {pin}, this machine builds with {versions[tool]}; install {pin}, or correct it"
            for file, pin in pins.items()
            if versions[tool] and not _agrees(pin, versions[tool])
        ]
    return Report.of(warnings=warnings, evidence=evidence, seen=", ".join(f"{t} {e}" for t, e in evidence.items()))


def _pins(tool: str, folders: Iterable[Path], source: Path) -> Mapping[str, str]:
    found = {}
    for pin in _PINS:
        for file in {folder / pin.file for folder in folders if pin.tool == tool}:
            try:
                said = pin.read(file.read_text(encoding="utf-8"))
            except (OSError, ValueError, AttributeError):
                continue
            if said:
                found[str(file.relative_to(source))] = said
    return found


def _version(tool: str, source: Path) -> str:
    """Asked in the source's folder, where version managers heed its pins. Empty where it does not tell."""
    try:
        said = run(
            [tool, "--version"], cwd=source, seconds=ANSWER_SECONDS, log=lambda _: None, env={"PATH": search_path()}
        )
    except ToolError:
        return ""
    found = _NUMBER.search(said.output)
    return found[0] if found else ""


def _agrees(pin: str, version: str) -> bool:
    """Whether the version is of the pinned ones; a range or a channel (`>=20`, `stable`) can't be told, and is fine."""
    exact = re.fullmatch(r"[a-z-]*v?(\d+(?:\.\d+)*)", pin)
    return exact is None or f"{version}.".startswith(f"{exact[1]}.")
