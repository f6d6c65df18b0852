"""Other versions of Node than this machine's, from npm's registry: the program that the package `node` brings."""

import platform
import subprocess
import sys
from pathlib import Path

_MACHINES = {"x86_64": "x64", "aarch64": "arm64"}


def node(folder: Path, version: str, npm: str) -> Path:
    """A Node and its npm, laid out below `folder` as nvm does; gives the folder of both programs."""
    machine = _MACHINES.get(platform.machine(), platform.machine())
    wanted = [f"node-{sys.platform}-{machine}@{version}", f"npm@{npm}"]
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    made = folder / "packages" / version
    made.mkdir(parents=True)
    subprocess.run(["npm", "install", "--prefix", str(made), *quiet, *wanted], check=True, capture_output=True)
    programs = folder / "versions" / "node" / f"v{version}" / "bin"
    programs.mkdir(parents=True)
    for name in ("node", "npm"):
        (programs / name).symlink_to((made / "node_modules" / ".bin" / name).resolve())
    return programs
