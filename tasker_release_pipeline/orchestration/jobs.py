"""The jobs: `release`, and its slices, one for each CI job, which together do the same."""

from collections.abc import Iterable
from typing import Any

import dagster as dg

from tasker_release_pipeline.orchestration.partitions import RELEASES
from tasker_release_pipeline.orchestration.publishing import asset_key
from tasker_release_pipeline.orchestration.recording import NOT_FATAL, tag_key
from tasker_release_pipeline.orchestration.resources import SettingsResource
from tasker_release_pipeline.release.catalogue import BUILD_ASSETS, CREDENTIALS, LINTS, PROBE_JOBS, RECORDING
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.manifest import Manifest
from tasker_release_pipeline.release.record import GITHUB_RELEASE
from tasker_release_pipeline.steps.summary import write_summary

_PUBLISH_JOBS = {
    RegistryName.CRATES_IO: "publish_crates",
    RegistryName.RUBYGEMS: "publish_ruby",
    RegistryName.PYPI: "publish_python",
    RegistryName.NPM: "publish_typescript",
}
_BUILD_JOBS = {
    RegistryName.RUBYGEMS: "build_ruby",
    RegistryName.PYPI: "build_python",
    RegistryName.NPM: "build_typescript",
}


@dg.op(description="Writes the summary of a release from what the store holds of it.")
def summarize(context: dg.OpExecutionContext, settings: SettingsResource) -> None:
    """Write the summary of a release."""
    context.log.info(write_summary(settings.start(context), {}))


@dg.job(partitions_def=RELEASES, description="Writes the summary of a release, however its jobs ended.")
def release_summary() -> None:
    """Summarise a release."""
    summarize()


def release_jobs(manifest: Manifest) -> list[Any]:
    """`release` and its slices, for the registries of the manifest: what `Definitions(jobs=...)` takes."""
    registries = [registry for registry in RegistryName if manifest.of_registry(registry)]
    publish = {registry: [asset_key(package) for package in manifest.of_registry(registry)] for registry in registries}
    # A component's tag belongs to the job that publishes the last of its packages.
    last = {component: manifest.of_component(component)[-1].registry for component in manifest.components}
    tags = {registry: [tag_key(c) for c, own in last.items() if own is registry] for registry in registries}
    record = [*(key for keys in tags.values() for key in keys), dg.AssetKey(GITHUB_RELEASE)]
    builds = {registry: dg.AssetKey(BUILD_ASSETS[registry]) for registry in registries}
    verdict = [dg.AssetKey(name) for name in ("staged_install", "release_manifest", "gate")]
    credentials = {registry: dg.AssetKey(CREDENTIALS[registry].split("/")) for registry in registries}
    recording = dg.AssetKey(RECORDING.split("/"))
    plan, source = dg.AssetKey("release_plan"), dg.AssetKey("source_tree")
    lints = [dg.AssetKey(LINTS)] if RegistryName.CRATES_IO in registries else []
    slices: dict[str, tuple[str, list[dg.AssetKey]]] = {
        "release": (
            "Everything: plans, builds, proves, and unless it is a dry run publishes and records a release.",
            [
                *(plan, source, *builds.values(), *lints, *credentials.values(), recording, *verdict),
                *(key for keys in publish.values() for key in keys),
                *record,
            ],
        ),
        "detect_and_calculate": ("Plans a release: what changed, and which versions follow.", [plan]),
        "pre_flight_check": (
            "Stamps the source, packages and compiles every crate from its archive, and asks clippy.",
            [source, *(builds[registry] for registry in registries if registry not in _BUILD_JOBS), *lints],
        ),
        **{
            job: ("Builds what this registry takes.", [builds[registry]])
            for registry, job in _BUILD_JOBS.items()
            if registry in builds
        },
        **{
            PROBE_JOBS[registry]: ("Tries whether this registry would let the job in.", [key])
            for registry, key in credentials.items()
            if registry in PROBE_JOBS
        },
        "gate": (
            "Tries the credentials that no job of its own tries, installs everything from staging, lists the files, "
            "and gives the verdict.",
            [*(key for registry, key in credentials.items() if registry not in PROBE_JOBS), recording, *verdict],
        ),
        **{
            job: (
                "Uploads the stored files of a release that has the gate's go, and tags what it published.",
                [*publish[registry], *tags[registry]],
            )
            for registry, job in _PUBLISH_JOBS.items()
            if registry in publish
        },
        "github_release": (
            "Makes the GitHub Release, and the tags that are missing; a draft until everything is published.",
            [dg.AssetKey(GITHUB_RELEASE)],
        ),
    }
    jobs = [_asset_job(name, description, keys) for name, (description, keys) in slices.items()]
    return [*jobs, release_summary]


def _asset_job(name: str, description: str, keys: Iterable[dg.AssetKey]) -> Any:
    # What is published is published: for want of a tag no job that waits for this one may stop.
    tags = {NOT_FATAL: "true"} if name in _PUBLISH_JOBS.values() else None
    return dg.define_asset_job(name, selection=dg.AssetSelection.assets(*keys), description=description, tags=tags)
