"""Releases of the example workspace, in rehearsal mode, measured whole.

The plain sequence's sleeps are added, not slept: cargo itself waits for the index before each of them.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from semver import Version

from bench.critical_path import critical_path, follows, recorded
from bench.plain import plain_sequence, served, workspace_publish
from bench.targets import COMPILED, CRITICAL, EXAMPLE, REPAIR, SHARE, WHOLE_0, WHOLE_2, Figure, Unit
from bench.world import RELEASE, BenchError, World
from tasker_release_pipeline.definitions import defs
from tasker_release_pipeline.loopback.fault_words import parse_faults
from tasker_release_pipeline.loopback.orders import order, withdraw
from tasker_release_pipeline.release.git import Checkout
from tasker_release_pipeline.release.manifest import load
from tasker_release_pipeline.release.stamping import stamped_commit

SLEEPS = 3 * 30.0
ROUNDS = 3  # of the pair whose ratio is the hardest to reach; the middle one counts
VERSION = Version(0, 1, 1)
_CRATE = "crates_io__"


@dataclass(frozen=True)
class Run:
    """A whole release: its wall time, and when each of its steps began and ended."""

    seconds: float
    steps: dict[str, tuple[float, float]]

    def took(self, step: str) -> float:
        """The seconds of one step."""
        begun, ended = self.steps[step]
        return ended - begun

    @property
    def path(self) -> float:
        """The critical path's seconds."""
        return critical_path({step: self.took(step) for step in self.steps}, follows(defs))

    @property
    def overhead(self) -> float:
        """What is neither tools nor registries."""
        return self.seconds - self.path


def measure(short: bool) -> Iterator[Figure]:
    """Run releases and plain sequences in turn. The short form runs one of each."""
    with tempfile.TemporaryDirectory(prefix="bench-release-") as name:
        folder = Path(name)
        cache = folder / "cache"
        cache.mkdir()
        # What a machine keeps between releases (third parties' files) is there before anything is measured.
        with _world(folder / "warm", cache, propagation=0) as world:
            world.run(world.job("tasker_release_pipeline", "release", dry_run=True))
        pairs = []
        for number in range(1 if short else ROUNDS):
            with _world(folder / f"at-once-{number}", cache, propagation=0) as world:
                pairs.append((_release(world), plain_sequence(world, cache, 0)))
                if number == 0:
                    yield _compiled(world)
                    yield _crates(pairs[0][0], workspace_publish(world, cache))
        at_once, bare = sorted(pairs, key=lambda pair: pair[0].seconds / pair[1])[len(pairs) // 2]
        yield from _whole(at_once, bare, 0)
        yield _critical(at_once)
        if short:  # what follows takes minutes, or is missed by more than a third: docs/speed.md says why
            return
        yield _share(at_once)
        for propagation in (2, 10):
            with _world(folder / f"late-{propagation}", cache, propagation) as world:
                yield from _whole(_release(world), plain_sequence(world, cache, propagation), propagation)
        with _world(folder / "repair", cache, propagation=0) as world:
            yield _repair(world, cache)
        with _world(folder / "default", cache, propagation=0) as world:
            world.register()
            other = _release(world, "bench.default_executor")
        made_of = f"{at_once.overhead:.1f} s / {other.overhead:.1f} s"
        yield Figure(EXAMPLE, at_once.overhead / other.overhead, Unit.RATIO, made_of)


@contextmanager
def _world(folder: Path, cache: Path, propagation: int) -> Iterator[World]:
    """A prepared source, and target registries whose indexes are late; removed at the end, as targets are big."""
    world = World.example(folder)
    source, manifest = Checkout.at(world.source), load("tasker")
    commit, _ = stamped_commit(source, source.head, manifest, dict.fromkeys(manifest.components, VERSION))
    source.run("reset", "--quiet", "--hard", commit)
    (folder / "work").mkdir()
    (folder / "work" / "cache").symlink_to(cache)
    if propagation:
        for fault in parse_faults(f"any:index:late={propagation}"):
            order(folder / "registries", fault)
    try:
        yield world
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _release(world: World, module: str = "tasker_release_pipeline") -> Run:
    seconds = world.run(world.job(module, "release", dry_run=False))
    return Run(seconds, recorded(world.home))


def _whole(run: Run, bare: float, propagation: int) -> list[Figure]:
    slept = bare + SLEEPS
    without = Figure(WHOLE_0, run.seconds / bare, Unit.RATIO, f"{run.seconds:.0f} s / {bare:.0f} s")
    name = WHOLE_2.replace("2 s", f"{propagation} s")
    with_sleeps = Figure(name, run.seconds / slept, Unit.RATIO, f"{run.seconds:.0f} s / {slept:.0f} s")
    return [without, with_sleeps] if propagation == 0 else [with_sleeps]


def _critical(run: Run) -> Figure:
    return Figure(CRITICAL, run.seconds / run.path, Unit.RATIO, f"{run.seconds:.0f} s / {run.path:.0f} s")


def _share(run: Run) -> Figure:
    return Figure(SHARE, run.overhead / run.seconds, Unit.RATIO, f"{run.overhead:.1f} s of {run.seconds:.0f} s")


def _compiled(world: World) -> Figure:
    """How often any crate is compiled from its archive: cargo says where it compiles what."""
    logs = (world.folder / "store" / RELEASE / "logs").glob("*.log")
    said = "\n".join(path.read_text(errors="replace") for path in logs)
    crates = re.findall(r"Compiling (\S+) v\S+ \(\S*/target/package/", said)
    most = max((crates.count(crate) for crate in set(crates)), default=0)
    return Figure(COMPILED, most, Unit.COUNT, f"{len(set(crates))} crates")


def _crates(run: Run, workspace: float) -> Figure:
    """Building, verifying and publishing the crates, beside `cargo publish` of all of them in one command."""
    steps = [times for step, times in run.steps.items() if step.startswith(_CRATE)]
    ours = run.took("crate_archives") + max(e for _, e in steps) - min(b for b, _ in steps)
    made_of = f"{ours:.0f} s / {workspace:.0f} s"
    return Figure("crates alone / cargo publish of the workspace", ours / workspace, Unit.RATIO, made_of)


def _repair(world: World, cache: Path) -> Figure:
    """npm refuses, the release ends without it; then npm's job alone, beside the same upload by npm."""
    (fault,) = parse_faults("npm:upload:403:always")
    order(world.folder / "registries", fault)
    with suppress(BenchError):  # it has to fail
        world.run(world.job("tasker_release_pipeline", "release", dry_run=False))
        raise RuntimeError("npm refused its package, and the release did not fail")
    withdraw(world.folder / "registries")
    wall = world.run(world.job("tasker_release_pipeline", "publish_typescript", dry_run=False))
    steps = recorded(world.home)
    # The tag and the check of the install are not the upload.
    besides = sum(ended - begun for step, (begun, ended) in steps.items() if not step.startswith("npm__tasker"))
    with served(world.folder / "bare", cache) as registries:
        bare = registries.npm_publish(world)
    made_of = f"{wall - besides:.1f} s - {bare:.1f} s"
    return Figure(REPAIR, wall - besides - bare, Unit.SECONDS, made_of)
