"""The limit for new crates, as crates.io has it: so many at once, then one after the other."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

from tasker_release_pipeline.loopback.faults import FaultKind
from tasker_release_pipeline.loopback.names import canonical
from tasker_release_pipeline.loopback.orders import orders, strike_over_rate
from tasker_release_pipeline.loopback.refusal import RefusedError
from tasker_release_pipeline.release.endpoints import RegistryName


class TooManyNewCratesError(RefusedError):
    """Refused for now, in crates.io's words (its `rate_limiter.rs`). `retry_after`: the header, an HTTP date."""

    def __init__(self, free: datetime) -> None:
        self.retry_after = http_date(free)
        super().__init__(
            "You have published too many new crates in a short period of time. Please try again after "
            f"{self.retry_after} and see https://crates.io/docs/rate-limits for more details.",
            429,
        )


def admit_new_crate(root: Path, name: str) -> None:
    """Let a crate that the registry over `root` does not have yet pass every `new-names` that is ordered there.

    Raises TooManyNewCratesError.
    """
    registry = RegistryName.CRATES_IO
    for placed in orders(root):
        fault = placed.fault
        if fault.kind is not FaultKind.NEW_NAMES:
            continue
        if fault.package and canonical(registry, fault.package) != canonical(registry, name):
            continue
        if free := strike_over_rate(root, placed.number, datetime.now(UTC)):
            raise TooManyNewCratesError(free)


def http_date(moment: datetime) -> str:
    """A moment as `Retry-After` states it, in whole seconds, never too early."""
    whole = moment.replace(microsecond=0) + timedelta(seconds=1 if moment.microsecond else 0)
    return format_datetime(whole, usegmt=True)
