"""Installing from a registry as a user does, in a clean place, and asking what was installed for its version."""

import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tasker_release_pipeline.release import versions
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName
from tasker_release_pipeline.release.errors import InputError, ToolError
from tasker_release_pipeline.release.manifest import Package
from tasker_release_pipeline.toolchains.runner import Finished, run
from tasker_release_pipeline.toolchains.runtimes import Runtime
from tasker_release_pipeline.toolchains.tools import search_path

Wanted = Sequence[tuple[Package, str]]
"""Packages, each with its version as its registry writes it."""


def install(
    registry: RegistryName,
    packages: Wanted,
    *,
    endpoints: Endpoints,
    scratch: Path,
    seconds: float,
    log: Callable[[str], None],
    logfile: Path,
    env: Mapping[str, str] | None = None,
    runtime: Runtime | None = None,
) -> dict[str, str]:
    """Install exactly these versions from `endpoints`, load them, and give the versions that they report, by key.

    `scratch`: an empty folder, which becomes home, caches and working folder; no project may lie around it. `seconds`:
    the limit of each command. `env`: what users of these packages have to set themselves; nothing else of a build's
    environment is there. `runtime`: the Python, Ruby or Node to install with; None: that in PATH. What is reported
    comes in the registry's style, as far as it is a version; comparing it is the caller's.
    Raises ToolError where a tool fails, InputError where `scratch` is not empty, or inside a project.
    """
    if scratch.exists() and any(scratch.iterdir()):
        raise InputError(f"{scratch} is not empty; installing would meet what lies there: give an empty folder")
    _check_alone(scratch)
    home, work = scratch / "home", scratch / "work"
    home.mkdir(parents=True)
    work.mkdir()
    # cargo prefers the settings in `.cargo` of any folder above its working folder to those of its home. Here that is
    # the same folder, and the nearest: whatever lies above `scratch` comes after it.
    cargo_home = scratch / ".cargo"
    cargo_home.mkdir()
    _replace_crates_io(cargo_home, endpoints)
    clean = {**_homes(home), "CARGO_HOME": str(cargo_home), **_direct(endpoints), **(env or {})}
    if runtime is not None:
        clean["PATH"] = f"{runtime.folder}{os.pathsep}{clean['PATH']}"
    place = _Place(home, work, clean, seconds, log, logfile, runtime)
    reported = _INSTALLERS[registry](packages, endpoints, place)
    return {package.key: _in_style(reported[package.name], registry) for package, _ in packages}


@dataclass(frozen=True)
class _Place:
    home: Path
    work: Path
    env: Mapping[str, str]
    seconds: float
    log: Callable[[str], None]
    logfile: Path
    runtime: Runtime | None

    def run(self, *command: str) -> Finished:
        return run(
            command, cwd=self.work, seconds=self.seconds, log=self.log, env=self.env, logfile=self.logfile, builds=False
        )


def _crates(packages: Wanted, _endpoints: Endpoints, place: _Place) -> dict[str, str]:
    # One consumer of them all: their requirements on each other have to agree as well.
    required = "".join(f'{package.name} = "={version}"\n' for package, version in packages)
    said = "".join(f'    println!("{_line(package)}{{}}", {package.load});\n' for package, _ in packages)
    (place.work / "Cargo.toml").write_text(
        '[package]\nname = "consumer"\nversion = "0.0.0"\nedition = "2021"\npublish = false\n\n'
        f"[workspace]\n\n[dependencies]\n{required}",
        encoding="utf-8",
    )
    (place.work / "src").mkdir()
    (place.work / "src" / "main.rs").write_text(f"fn main() {{\n{said}}}\n", encoding="utf-8")
    answer = place.run("cargo", "run")
    return {package.name: _reported(answer, package) for package, _ in packages}


def _gems(packages: Wanted, endpoints: Endpoints, place: _Place) -> dict[str, str]:
    reported = {}
    for package, version in packages:
        # gem would take a file from the working folder, and ask the public source besides; a path needs its slash.
        source = ["--norc", "--remote", "--clear-sources", "--source", f"{endpoints.rubygems}/"]
        place.run("gem", "install", package.name, "--version", version, "--no-document", *source)
        script = f'gem "{package.name}", "= {version}"; puts "{_line(package)}#{{({package.load})}}"'
        reported[package.name] = _reported(place.run("ruby", "-e", script), package)
    return reported


