"""Building: a recipe's commands, and the files that they leave, each identified by what it says of itself."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from packaging.utils import canonicalize_name

from tasker_release_pipeline.release.artifact import Artifact
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError, ToolError
from tasker_release_pipeline.release.manifest import Build, Package
from tasker_release_pipeline.toolchains.crate_faults import crate_faults
from tasker_release_pipeline.toolchains.inspect import gem_file_name, identify
from tasker_release_pipeline.toolchains.runner import run
from tasker_release_pipeline.toolchains.tools import search_path

_GIT_SECONDS = 60
_SHOWN_FILES = 10


def build(
    registry: RegistryName,
    packages: Sequence[Package],
    recipe: Build,
    *,
    source: Path,
    out: Path,
    target: Path,
    epoch: int,
    log: Callable[[str], None],
    logfile: Path,
) -> tuple[Artifact, ...]:
    """Build the artifacts of one registry's packages into `out`, which is emptied first.

    `source`: the git worktree, with the versions of the release in it. Crates are built all at once there, others one
    by one in their folders. `target`: cargo's folder, where its archives lie. `epoch`: Unix time of the commit, for
    reproducible archives. Gives the artifacts sorted by package and file.
    Raises ToolError where a command fails or overruns (for crates with all their faults, not cargo's first), InputError
    where its files are not what the manifest states, or where the build left the worktree changed.
    """
    env = _environment(recipe, target, epoch)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    archives = target / "package"
    if registry is RegistryName.CRATES_IO:
        for stale in archives.glob("*.crate"):
            stale.unlink()
        places = [source]
    else:
        places = [source / package.folder for package in packages]
    try:
        for place in places:
            for command in recipe.commands:
                words = list(_expanded(command.run, packages, out))
                run(words, cwd=place, seconds=command.seconds, log=log, env=env, logfile=logfile)
    except ToolError as first:
        if registry is not RegistryName.CRATES_IO:
            raise
        seconds = max(command.seconds for command in recipe.commands)
        faults = crate_faults(source, packages, target=target, seconds=seconds, log=log, env=env, logfile=logfile)
        raise ToolError("; ".join(faults) or str(first)) from first
    if registry is RegistryName.CRATES_IO:
        _copy_listed(archives, packages, out)
    # Its own folders, and the lockfile that cargo may write anywhere: other builds are at work in the same tree.
    own = [*(package.folder for package in packages), "Cargo.lock"]
    _check_clean(source, own, env=env, log=log, logfile=logfile)
    artifacts = list(_collected(registry, packages, recipe, out))
    return tuple(sorted(artifacts, key=lambda artifact: (artifact.package, artifact.file)))


def _environment(recipe: Build, target: Path, epoch: int) -> dict[str, str]:
    return {
        "PATH": search_path(),
        "CARGO_TARGET_DIR": str(target),
        "CARGO_BUILD_BUILD_DIR": str(target),
        "CARGO_INCREMENTAL": "0",
        "SOURCE_DATE_EPOCH": str(epoch),
        **recipe.env,
    }


def _expanded(words: Sequence[str], packages: Sequence[Package], out: Path) -> Iterator[str]:
    for word in words:
        if word == "{packages}":
            for package in packages:
                yield from ("-p", package.name)
        else:
            yield word.replace("{out}", str(out))


def _copy_listed(archives: Path, packages: Sequence[Package], out: Path) -> None:
    # A recipe may package the whole workspace, and with it crates that nobody publishes.
    listed = {package.name for package in packages}
    for archive in archives.glob("*.crate"):
        if identify(archive, RegistryName.CRATES_IO)[0] in listed:
            shutil.copy2(archive, out / archive.name)


def _check_clean(
    source: Path, paths: Sequence[str], *, env: Mapping[str, str], log: Callable[[str], None], logfile: Path
) -> None:
    command = ["git", "-c", "core.quotePath=false", "status", "--porcelain", "--", *paths]
    status = run(command, cwd=source, seconds=_GIT_SECONDS, log=log, env=env, logfile=logfile)
    # "XY path": the path begins at the fourth character.
    files = [line[3:] for line in status.output.splitlines() if line]
    if files:
        more = f" and {len(files) - _SHOWN_FILES} more" if len(files) > _SHOWN_FILES else ""
        raise InputError(
            f"{source}: building left the tree changed, and cargo publish refuses a changed tree: "
            f"{', '.join(files[:_SHOWN_FILES])}{more}; commit what belongs there (a lockfile that is out of date?), "
            "and name build products in .gitignore"
        )


def _collected(registry: RegistryName, packages: Sequence[Package], recipe: Build, out: Path) -> Iterator[Artifact]:
    by_name = {_same(registry, package.name): package for package in packages}
    files: dict[str, list[Path]] = {package.key: [] for package in packages}
    for path in sorted({path for pattern in recipe.artifacts for path in out.glob(pattern) if path.is_file()}):
        name, version = identify(path, registry)
        package = by_name.get(_same(registry, name))
        if package is None:
            known = ", ".join(p.name for p in packages)
            raise InputError(
                f"{path.name} is of {name}, which is none of the packages that are built for {registry} ({known}); "
                "correct the name in the manifest, or what the build command builds"
            )
        final = path
        if registry is RegistryName.RUBYGEMS:
            # `gem build --output` takes a file name, which a recipe has to give before the version is known.
            final = path.rename(path.with_name(gem_file_name(path)))
        files[package.key].append(final)
        yield Artifact.of(package.key, version, final)
    for package in packages:
        if not files[package.key]:
            raise InputError(
                f"{package.name}: the build commands for {registry} ended well, but left no file of it that matches "
                f"{' or '.join(recipe.artifacts)} in {out}; correct the commands or `artifacts` in the manifest"
            )


def _same(registry: RegistryName, name: str) -> str:
    return canonicalize_name(name) if registry is RegistryName.PYPI else name
