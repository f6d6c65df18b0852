"""Which tools a release needs, where they are looked for, and which versions are there."""

import os
import re
import sys
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from packaging.version import Version

from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import ToolError
from tasker_release_pipeline.release.manifest import Manifest
from tasker_release_pipeline.toolchains.runner import run

ANSWER_SECONDS = 20.0
"""How long a tool may take to say its version: a busy machine's first start of Ruby takes some."""

# Who uploads to a registry, inspects and installs from it; installing a gem compiles it.
_CLIENTS = {
    RegistryName.CRATES_IO: {"cargo"},
    RegistryName.RUBYGEMS: {"gem", "ruby", "cargo"},
    RegistryName.PYPI: {"uv"},
    RegistryName.NPM: {"npm", "node"},
}
_COMPILERS = {RegistryName.PYPI: {"cargo"}}
_NUMBER = re.compile(r"\d+(?:\.\d+)+")


class Tools(NamedTuple):
    """`versions`: those found, by tool. `problems`: one line for each tool that is missing, too old or silent."""

    versions: dict[str, str]
    problems: list[str]


def search_path() -> str:
    """The PATH that tools are looked for in: this Python's own folder, the project's `.tools`, then the environment's.

    uv and maturin are installed beside Python, Bun by the set-up into the `.tools` beside the virtual environment.
    """
    own = Path(sys.prefix).parent / ".tools" / "node" / "node_modules" / ".bin"
    folders = [str(Path(sys.executable).parent), *([str(own)] if own.is_dir() else [])]
    return os.pathsep.join([*folders, os.environ.get("PATH", os.defpath)])


def needed(
    manifest: Manifest, builds: Collection[RegistryName], uploads: Collection[RegistryName] = ()
) -> tuple[str, ...]:
    """The tools that it takes to build for some registries, upload to these or others, and install from them; sorted.

    Build commands say what they run by their first word, and by any that `manifest.tools` knows. A tool that
    `manifest.tools` alone names (protoc) is needed to compile the crates.
    """
    tools = {"git"}.union(
        *(_to_build(manifest, registry) for registry in builds), *(_CLIENTS[registry] for registry in uploads)
    )
    if "cargo" in tools:
        everywhere = {tool for registry in RegistryName for tool in _to_build(manifest, registry)}
        tools |= set(manifest.tools) - everywhere
    return tuple(sorted(tools))


def check_tools(manifest: Manifest, builds: Collection[RegistryName], uploads: Collection[RegistryName] = ()) -> Tools:
    """Ask all needed tools for their versions, at once, and compare them with the manifest's minima."""
    tools = needed(manifest, builds, uploads)
    with ThreadPoolExecutor(max_workers=len(tools)) as pool:
        answers = dict(zip(tools, pool.map(_version, tools), strict=True))
    versions = {tool: answer for tool, answer in answers.items() if not isinstance(answer, ToolError)}
    problems = [str(answer) for answer in answers.values() if isinstance(answer, ToolError)]
    for tool, version in versions.items():
        least = manifest.tools.get(tool)
        if least is not None and Version(version) < Version(least):
            problems.append(
                f"{tool} {version} is too old: the manifest {manifest.name} needs {least} or newer; update it, "
                "or put a newer one first in PATH"
            )
    return Tools(versions, problems)


def _to_build(manifest: Manifest, registry: RegistryName) -> set[str]:
    section = manifest.registries.get(registry)
    commands = section.build.commands if section else ()
    # A path is a script of the workspace, no tool to be installed. `uv run maturin` runs two.
    first = {command.run[0] for command in commands if "/" not in command.run[0]}
    started = {word for command in commands for word in command.run if word in manifest.tools}
    return {*_CLIENTS[registry], *_COMPILERS.get(registry, ()), *first, *started}


def _version(tool: str) -> str | ToolError:
    try:
        answer = run(
            [tool, "--version"],
            cwd=Path(sys.prefix),
            seconds=ANSWER_SECONDS,
            log=_say_nothing,
            env={"PATH": search_path()},
        )
    except ToolError as error:
        said = " ".join(str(error).split())
        return ToolError(f"{said} (or `make set-up`)" if f"{Path(tool).name} is missing" in said else said)
    number = _NUMBER.search(answer.output)
    return number[0] if number else ToolError(f"{tool} --version says no version: {answer.output[:200]!r}")


def _say_nothing(_line: str) -> None:
    pass
