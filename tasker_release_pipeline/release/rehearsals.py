"""Rehearsals that nobody starts by hand: their keys, and which of their files are kept for how long."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum

from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.settings import is_rehearsal

KEEP_DAYS = "TASKER_RELEASE_REHEARSAL_KEEP_DAYS"
KEEP_GB = "TASKER_RELEASE_REHEARSAL_KEEP_GB"
_FRESH = timedelta(hours=1)


def rehearsal_key(at: datetime) -> str:
    """`rehearsal-20260301-0300`, in UTC: an hour that the clocks repeat has no key twice."""
    return at.astimezone(UTC).strftime("rehearsal-%Y%m%d-%H%M")


class Place(IntEnum):
    """Where files of a rehearsal lie. What can be made again is given up first."""

    WORK = 0
    STORE = 1


@dataclass(frozen=True)
class Kept:
    """A rehearsal's folder in one place. `size` in bytes; `at`: when something in it was last written."""

    release: str
    place: Place
    size: int
    at: datetime


@dataclass(frozen=True)
class Limits:
    """How long rehearsals are kept, and how many bytes all of them may take."""

    age: timedelta = timedelta(days=14)
    size: int = 20 * 10**9

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Limits":
        """Those that the environment names. Raises InputError."""
        days, gigabytes = _number(environment, KEEP_DAYS), _number(environment, KEEP_GB)
        return cls(
            age=cls.age if days is None else timedelta(days=days),
            size=cls.size if gigabytes is None else int(gigabytes * 10**9),
        )


def surplus(kept: Collection[Kept], now: datetime, limits: Limits, running: Collection[str]) -> list[Kept]:
    """What to remove of these files.

    All of a rehearsal of which nothing was written for `limits.age`. If the rest takes more than `limits.size`: work
    folders, which can be made again, the oldest first, and then what the store holds of the oldest rehearsals. Never
    what the store holds of the last rehearsal, nor anything of one that is `running`, or was written to within the hour
    (its run may be about to start), nor of a release.
    """
    known = [files for files in kept if is_rehearsal(files.release)]
    last = {files.release: max(other.at for other in known if other.release == files.release) for files in known}
    free = [files for files in known if files.release not in running and now - last[files.release] > _FRESH]
    gone = [files for files in free if now - last[files.release] > limits.age]
    over = sum(files.size for files in known) - sum(files.size for files in gone) - limits.size
    newest = max(last, key=lambda release: last[release], default="")
    for files in sorted(free, key=lambda files: (files.place, last[files.release])):
        if over > 0 and files not in gone and (files.place, files.release) != (Place.STORE, newest):
            gone.append(files)
            over -= files.size
    return gone


def _number(environment: Mapping[str, str], name: str) -> float | None:
    text = environment.get(name, "").strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < 100_000:
        raise InputError(f"{name}: {text!r} is no number from 0 on; correct it, or unset it for the default")
    return number
