"""Kills at any moment: runs count their moments down, and end at the one that was chosen."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tasker_release_pipeline.release.checks import CheckResult
from tasker_release_pipeline.store import ReleaseStore


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Fuse:
    """Kills a run at its so many-th moment; from then on nothing of it has any effect."""

    left: int | None = None
    burnt: bool = False

    def moment(self) -> None:
        """A moment at which a run may be killed."""
        if self.left is not None:
            self.left -= 1
        if self.burnt or (self.left is not None and self.left < 0):
            self.burnt = True
            raise Killed


@dataclass(frozen=True)
class KillableStore(ReleaseStore):
    """Kills before and after each file that is written. The checks, which passed long ago, are not read each time."""

    fuse: Fuse = field(default_factory=Fuse)
    passed: Mapping[tuple[str, str], CheckResult] = field(default_factory=dict)

    def checks(self) -> dict[tuple[str, str], CheckResult]:
        return dict(self.passed)

    def write_bytes(self, path: str, content: bytes) -> None:
        self.fuse.moment()
        super().write_bytes(path, content)
        self.fuse.moment()
