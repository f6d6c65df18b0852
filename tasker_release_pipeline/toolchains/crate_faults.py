"""Which crates can't be packaged, or do not compile from their archives: all, where cargo stops at the first."""

import re
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tasker_release_pipeline.release.errors import ToolError
from tasker_release_pipeline.release.manifest import Package
from tasker_release_pipeline.toolchains.runner import run

_PACKAGING_SECONDS = 120


def crate_faults(
    source: Path,
    packages: Sequence[Package],
    *,
    target: Path,
    seconds: float,
    log: Callable[[str], None],
    env: Mapping[str, str],
    logfile: Path,
) -> list[str]:
    """A sentence for each fault: the crate, the file, the way out. None where what is wrong lies elsewhere.

    For a workspace whose `cargo package` failed. Each crate is packaged alone, which needs no registry without the
    lockfile; then all are compiled from their archives in one workspace, as far as one does not depend on another that
    fails. `target`: cargo's target folder. `seconds`: the limit of the compilation.
    """
    place = target / "faults"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    # Its own target folder: `target/package` may hold archives of an earlier build, or of a crate that fails now.
    own = {**env, "CARGO_TARGET_DIR": str(place / "target")}
    unpacked: dict[str, str] = {}
    faults: list[str] = []

    def package_alone(name: str, folder: Path, *more: str) -> None:
        command = ["cargo", "package", "-p", name, "--no-verify", "--exclude-lockfile", "--offline", *more]
        run(command, cwd=folder, seconds=_PACKAGING_SECONDS, log=log, env=own, logfile=logfile)
        for archive in (place / "target" / "package").glob(f"{name}-[0-9]*.crate"):
            with tarfile.open(archive, "r:gz") as crate:
                crate.extractall(place, filter="data")
            unpacked[archive.stem] = name

    for package in packages:
        try:
            package_alone(package.name, source)
        except ToolError as refused:
            said = (str(refused).partition("error: ")[2] or str(refused)).replace(f"{source}/", "")
            faults.append(
                f"{package.name}: can't be packaged: {' '.join(said.split())}; mend what is named, or leave it "
                f"out by `exclude` in {package.folder}/Cargo.toml"
            )
            # Others may depend on it: without its dangling links, the usual cause, it serves to compile them.
            with suppress(ToolError):
                package_alone(package.name, _without_dangling_links(source, place / "mended"), "--allow-dirty")
    return [*faults, *_uncompilable(place, unpacked, seconds=seconds, log=log, env=own, logfile=logfile)]


def _without_dangling_links(source: Path, copy: Path) -> Path:
    if not copy.exists():
        shutil.copytree(source, copy, symlinks=True, ignore=shutil.ignore_patterns(".git", "target", "node_modules"))
        for path in copy.rglob("*"):
            if path.is_symlink() and not path.exists():
                path.unlink()
    return copy


def _uncompilable(
    place: Path,
    names: Mapping[str, str],
    *,
    seconds: float,
    log: Callable[[str], None],
    env: Mapping[str, str],
    logfile: Path,
) -> Iterator[str]:
    """`names`: the crates' names by the folder in `place` that each was unpacked to."""
    patches = "".join(f'{name} = {{ path = "{folder}" }}\n' for folder, name in names.items())
    quoted = ", ".join(f'"{member}"' for member in names)
    text = f'[workspace]\nresolver = "2"\nmembers = [{quoted}]\n\n[patch.crates-io]\n{patches}'
    (place / "Cargo.toml").write_text(text, encoding="utf-8")
    command = ["cargo", "check", "--workspace", "--keep-going", "--offline", "--message-format", "short"]
    lines: list[str] = []

    def hear(line: str) -> None:
        lines.append(line)
        log(line)

    try:
        run(command, cwd=place, seconds=seconds, log=hear, env=env, logfile=logfile)
    except ToolError:
        for folder, where, said in _errors(lines):
            if folder in names:
                yield (
                    f"{names[folder]}: does not compile from its archive: {where}: {said}; what it reads outside of "
                    "its own folder is not packaged: move that into the crate's folder"
                )


def _errors(lines: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Folder, file and words of each of the compiler's errors, and of each build script's end."""
    for number, line in enumerate(lines):
        if place := re.match(r"([^/\s]+)/(\S+:\d+:\d+): error(?:\[\w+\])?: (.+)", line):
            yield place[1], place[2], place[3]
        elif script := re.match(r"error: failed to run custom build command for `(\S+) v(\S+)", line):
            said = []
            for after in lines[number + 1 :]:
                if re.match(r"(error|warning)\b", after):
                    break
                said.append(after.strip())
            # Its own words alone, without what cargo and the panic handler add.
            start = said.index("--- stderr") + 1 if "--- stderr" in said else 0
            words = [word for word in said[start:] if word and not word.startswith("note:")]
            yield f"{script[1]}-{script[2]}", "its build script", " ".join(words)
