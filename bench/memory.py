"""Peak memory of the run's own processes: the sum of their PSS, without compilers, clients and other tools.

PSS counts a page that n processes share 1/n times for each. Linux alone tells it.
"""

import threading
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from bench.nothing_runs import empty_run, nothing_run
from bench.targets import MEMORY, Figure, Unit
from bench.world import World

_INTERVAL_SECONDS = 0.2
_MEGABYTE = 1024 * 1024
_OWN = ("dagster", "multiprocessing", "tasker_release_pipeline")


def measure(_short: bool) -> list[Figure]:
    """Watch the graph whose tools do nothing, under both executors, and an empty run."""
    with TemporaryDirectory(prefix="bench-memory-") as folder:
        world = World.example(Path(folder) / "world")
        empty, ours = Peak(), Peak()
        empty_run(world, empty.of)
        nothing_run(world, "release", beside=ours.of)
    made_of = f"{ours.bytes / _MEGABYTE:.0f} MB / {empty.bytes / _MEGABYTE:.0f} MB"
    return [Figure(MEMORY, ours.bytes / empty.bytes, Unit.RATIO, made_of)]


class Peak:
    """The greatest sum, in `bytes`, that was seen while the block lasted; seen a few times a second."""

    def __init__(self) -> None:
        self.bytes = 0
        self._root = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)

    def of(self, pid: int) -> "Peak":
        """Watch this process and what descends from it."""
        self._root = pid
        return self

    def __enter__(self) -> "Peak":
        self._thread.start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_INTERVAL_SECONDS):
            self.bytes = max(self.bytes, sum(_pss(pid) for pid in descendants(self._root) if is_own(_words(pid))))


def is_own(words: list[str]) -> bool:
    """Whether a command line is one of the run's own processes: Python with Dagster or the pipeline, no tool."""
    if not words or not Path(words[0]).name.startswith("python"):
        return False
    return any(name in word for word in words[1:] for name in _OWN)


def descendants(root: int) -> set[int]:
    """A process and all that descend from it."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            # "pid (name) state parent ...", where the name may hold anything.
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    found, new = set[int](), {root}
    while new:
        found |= new
        new = {pid for pid, parent in parents.items() if parent in new} - found
    return found


def _words(pid: int) -> list[str]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").rstrip("\0").split("\0")
    return []


def _pss(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0