def _wheels(packages: Wanted, endpoints: Endpoints, place: _Place) -> dict[str, str]:
    venv = place.home / "venv"
    python = venv / "bin" / "python"
    interpreter = str(place.runtime.program) if place.runtime else sys.executable
    place.run("uv", "venv", "--no-project", "--python", interpreter, str(venv))
    index = ["--default-index", f"{endpoints.pypi}/simple/"]
    wanted = [f"{package.name}=={version}" for package, version in packages]
    # The wheel is what has to work here, not what an sdist would compile to.
    wheels_only = [word for package, _ in packages for word in ("--only-binary", package.name)]
    place.run("uv", "pip", "install", "--python", str(python), *index, *wheels_only, *wanted)
    reported = {}
    for package, _ in packages:
        script = f'print("{_line(package)}" + str({package.load}))'
        reported[package.name] = _reported(place.run(str(python), "-I", "-c", script), package)
    return reported


def _npm(packages: Wanted, endpoints: Endpoints, place: _Place) -> dict[str, str]:
    (place.work / "package.json").write_text('{"name": "consumer", "private": true}\n', encoding="utf-8")
    wanted = [f"{package.name}@{version}" for package, version in packages]
    quiet = ["--no-audit", "--no-fund", "--no-update-notifier"]
    place.run("npm", "install", "--save-exact", "--registry", f"{endpoints.npm}/", *quiet, *wanted)
    reported = {}
    for package, _ in packages:
        script = f'console.log("{_line(package)}" + ({package.load}))'
        reported[package.name] = _reported(place.run("node", "--input-type=module", "--eval", script), package)
    return reported


_INSTALLERS: dict[RegistryName, Callable[[Wanted, Endpoints, _Place], dict[str, str]]] = {
    RegistryName.CRATES_IO: _crates,
    RegistryName.RUBYGEMS: _gems,
    RegistryName.PYPI: _wheels,
    RegistryName.NPM: _npm,
}


# What makes a folder part of a project, for cargo, Bundler, uv or Node: they look in all folders above their own.
_PROJECTS = ("Cargo.toml", "Gemfile", "pyproject.toml", "package.json", "node_modules", ".git")


def _check_alone(scratch: Path) -> None:
    for folder in scratch.absolute().parents:
        for name in _PROJECTS:
            if (folder / name).exists():
                raise InputError(
                    f"{scratch}: {folder / name} lies above it, and what is installed could find there what it does "
                    "not bring; name a folder outside of any project in TMPDIR"
                )


def _homes(home: Path) -> dict[str, str]:
    """Fresh homes and caches for all tools: what one installs may call another (a gem calls cargo)."""
    gems = home / "gems"
    found = {
        "HOME": home,
        "PATH": search_path(),
        "GEM_HOME": gems,
        "GEM_PATH": gems,
        "UV_CACHE_DIR": home / "uv",
        "UV_NO_CONFIG": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "npm_config_cache": home / "npm",
        "npm_config_userconfig": home / ".npmrc",
        "npm_config_globalconfig": home / "npmrc",
    }
    # rustup finds its toolchains by the home that is hidden here. They are tools, nothing that was installed.
    rustup = Path(os.environ.get("RUSTUP_HOME") or Path.home() / ".rustup")
    if rustup.is_dir():
        found["RUSTUP_HOME"] = rustup
    return {name: str(value) for name, value in found.items()}


def _direct(endpoints: Endpoints) -> dict[str, str]:
    """No proxy for registries on loopback, whatever else goes through one."""
    if not endpoints.cargo_index.startswith("http:"):
        return {}
    kept = os.environ.get("NO_PROXY") or os.environ.get("no_proxy")
    direct = ",".join([*([kept] if kept else []), "127.0.0.1", "localhost"])
    return {"NO_PROXY": direct, "no_proxy": direct}


def _replace_crates_io(cargo_home: Path, endpoints: Endpoints) -> None:
    # By replacing the source, manifests and locks stay as they are on crates.io. The public index needs none of it.
    if endpoints.cargo_index.startswith("http:"):
        (cargo_home / "config.toml").write_text(
            '[source.crates-io]\nreplace-with = "staged"\n\n'
            f'[source.staged]\nregistry = "sparse+{endpoints.cargo_index}/"\n',
            encoding="utf-8",
        )


def _line(package: Package) -> str:
    """What the line with the package's version begins with: tools and packages print other things besides."""
    return f"{package.name}="


def _reported(answer: Finished, package: Package) -> str:
    found = re.findall(rf"^{re.escape(_line(package))}(\S+)$", answer.output, re.MULTILINE)
    if not found:
        raise ToolError(
            f"{package.name}: installed, but `{package.load}` gave no version; correct `load` in the manifest:\n"
            f"{answer.output[-1000:]}"
        )
    return str(found[-1])


def _in_style(reported: str, registry: RegistryName) -> str:
    # A wheel whose native half reports Cargo's version says 0.2.0-rc.1 where PyPI says 0.2.0rc1: the same version.
    style = versions.REGISTRY_STYLE[registry]
    try:
        return versions.render(versions.read(reported, style, "the installed package"), style)
    except InputError:
        return reported
