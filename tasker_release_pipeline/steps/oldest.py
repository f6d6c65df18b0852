"""The oldest Python, Ruby and Node that users have: which the manifest states, and which of them are at hand."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from packaging.version import Version

from tasker_release_pipeline.release.checks import Report
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.toolchains.runtimes import INTERPRETERS, Runtime, find


@dataclass(frozen=True)
class Oldest:
    """The oldest Python, Ruby and Node that users have. `stated`: by registry; `found`: those that are at hand."""

    stated: Mapping[RegistryName, str]
    found: Mapping[RegistryName, Runtime]

    @classmethod
    def at_hand(cls, run: ReleaseRun, plan: Plan, registries: Iterable[RegistryName] = RegistryName) -> "Oldest":
        """Look for what the manifest states for the packages of the plan."""
        stated: dict[RegistryName, str] = {}
        for registry in registries:
            rows = [run.manifest.package(package.key) for package in plan.of_registry(registry)]
            if registry in INTERPRETERS and (oldest := [row.oldest for row in rows if row.oldest]):
                stated[registry] = min(oldest, key=Version)
        found = {registry: find(INTERPRETERS[registry], oldest) for registry, oldest in stated.items()}
        return cls(stated, {registry: runtime for registry, runtime in found.items() if runtime is not None})

    def report(self, reported: Collection[str]) -> Report:
        """What was not installed with the oldest. `reported`: the packages that were installed at all."""
        tried = {RegistryName(key.split("/", maxsplit=1)[0]) for key in reported}
        return Report.of(
            warnings=[
                f"{registry}: {INTERPRETERS[registry].capitalize()} {oldest}, the oldest that the manifest states, is "
                f"not at hand: installed with the one in PATH alone; install {oldest} beside it, or raise `oldest`"
                for registry, oldest in self.stated.items()
                if registry not in self.found
            ],
            evidence={
                registry: f"{runtime.program} ({runtime.version})"
                for registry, runtime in self.found.items()
                if registry in tried
            },
            seen=", ".join(f"{INTERPRETERS[registry]} {runtime.version}" for registry, runtime in self.found.items()),
        )
