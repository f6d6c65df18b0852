"""Staging: everything is uploaded to throw-away registries with the real clients, and installed from there."""

import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from tasker_release_pipeline.loopback.seed import seed_crate
from tasker_release_pipeline.registries import http
from tasker_release_pipeline.registries.client import client
from tasker_release_pipeline.registries.compare import files_of, same_version
from tasker_release_pipeline.registries.crates_io import index_path
from tasker_release_pipeline.release.artifact import Artifact, BuildResult, digest_of
from tasker_release_pipeline.release.catalogue import STAGED_INSTALL
from tasker_release_pipeline.release.checks import CheckResult, Report
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName
from tasker_release_pipeline.release.errors import InputError, ReleaseError
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.steps.checking import run_checks
from tasker_release_pipeline.steps.oldest import Oldest
from tasker_release_pipeline.steps.registry_sets import RegistrySet, staging, target
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.source import SourceTree
from tasker_release_pipeline.steps.uploads import upload_package
from tasker_release_pipeline.toolchains.clean_install import install
from tasker_release_pipeline.toolchains.runner import end_all

Given = TypeVar("Given")


class StagedInstall(BaseModel):
    """What the installed packages say. `files`: digest of the set of files that were installed.

    `reported`: by package the version that it reports once loaded. `problems`: by package or registry what went wrong.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: str
    reported: dict[str, str]
    problems: dict[str, str]
    seconds: float


def install_from_staging(
    run: ReleaseRun, plan: Plan, tree: SourceTree, builds: Iterable[BuildResult]
) -> tuple[StagedInstall, list[CheckResult]]:
    """Upload what was built to staging and install it from there; the check says whether every package loads."""
    artifacts = tuple(artifact for result in builds for artifact in result.artifacts)
    started = time.monotonic()
    reported: dict[str, str] = {}
    oldest = Oldest.at_hand(run, plan)
    problems = dict(_not_installable(plan, {artifact.package for artifact in artifacts}))
    if any(package.publish and package.registry not in problems for package in plan.packages):
        with staging(run) as stage:
            reported, failed = _stage(run, plan, tree, artifacts, stage, leave_out=set(problems), oldest=oldest)
            problems |= failed
    installed = StagedInstall(
        files=digest_of(artifacts), reported=reported, problems=problems, seconds=time.monotonic() - started
    )
    checks = run_checks(
        run,
        STAGED_INSTALL,
        installed.files,
        {
            "installs_and_loads": lambda: Report.of(
                errors=[f"{key}: {said}" for key, said in problems.items()],
                evidence=reported,
                seen="every package installs and loads",
            ),
            "installs_with_the_oldest": lambda: oldest.report(reported),
        },
    )
    return installed, checks


def _not_installable(plan: Plan, built: Collection[str]) -> Iterator[tuple[str, str]]:
    """Registries of whose packages not all were built; the gem, when installed, compiles against the crates."""
    missing = {
        package.registry: package.key for package in plan.packages if package.publish and package.key not in built
    }
    for registry in RegistryName:
        if registry in missing:
            yield registry, f"not installed, as {missing[registry]} was not built"
        elif registry is RegistryName.RUBYGEMS and RegistryName.CRATES_IO in missing and plan.of_registry(registry):
            yield registry, "not installed, as it would compile against crates that were not built"


def install_all(
    run: ReleaseRun,
    plan: Plan,
    endpoints: Endpoints,
    name: str,
    registries: Iterable[RegistryName],
    *,
    oldest: Oldest,
    first: Callable[[RegistryName], object] = lambda _: None,
) -> tuple[dict[str, str], dict[str, str]]:
    """Install what the plan publishes to `registries` from `endpoints`, side by side, far from any checkout.

    Gives the versions that the packages report, and what went wrong, by package or registry. `name` is for the log
    files. `first` is done for each registry before.
    """

    def install_one(registry: RegistryName) -> dict[str, str]:
        first(registry)
        log = f"{name}_{registry}"
        try:
            # Not in the work folder: that may lie in the checkout of the very packages.
            with TemporaryDirectory(prefix="tasker-release-install-", ignore_cleanup_errors=True) as place:
                return install(
                    registry,
                    [(run.manifest.package(package.key), package.version) for package in plan.of_registry(registry)],
                    endpoints=endpoints,
                    scratch=Path(place),
                    seconds=run.manifest.registries[registry].install_seconds,
                    log=run.log,
                    logfile=run.logfile(log),
                    env=run.manifest.registries[registry].install_env,
                    runtime=oldest.found.get(registry),
                )
        finally:
            run.keep_log(log)

    given, problems = _side_by_side([r for r in registries if plan.of_registry(r)], install_one)
    reported = {key: version for each in given.values() for key, version in each.items()}
    for key, version in reported.items():
        package = plan.package(key)
        if not same_version(package.registry, version, package.version):
            problems[key] = f"reports version {version} once loaded, the plan has {package.version}"
    return reported, problems


def _stage(
    run: ReleaseRun,
    plan: Plan,
    tree: SourceTree,
    artifacts: tuple[Artifact, ...],
    stage: RegistrySet,
    *,
    leave_out: Collection[str],
    oldest: Oldest,
) -> tuple[dict[str, str], dict[str, str]]:
    """Upload each registry's packages to staging, in publishing order, and install them; gives what `install_all` does.

    The gem waits for the crates: it compiles against them.
    """
    tried = [registry for registry in RegistryName if registry not in leave_out and plan.of_registry(registry)]
    staged: set[RegistryName] = set()
    crates_were_tried = Event()

    def fill(registry: RegistryName) -> None:
        scratch = run.scratch(f"stage-{registry}")
        log = f"staged_uploads_{registry}"
        try:
            for package in plan.of_registry(registry):
                files = tuple(artifact for artifact in artifacts if artifact.package == package.key)
                try:
                    upload_package(run, package, files, stage, plan=plan, tree=tree, scratch=scratch, log=log)
                except ReleaseError as error:
                    raise ReleaseError(f"{package.key}: {error}") from error
        finally:
            run.keep_log(log)

    def first(registry: RegistryName) -> None:
        try:
            fill(registry)
            staged.add(registry)
        finally:
            if registry is RegistryName.CRATES_IO:
                crates_were_tried.set()
        if registry is RegistryName.RUBYGEMS:
            _seed_unchanged_crates(run, plan, stage)
            if RegistryName.CRATES_IO in tried:
                crates_were_tried.wait()
                if RegistryName.CRATES_IO not in staged:
                    raise ReleaseError("not installed, as not all crates are in staging")

    return install_all(run, plan, stage.endpoints, "staged", tried, oldest=oldest, first=first)


def _side_by_side(
    registries: Iterable[RegistryName], step: Callable[[RegistryName], Given]
) -> tuple[dict[str, Given], dict[str, str]]:
    """Do a step for each registry: what each gives, and what went wrong, by registry."""
    given: dict[str, Given] = {}
    problems: dict[str, str] = {}
    with ThreadPoolExecutor(max_workers=4) as pool:
        for registry, future in [(registry, pool.submit(step, registry)) for registry in registries]:
            try:
                given[registry] = future.result()
            except ReleaseError as error:
                problems[registry] = str(error)
            except BaseException:  # an interrupt: leaving the pool would wait for its tools
                end_all()
                raise
    return given, problems


def _seed_unchanged_crates(run: ReleaseRun, plan: Plan, stage: RegistrySet) -> None:
    """Copy the crates that this release leaves alone from the target: the gem compiles against them when installed."""
    crates = [p for p in plan.packages if p.registry is RegistryName.CRATES_IO and not p.publish]
    if not crates or not plan.of_registry(RegistryName.RUBYGEMS):
        return
    with target(run) as goal:
        crates_io = client(RegistryName.CRATES_IO, goal.endpoints)
        for crate in crates:
            files = files_of(crates_io.holdings(crate.name), crate.version, RegistryName.CRATES_IO)
            index = http.get(f"{goal.endpoints.cargo_index}/{index_path(crate.name)}")
            lines = [json.loads(line) for line in index.text.splitlines()] if index is not None else []
            line = next((line for line in lines if line["vers"] == crate.version), None)
            if not files or line is None or stage.root is None:
                raise InputError(
                    f"{crate.key} {crate.version}: not on its registry, though this release leaves it unchanged; "
                    "the gem could not compile against it: release the crates as well (an older from_ref)"
                )
            seed_crate(stage.root, line, crates_io.fetch(files[0]))
