"""Whether the lockfiles are those that the builds need: current, and touched by stamping in their own entries alone."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tasker_release_pipeline.release.checks import Report
from tasker_release_pipeline.release.errors import ToolError
from tasker_release_pipeline.release.locked import Lockfiles
from tasker_release_pipeline.release.manifest import Manifest
from tasker_release_pipeline.release.stamping import Tree
from tasker_release_pipeline.toolchains.runner import run
from tasker_release_pipeline.toolchains.tools import search_path

_SECONDS = 120
# What a frozen `bundle install` asks first, without a gem to install and without a network.
_BUNDLER = """
require "bundler"
Bundler.ui = Bundler::UI::Silent.new
begin
  Bundler::Definition.build("Gemfile", "Gemfile.lock", nil).ensure_equivalent_gemfile_and_lockfile
rescue Bundler::BundlerError => error
  abort error.message
end
"""


@dataclass(frozen=True)
class _Frozen:
    """How a tool is asked whether its lockfile is current; `update`: what brings it up to date."""

    command: tuple[str, ...]
    offline: str
    update: str


_FROZEN = {
    "Cargo.lock": _Frozen(
        ("cargo", "metadata", "--format-version", "1", "--locked"), "--offline", "cargo update --workspace"
    ),
    "uv.lock": _Frozen(("uv", "lock", "--check", "--quiet"), "--offline", "uv lock"),
    "Gemfile.lock": _Frozen(("ruby", "-e", _BUNDLER), "", "bundle lock --local"),
    "bun.lock": _Frozen(("bun", "install", "--frozen-lockfile", "--dry-run"), "", "bun install --lockfile-only"),
}


def lockfiles_current(manifest: Manifest, before: Tree, after: Tree, source: Path, *, logfile: Path) -> Report:
    """Each lockfile that a package is built with agrees with what it locks, and pins the same third parties as before.

    `before`: the released commit; `after`: the stamped one, which `source` holds.
    """
    errors, evidence = [], {}
    paths = _paths(manifest, after)
    here = [path for path in paths if shutil.which(_tool(path), path=search_path())]
    with ThreadPoolExecutor(len(_FROZEN)) as pool:  # each waits for a tool of its own
        asked = dict(zip(here, pool.map(lambda path: list(_stale(path, source, manifest, logfile)), here), strict=True))
    for path in paths:
        problems = [*asked.get(path, ()), *_changed(path, before.read(path) or "", after.read(path) or "")]
        errors += problems
        current = (
            "current" if path in asked else f"not asked, as {_tool(path)} is not here: its own build installs frozen"
        )
        evidence[path] = "; ".join(problems) or f"{current}, and its third parties as they were"
    crates = [package.name for package in manifest.crates]
    if crates and "Cargo.lock" not in evidence:
        errors.append(
            "Cargo.lock: is not committed, so that each build may take other crates; run `cargo generate-lockfile`, "
            "take it out of .gitignore, and commit it"
        )
    return Report.of(errors=errors, evidence=evidence, seen=f"{', '.join(evidence)} are current")


def _paths(manifest: Manifest, tree: Tree) -> list[str]:
    """The lockfiles beside the packages, or in a folder above them."""
    folders = {PurePosixPath(package.folder) for package in manifest.packages}
    around = {str(above / name) for folder in folders for above in (folder, *folder.parents) for name in _FROZEN}
    return sorted(path for path in tree.modes if path in around)


def _tool(path: str) -> str:
    return _FROZEN[PurePosixPath(path).name].command[0]


def _stale(path: str, source: Path, manifest: Manifest, logfile: Path) -> Iterator[str]:
    frozen, folder = _FROZEN[PurePosixPath(path).name], (source / path).parent
    env = {"PATH": search_path()}
    for registry in manifest.registries.values():
        env |= registry.build.env

    def ask(*more: str) -> str:
        said: list[str] = []
        try:
            run([*frozen.command, *more], cwd=folder, seconds=_SECONDS, log=said.append, env=env, logfile=logfile)
        except ToolError as error:
            # The first of the lines is the command.
            return " ".join(" ".join(said[1:]).split()).replace(f"{source}/", "") or str(error)
        return ""

    # What the caches do not hold has to be looked up: only then is a network needed.
    problem = ask(frozen.offline) if frozen.offline else ask()
    if frozen.offline and any(word in problem for word in ("offline", "network was disabled")):
        problem = ask()
    if problem:
        where = PurePosixPath(path).parent
        yield f"{path}: a frozen install fails: {problem[:600]}; run `{frozen.update}` in {where}, and commit"


def _changed(path: str, before: str, after: str) -> Iterator[str]:
    read = [Lockfiles.of({path: text}) for text in (before, after)]
    unread = [lockfiles.unread[path] for lockfiles in read if path in lockfiles.unread]
    if unread:
        yield f"{path}: can't be read ({unread[0]}); write it anew with its tool, and commit"
        return
    then, now = ({(p.name, p.version) for p in lockfiles.packages[path] if not p.own} for lockfiles in read)
    if then != now:
        differ = ", ".join(sorted(f"{name} {version}" for name, version in then ^ now))
        yield (
            f"{path}: stamping changed more than own entries: {differ}; give third parties other versions in a "
            "commit of their own"
        )
