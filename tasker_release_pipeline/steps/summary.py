"""The summary of a release, from what the store holds of it."""

from collections.abc import Mapping

from tasker_release_pipeline.release.artifact import ReleaseManifest
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.gate import Gate
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.release.summary import summary
from tasker_release_pipeline.steps.run import ReleaseRun


def write_summary(run: ReleaseRun, failures: Mapping[str, str]) -> str:
    """Write `summary.md`, and give its text, which says so where the store does not take it.

    `failures`: by step, what stopped this run. Raises InputError where the store can't be read.
    """
    plan = run.store.read("plan.json", Plan)
    manifest = run.store.read("manifest.json", ReleaseManifest)
    gate = run.store.read("gate.json", Gate)
    current = plan is not None and manifest is not None and manifest.plan == plan.digest
    outcomes = {key: outcome for key in run.manifest.keys if (outcome := run.store.outcome(key)) is not None}
    text = summary(
        run.release,
        run.mode,
        plan=plan,
        # A manifest of an older plan, or a verdict on an older manifest, is not what this release stands at.
        manifest=manifest if current else None,
        gate=gate
        if current and gate is not None and manifest is not None and gate.manifest == manifest.digest
        else None,
        outcomes=outcomes,
        failures=failures,
    )
    try:
        run.store.write_bytes("summary.md", text.encode())
    except InputError as error:
        return f"{text}\nThis summary is not in the store: {error}\n"
    return text
