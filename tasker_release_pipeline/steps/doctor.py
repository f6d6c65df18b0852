"""Everything about a machine and a checkout that would stop a release, and that needs no build to be seen.

What a release's own steps would find is found by these very steps, on a store that is thrown away.
"""

import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from packaging.specifiers import SpecifierSet

from tasker_release_pipeline.registries.endpoints import TITLES
from tasker_release_pipeline.release.errors import ReleaseError
from tasker_release_pipeline.release.git import Checkout, GitError, git
from tasker_release_pipeline.release.manifest import Manifest
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.release.settings import LATCH, Registries, Settings
from tasker_release_pipeline.steps import doctor_checkout as checkouts
from tasker_release_pipeline.steps.credential_checks import accepted, recordable, vouched_for
from tasker_release_pipeline.steps.doctor_rows import Row, error, of_findings, of_problems, of_report, ok, warning
from tasker_release_pipeline.steps.plan import plan_release
from tasker_release_pipeline.steps.plan_checks import check_plan
from tasker_release_pipeline.steps.rate_forecast import rate_forecast
from tasker_release_pipeline.steps.registry_sets import target
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.source import stamp_source, worktree
from tasker_release_pipeline.steps.source_checks import file_checks
from tasker_release_pipeline.store import ReleaseStore
from tasker_release_pipeline.toolchains.tools import check_tools

SECONDS = 45.0
"""How long the doctor waits for those who do not answer, in all."""

Rows = Iterable[Row]


@dataclass
class Examination:
    """What was found, in order. `late`: what had not answered in time, and is still being waited for by its thread."""

    rows: list[Row] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    seconds: float = 0.0


def examine(
    settings: Settings, manifest: Manifest, environment: Mapping[str, str], seconds: float = SECONDS
) -> Examination:
    """Look at everything at once, for `seconds` at most. Changes nothing, and leaves nothing behind."""
    started = time.monotonic()
    scratch = Path(tempfile.mkdtemp(prefix="tasker-release-doctor-"))
    places = {"TASKER_RELEASE_STORE": str(scratch / "store"), "TASKER_RELEASE_WORK": str(scratch / "work")}
    key = "rehearsal-doctor" if settings.registries is Registries.REHEARSAL else "release-doctor"

    def checkout() -> Checkout:
        return Checkout.at(settings.source)

    def release() -> ReleaseRun:
        config = settings.model_dump(mode="json")
        return ReleaseRun.of(key, config, log=lambda _: None, environment={**environment, **places})

    sections: dict[str, Callable[[], Rows]] = {
        "python": _python,
        "tools": lambda: _tools(manifest),
        "store": lambda: _store(environment),
        "latch": lambda: _latch(settings, environment),
        "checkout": lambda: checkouts.state(checkout()),
        "tags": lambda: checkouts.tags(checkout(), environment),
        "versions": lambda: checkouts.carriers(checkout(), manifest),
        "workspace": lambda: checkouts.workspace(checkout(), manifest),
        "release": lambda: _release(release()),
        "credentials": lambda: _credentials(release()),
    }
    found: dict[str, list[Row]] = {}

    def look(name: str) -> None:
        found[name] = _rows(name, sections[name])

    # Not a pool: what does not answer is not waited for, at the end of the process neither.
    threads = {name: threading.Thread(target=look, args=(name,), name=name, daemon=True) for name in sections}
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(max(0.0, started + seconds - time.monotonic()))
    late = [name for name in sections if name not in found]
    silent = {name: [warning(name, f"unproven: no answer within {seconds:.0f} s; run it again")] for name in late}
    shutil.rmtree(scratch, ignore_errors=True)
    rows = [row for name in sections for row in (silent.get(name) or found[name])]
    return Examination(rows, late, time.monotonic() - started)


def _rows(name: str, section: Callable[[], Rows]) -> list[Row]:
    rows: list[Row] = []
    try:
        rows.extend(section())
    except (ReleaseError, GitError, OSError) as reason:
        rows.append(error(name, f"could not be looked at: {reason}"))
    return rows


