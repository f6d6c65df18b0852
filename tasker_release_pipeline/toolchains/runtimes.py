"""Pythons, Rubies and Nodes at hand: which versions there are beside the one that comes first in PATH."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import ToolError
from tasker_release_pipeline.toolchains.runner import run
from tasker_release_pipeline.toolchains.tools import ANSWER_SECONDS

INTERPRETERS = {RegistryName.RUBYGEMS: "ruby", RegistryName.PYPI: "python", RegistryName.NPM: "node"}
"""What runs the packages of a registry; crates need none."""

# Below the folder that a variable names, or below the home: version managers, and the tool cache of GitHub's runners.
_MANAGERS = {
    "python": (
        ("PYENV_ROOT", ".pyenv", "versions/{}*/bin"),
        ("UV_PYTHON_INSTALL_DIR", ".local/share/uv/python", "cpython-{}*/bin"),
        ("RUNNER_TOOL_CACHE", "hostedtoolcache", "Python/{}*/*/bin"),
    ),
    "ruby": (
        ("RBENV_ROOT", ".rbenv", "versions/{}*/bin"),
        ("RUNNER_TOOL_CACHE", "hostedtoolcache", "Ruby/{}*/*/bin"),
    ),
    "node": (
        ("NVM_DIR", ".nvm", "versions/node/v{}*/bin"),
        ("RUNNER_TOOL_CACHE", "hostedtoolcache", "node/{}*/*/bin"),
    ),
}


@dataclass(frozen=True)
class Runtime:
    """An interpreter. `folder`: what has to come first in PATH for it, and for what comes with it (gem, npm)."""

    program: Path
    version: str

    @property
    def folder(self) -> Path:
        """Where it lies, with what comes with it."""
        return self.program.parent


def find(interpreter: str, wanted: str, environment: Mapping[str, str] = os.environ) -> Runtime | None:
    """The interpreter (`python`, `ruby`, `node`) of the release line `wanted` (`3.11`, `20`); None: not at hand.

    Looked for in PATH, with and without the number in its name, then where version managers keep theirs.
    """
    for program in _candidates(interpreter, wanted, environment):
        found = _version(program)
        if f"{found}.".startswith(f"{wanted}."):
            return Runtime(program, found)
    return None


def _version(program: Path) -> str:
    """What it says of itself; nothing where it does not run, as a version manager's shim may."""
    command = [str(program), "--version"]
    try:
        said = run(command, cwd=Path(sys.prefix), seconds=ANSWER_SECONDS, log=lambda _line: None).output
    except ToolError:
        return ""
    number = re.search(r"\d+(?:\.\d+)+", said)
    return number[0] if number else ""


def _candidates(interpreter: str, wanted: str, environment: Mapping[str, str]) -> Iterator[Path]:
    home = Path(environment.get("HOME") or Path.home())
    names = [f"{interpreter}{wanted}", f"{interpreter}{wanted.split('.', maxsplit=1)[0]}", interpreter]
    own = str(Path(sys.executable).parent)
    for place in (own, *environment.get("PATH", os.defpath).split(os.pathsep)):
        for name in names:
            if os.access(program := Path(place) / name, os.X_OK):
                yield program
    for variable, default, pattern in _MANAGERS[interpreter]:
        root = Path(environment.get(variable) or home / default)
        for folder in sorted(root.glob(pattern.format(wanted))):
            if os.access(program := folder / interpreter, os.X_OK):
                yield program
