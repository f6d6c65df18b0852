"""The checks of what was built for one registry."""

from collections.abc import Callable, Iterable
from pathlib import Path

from tasker_release_pipeline.checks.contents import publishable
from tasker_release_pipeline.checks.crates import crate
from tasker_release_pipeline.checks.embedded import embedded_version
from tasker_release_pipeline.checks.findings import warning
from tasker_release_pipeline.checks.gems import gem
from tasker_release_pipeline.checks.npm import npm_publish, publint
from tasker_release_pipeline.checks.reproducible import same_bytes
from tasker_release_pipeline.checks.wheels import platforms, sdist, twine
from tasker_release_pipeline.release.artifact import Artifact, BuildResult
from tasker_release_pipeline.release.catalogue import BUILD_ASSETS
from tasker_release_pipeline.release.checks import CheckResult, Report
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.manifest import Package
from tasker_release_pipeline.release.plan import Finding, PackagePlan, Plan
from tasker_release_pipeline.steps.builds import build_again, built_file
from tasker_release_pipeline.steps.checking import run_checks
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.source import SourceTree


def check_build(
    run: ReleaseRun, plan: Plan, tree: SourceTree, registry: RegistryName, built: BuildResult
) -> list[CheckResult]:
    """Run the checks of one registry's build."""
    return _BuildChecks(run, plan, tree, registry, built).run_all()


class _BuildChecks:
    """What the checks of one build share. Where nothing was built, those of the files have nothing to say."""

    def __init__(
        self, run: ReleaseRun, plan: Plan, tree: SourceTree, registry: RegistryName, built: BuildResult
    ) -> None:
        self.run, self.plan, self.tree, self.registry, self.built = run, plan, tree, registry, built
        self.asset = BUILD_ASSETS[registry]
        self.log = f"{self.asset}_checks"
        self.crates = {package.name: package.version for package in plan.packages if package.phase is not None}

    def run_all(self) -> list[CheckResult]:
        """Run them all, beside each other."""
        checks = {
            "builds_from_source": self._builds,
            "embedded_version_is_planned": self._each(
                lambda path, package: embedded_version(path, package, self.crates), "as planned"
            ),
            "contents_are_publishable": self._each(
                lambda path, package: publishable(path, self.registry, on_purpose=self._row(package).on_purpose),
                "contents in order",
            ),
            "same_bytes_when_built_again": self._again,
            **self._of_registry(),
        }
        try:
            return run_checks(self.run, self.asset, self.built.subject, checks)
        finally:
            self.run.keep_log(self.log)

    def _of_registry(self) -> dict[str, Callable[[], Report]]:
        match self.registry:
            case RegistryName.CRATES_IO:
                return {
                    "crates_io_would_accept": self._each(
                        lambda path, _: crate(path, commit=self.tree.commit), "by crates.io's rules"
                    )
                }
            case RegistryName.RUBYGEMS:
                return {
                    "gem_specification_is_sound": self._each(
                        lambda path, package: gem(path, oldest=self._row(package).oldest, log=self.run.log),
                        "read by RubyGems",
                    )
                }
            case RegistryName.PYPI:
                return {"twine_would_accept": self._twine, "platforms_are_complete": self._platforms}
            case RegistryName.NPM:
                return {
                    "npm_would_publish": self._each(self._npm_publish, "taken by npm's dry run"),
                    "publint_would_accept": self._each(lambda path, _: publint(path, self.run.log), "taken by publint"),
                }

    def _builds(self) -> Report:
        return Report.of(
            errors=[self.built.problem] if self.built.problem else [],
            evidence={
                artifact.file: f"{artifact.size} bytes, SHA-256 {artifact.sha256}" for artifact in self.built.artifacts
            },
            seen=f"{len(self.built.artifacts)} files in {self.built.seconds:.0f} s",
        )

    def _each(self, look: Callable[[Path, PackagePlan], Iterable[Finding]], said: str) -> Callable[[], Report]:
        """A check that looks at each file by itself."""

        def check() -> Report:
            found: list[Finding] = []
            for artifact in self.built.artifacts:
                found += look(self._path(artifact), self.plan.package(artifact.package))
            evidence = {artifact.file: artifact.version for artifact in self.built.artifacts}
            return Report(tuple(found), evidence, f"{len(evidence)} files {said}")

        return check

    def _again(self) -> Report:
        if not self.built.artifacts:
            return Report(seen="nothing was built")
        if not self.run.manifest.registries[self.registry].build.again:
            missing = f"not built twice: the manifest states no `again` for {self.registry}; write what packs once more"
            return Report((warning(missing),))
        files = build_again(self.run, self.plan, self.tree, self.registry)
        found = same_bytes([self._path(artifact) for artifact in self.built.artifacts], files, self.registry)
        return Report(tuple(found), {a.file: a.sha256 for a in self.built.artifacts}, f"{len(files)} files, the same")

    def _twine(self) -> Report:
        files = [self._path(artifact) for artifact in self.built.artifacts]
        found = twine(files, self.run.log) if files else []
        found += [finding for path in files if path.name.endswith(".tar.gz") for finding in sdist(path)]
        return Report(tuple(found), seen=f"{len(files)} files taken by twine")

    def _platforms(self) -> Report:
        files: dict[str, list[Path]] = {}
        for artifact in self.built.artifacts:
            files.setdefault(artifact.package, []).append(self._path(artifact))
        found = [
            finding for key, paths in files.items() for finding in platforms(self.run.manifest.package(key), paths)
        ]
        names = {path.name: key for key, paths in files.items() for path in paths}
        return Report(tuple(found), names, f"{len(names)} files, every stated platform among them")

    def _npm_publish(self, path: Path, package: PackagePlan) -> list[Finding]:
        access = self._row(package).access
        return npm_publish(path, dist_tag=package.dist_tag or "", access=access, log=self.run.log)

    def _row(self, package: PackagePlan) -> Package:
        return self.run.manifest.package(package.key)

    def _path(self, artifact: Artifact) -> Path:
        return built_file(self.run, self.registry, artifact)