def _python() -> Rows:
    here = ".".join(map(str, sys.version_info[:3]))
    wanted = ""
    with suppress(PackageNotFoundError):
        wanted = metadata("tasker-release-pipeline")["Requires-Python"] or ""
    if SpecifierSet(wanted).contains(here):
        return [ok("python", f"{here} ({sys.executable})")]
    return [error("python", f"{here}: the pipeline is made for {wanted}; run it with such a Python (make set-up)")]


def _tools(manifest: Manifest) -> Rows:
    tools = check_tools(manifest, tuple(manifest.registries))
    said = ", ".join(f"{tool} {version}" for tool, version in sorted(tools.versions.items()))
    return of_problems("tools", tools.problems, said)


def _store(environment: Mapping[str, str]) -> Rows:
    store = ReleaseStore.of("", environment)
    store.check_writable()
    return [ok("store", f"{store.root} takes files")]


def _latch(settings: Settings, environment: Mapping[str, str]) -> Rows:
    if settings.registries is Registries.REHEARSAL:
        return [ok("latch", "a rehearsal needs none: nothing goes to the public registries")]
    if settings.dry_run:
        return [ok("latch", f"{LATCH} is {environment.get(LATCH) or 'unset'}, so that a run here uploads nothing")]
    return [warning("latch", f"{LATCH} is false, and dry_run too: a run here publishes for good; else unset {LATCH}")]


def _release(run: ReleaseRun) -> Rows:
    """What the next release would be, what its registries say of that, and whether it may be recorded."""
    plan = plan_release(run)
    publishes = [f"{p.name} {p.version}" for p in plan.packages if p.publish]
    rows = of_findings("plan", plan.findings, ", ".join(publishes) or "nothing changed since it was published")
    with ThreadPoolExecutor(max_workers=4) as pool:
        source = pool.submit(_source, run, plan)
        checks = pool.submit(check_plan, run, plan)
        vouching, recording = pool.submit(vouched_for, run, plan), pool.submit(recordable, run, plan)
        for check in checks.result():
            rows += of_findings(_words(check.name), check.findings, check.seen)
        rows += [*source.result(), *_rate_limits(run, plan)]
        return [*rows, *of_report("main and CI", vouching.result()), *of_report("recording", recording.result())]


def _source(run: ReleaseRun, plan: Plan) -> list[Row]:
    """What the files say once the planned versions are written into them: in a clone, so that nothing changes here."""
    clone = run.work / "clone"
    git(run.checkout.path, "clone", "--quiet", "--shared", "--no-checkout", str(run.checkout.path), str(clone))
    # Versions that are still to be prepared are no fault before there is a release.
    settings = run.settings.model_copy(update={"source": str(clone), "registries": Registries.REHEARSAL})
    there = replace(run, settings=settings)
    tree = stamp_source(there, plan)
    with worktree(there, plan, tree) as source, ThreadPoolExecutor(max_workers=2) as pool:
        looks = file_checks(there, plan, tree, source)
        del looks["manifest_matches_cargo"]  # the section "workspace" says it, whatever becomes of the plan
        reports = pool.map(lambda name: looks[name](), looks)
        return [row for name, report in zip(looks, reports, strict=True) for row in of_report(_words(name), report)]


def _rate_limits(run: ReleaseRun, plan: Plan) -> list[Row]:
    with target(run) as registries:
        return of_findings("rate limits", tuple(rate_forecast(run, plan, registries)), "nothing that has to wait")


def _words(check: str) -> str:
    return check.replace("_", " ")


def _credentials(run: ReleaseRun) -> Rows:
    """Of all registries, whatever is planned."""
    names = {registry: [p.name for p in run.manifest.of_registry(registry)] for registry in run.manifest.registries}
    with target(run) as answering, ThreadPoolExecutor(max_workers=len(names)) as pool:
        reports = pool.map(lambda registry: accepted(run, registry, names[registry], answering), names)
        return [
            row
            for registry, report in zip(names, reports, strict=True)
            for row in of_report(f"{TITLES[registry]}: credentials", report)
        ]
