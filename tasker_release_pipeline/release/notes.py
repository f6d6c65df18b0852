"""The notes of a GitHub Release: the packages with their files, and the changes."""

from collections.abc import Mapping

from tasker_release_pipeline.release.artifact import ReleaseManifest
from tasker_release_pipeline.release.bases import Base
from tasker_release_pipeline.release.outcome import Outcome
from tasker_release_pipeline.release.plan import PackagePlan, Plan
from tasker_release_pipeline.release.summary import table

LIMIT = 120_000
"""Characters; GitHub refuses more than 125,000."""


def notes(
    plan: Plan,
    manifest: ReleaseManifest,
    outcomes: Mapping[str, Outcome],
    *,
    base: Base,
    changes: str,
) -> str:
    """Markdown. `outcomes`: the last one of each package; `changes`: Markdown too, empty where there are none.

    The same release gives the same notes, however often its packages were uploaded.
    """
    since = "" if base.commit is None else f" since {base.ref}"
    published = [package for package in plan.packages if package.publish]
    rows = [
        [_name(package, outcomes), package.registry, package.version, artifact.file, f"`{artifact.sha256}`"]
        for package in published
        for artifact in manifest.of_package(package.key)
    ]
    packages = table(["package", "registry", "version", "file", "SHA-256"], rows)
    unchanged = ", ".join(f"{p.name} {p.version}" for p in plan.packages if not p.publish)
    foot = [f"Built from {manifest.commit}. `SHA256SUMS` has all digests, `sbom.cdx.json` (CycloneDX) what is inside."]
    if unchanged:
        foot.append(f"Unchanged: {unchanged}.")
    around = f"## Packages\n\n{packages}\n\n" + "\n\n".join(foot)
    said = changes or "No changes are told by the commits."
    room = LIMIT - len(around) - 200
    if len(said) > room:
        said = said[:room].rpartition("\n")[0] + "\n\n... and more: the list is longer than GitHub takes."
    return f"## Changes{since}\n\n{said}\n\n{around}\n"


def _name(package: PackagePlan, outcomes: Mapping[str, Outcome]) -> str:
    outcome = outcomes.get(package.key)
    return f"[{package.name}]({outcome.page})" if outcome is not None and outcome.page else package.name
