"""Whether a package that failed for the moment is tried again within the same run, and when.

The registry's client has tried for some seconds by then; what follows is waited for between attempts of a step.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from tasker_release_pipeline.release.manifest import Registry

FIRST_PAUSE, LONGEST_PAUSE = 60.0, 600.0
"""Where the registry names no time: seconds at most before the second attempt (doubled each time), and before any."""

_A_YEAR = 365 * 86_400.0


@dataclass(frozen=True)
class Again:
    """Try again in so many `seconds`. `said`: that, in words."""

    seconds: int
    said: str


@dataclass(frozen=True)
class GiveUp:
    """No more in this run. `when`: from when on, to the minute, another one is worth it; `said`: that, in words."""

    when: datetime
    said: str


def after_failure(
    limits: Registry, *, attempt: int, waited: float, named: float | None, now: datetime, jitter: float
) -> Again | GiveUp:
    """What follows a failure that may pass.

    `attempt`: the one that failed, from 1. `waited`: seconds that this run has waited for the package already.
    `named`: seconds that the registry asks to wait, None where it does not say. `jitter`: from 0 to 1, at random.
    """
    of = f"of {limits.attempts}"
    left = limits.wait_seconds - waited
    pause = named or min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1))
    if attempt >= limits.attempts:
        return _give_up(f"that was attempt {attempt} {of}", named or LONGEST_PAUSE, now)
    if left < (named or 1):
        budget = f"this run waits {in_words(limits.wait_seconds)} in all, and has {in_words(left)} of it left"
        return _give_up(f"{budget} after attempt {attempt} {of}", named or LONGEST_PAUSE, now)
    # A second more than named, as that may be cut to whole ones. Else full jitter, so that packages that failed at the
    # same moment do not come back at the same moment.
    seconds = math.ceil(pause) + 1 if named else max(1, math.ceil(jitter * min(pause, left)))
    return Again(seconds, f"again in {seconds} s (attempt {attempt + 1} {of})")


def in_words(seconds: float) -> str:
    """`45 s`, `10 min`, `1 h 30 min`: rounded up, to the minute from two minutes on."""
    whole = max(0, math.ceil(seconds))
    if whole < 120:
        return f"{whole} s"
    hours, minutes = divmod(math.ceil(whole / 60), 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h" + (f" {minutes} min" if minutes else "")


def _give_up(because: str, seconds: float, now: datetime) -> GiveUp:
    moment = (now + timedelta(seconds=min(seconds, _A_YEAR))).astimezone(UTC)
    minute = moment.replace(second=0, microsecond=0)
    when = minute + timedelta(minutes=1) if minute < moment else minute
    minutes = math.ceil((when - now) / timedelta(minutes=1))
    return GiveUp(when, f"run again from {when:%Y-%m-%d %H:%M} UTC on (in {minutes} min): {because}")
