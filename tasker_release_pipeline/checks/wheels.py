"""Wheels and sdists by PyPI's rules: tags, the Pythons that they are for, the platforms that are stated."""

import email.parser
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from tasker_release_pipeline.checks.archives import read_archive
from tasker_release_pipeline.checks.cargo_files import stand_alone
from tasker_release_pipeline.checks.findings import error, warning
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import ToolError
from tasker_release_pipeline.release.manifest import Package
from tasker_release_pipeline.release.plan import Finding
from tasker_release_pipeline.toolchains.runner import run
from tasker_release_pipeline.toolchains.tools import search_path

_SECONDS = 120
# The platforms that warehouse/forklift/legacy.py takes.
_ARCHES = "x86_64|i686|aarch64|armv7l|ppc64|ppc64le|s390x|riscv64|loongarch64"
_TAKEN = re.compile(
    rf"any|win32|win_amd64|win_arm64|win_ia64|linux_armv[67]l|manylinux(1|2010|2014)_({_ARCHES})"
    rf"|(manylinux|musllinux)_\d+_\d+_({_ARCHES})"
    r"|macosx_\d+_\d+_(ppc|ppc64|i386|x86_64|arm64|intel|fat|fat3|fat32|fat64|universal|universal2)"
    r"|ios_\d+_\d+_\w+_(iphoneos|iphonesimulator)|android_\d+_(armeabi_v7a|arm64_v8a|x86|x86_64)"
    r"|(pyodide|pyemscripten)_20\d\d_\d+_wasm32"
)


def platforms(package: Package, files: Sequence[Path]) -> list[Finding]:
    """What is wrong with the files of one package together: wheels that PyPI refuses, platforms without a wheel.

    Raises InputError where a wheel's metadata can't be read.
    """
    tags: dict[Path, frozenset[Tag]] = {}
    found: list[Finding] = []
    for wheel in (path for path in files if path.suffix == ".whl"):
        try:
            tags[wheel] = parse_wheel_filename(wheel.name)[3]
        except InvalidWheelFilename as wrong:
            found.append(error(f"{wheel.name}: {wrong}; build it again"))
            continue
        found += _taken(wheel, tags[wheel])
        found += _pythons(wheel, tags[wheel], package.oldest)
    return [*found, *_complete(package, {path: {tag.platform for tag in each} for path, each in tags.items()})]


def _taken(wheel: Path, tags: frozenset[Tag]) -> Iterator[Finding]:
    for platform in sorted({tag.platform for tag in tags}):
        if not _TAKEN.fullmatch(platform):
            yield error(
                f"{wheel.name}: PyPI refuses its platform {platform}; build in a manylinux image, with "
                "`maturin build --zig`, or for a platform that PyPI knows"
            )


def _complete(package: Package, wheels: dict[Path, set[str]]) -> Iterator[Finding]:
    made = ", ".join(wheel.name for wheel in wheels) or "no wheel at all"
    for stated in package.platforms:
        if not any(tag.startswith(stated) for tags in wheels.values() for tag in tags):
            yield error(
                f"{package.name}: there is no wheel for {stated}, which the manifest states, only {made}; "
                "build the missing one, or correct `platforms` in the manifest"
            )
    for wheel, tags in wheels.items():
        if package.platforms and not any(tag.startswith(stated) for tag in tags for stated in package.platforms):
            yield error(
                f"{wheel.name}: its platform {', '.join(sorted(tags))} is none of those that {package.name} states "
                f"({', '.join(package.platforms)}); add it to `platforms` in the manifest, or build another"
            )


def _pythons(wheel: Path, tags: frozenset[Tag], oldest: str) -> Iterator[Finding]:
    said = _metadata(wheel)["Requires-Python"]
    if not said:
        yield warning(f"{wheel.name}: says for which Python it is nowhere; write `requires-python` in pyproject.toml")
        return
    try:
        admitted = SpecifierSet(said)
    except InvalidSpecifier:
        yield error(f"{wheel.name}: PyPI refuses its Requires-Python {said!r}; correct it in pyproject.toml")
        return
    if oldest and not admitted.contains(f"{oldest}.99"):
        yield error(
            f"{wheel.name}: wants Python {said}, the manifest states {oldest} as the oldest; "
            "correct `requires-python` in pyproject.toml, or `oldest` in the manifest"
        )
    # cp311-abi3 serves 3.11 and all that follow; cp311-cp311 serves 3.11 alone.
    starts = [int(tag.interpreter[3:]) for tag in tags if re.fullmatch(r"(cp|py)3\d+", tag.interpreter)]
    if not starts:
        return
    least = min(starts)
    if oldest and int(oldest.split(".")[1]) < least:
        yield error(
            f"{wheel.name}: is for Python 3.{least} and newer, the manifest states {oldest} as the oldest; "
            "build for that one (pyo3: the feature abi3-py...), or correct `oldest` in the manifest"
        )
    elif admitted.contains(f"3.{least - 1}.99"):
        yield warning(
            f"{wheel.name}: is for Python 3.{least} and newer, but promises {said}; on 3.{least - 1} pip finds no "
            "wheel: correct `requires-python` in pyproject.toml, or build for that one"
        )


def sdist(path: Path) -> list[Finding]:
    """What an sdist takes from outside of it. Raises InputError where it can't be read."""
    return list(stand_alone(read_archive(path, RegistryName.PYPI)))


def twine(files: Sequence[Path], log: Callable[[str], None]) -> list[Finding]:
    """What `twine check --strict` says against each file: PyPI refuses it, or its page would not render.

    Raises ToolError where twine is missing.
    """
    command = ["twine", "--no-color", "check", "--strict", *(file.name for file in files)]
    env = {"PATH": search_path(), "COLUMNS": "200"}
    try:
        run(command, cwd=files[0].parent, seconds=_SECONDS, log=log, env=env)
    except ToolError as refused:
        if "is missing" in str(refused):
            raise
        names = ", ".join(file.name for file in files)
        return [error(f"{names}: twine refuses the metadata; correct pyproject.toml or the README: {refused}")]
    return []


def _metadata(wheel: Path) -> email.message.Message:
    files = read_archive(wheel, RegistryName.PYPI).files
    text = next((text for path, text in files.items() if re.fullmatch(r"[^/]+\.dist-info/METADATA", path)), b"")
    return email.parser.Parser().parsestr(text.decode("utf-8", "replace"), headersonly=True)
