"""Two builds of the same commit: the same bytes, or which members of the archives differ."""

from collections.abc import Sequence
from pathlib import Path

from tasker_release_pipeline.checks.archives import Archive, Member, read_archive
from tasker_release_pipeline.checks.findings import warning
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.plan import Finding

_SHOWN = 5


def same_bytes(first: Sequence[Path], again: Sequence[Path], registry: RegistryName) -> list[Finding]:
    """Where two builds differ: in their files, or in a file's bytes. Raises InputError where one can't be read."""
    others = {path.name: path for path in again}
    found = [
        warning(f"{name}: only one of two builds made it; see what the build depends on besides its source")
        for name in sorted({path.name for path in first} ^ set(others))
    ]
    for path in first:
        other = others.get(path.name)
        if other is not None and path.read_bytes() != other.read_bytes():
            found.append(
                warning(
                    f"{path.name}: built again it has other bytes: {_difference(path, other, registry)}; a release "
                    "continued elsewhere could not tell it from a stranger's: take time, paths, order out of the build"
                )
            )
    return found


def _difference(path: Path, other: Path, registry: RegistryName) -> str:
    one, two = (_members(read_archive(each, registry)) for each in (path, other))
    names = [name for name in dict.fromkeys([*one, *two]) if one.get(name) != two.get(name)]
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        return f"{', '.join(names[:_SHOWN])}{more} differ"
    if list(one) != list(two):
        return "the same members stand in another order"
    return "the same members, but other times, modes or compression"


def _members(archive: Archive) -> dict[str, Member]:
    return {member.name: member for member in archive.members}
