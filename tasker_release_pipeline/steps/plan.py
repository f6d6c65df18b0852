"""The plan step: compare the source with what the registries hold."""

from collections.abc import Mapping

from semver import Version

from tasker_release_pipeline.release.bases import own_tags
from tasker_release_pipeline.release.decisions import Published
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.facts import gather_facts
from tasker_release_pipeline.release.manifest import Manifest
from tasker_release_pipeline.release.plan import Finding, Plan, Severity, make_plan
from tasker_release_pipeline.release.settings import Mode
from tasker_release_pipeline.release.stamping import Tree, disagreements, tree_versions
from tasker_release_pipeline.steps.published import ask
from tasker_release_pipeline.steps.registry_sets import target
from tasker_release_pipeline.steps.run import ReleaseRun


def plan_release(run: ReleaseRun) -> Plan:
    """Make the plan of a release, and remember its settings.

    Once something of a release is published its plan stands: run again, the same plan is continued. Raises InputError.
    """
    standing = _standing(run)
    plan = standing.model_copy(update={"settings": run.settings}) if standing else _fresh(run)
    run.store.write("settings.json", run.settings)
    return plan


def _standing(run: ReleaseRun) -> Plan | None:
    plan = run.store.read("plan.json", Plan)
    # Any attempt counts, not the last alone: a version that is out stays out, however later runs end.
    kinds = {key: {outcome.kind for outcome in run.store.outcomes(key)} for key in run.manifest.keys}
    if plan is None or not any(kind.attempted for known in kinds.values() for kind in known):
        return None
    out = [key for key, known in kinds.items() if any(kind.may_be_out for kind in known)]
    for what, then, now in (
        ("commit", plan.commit, run.commit),
        ("manifest", plan.manifest_digest, run.manifest.digest),
        ("registries", plan.settings.registries, run.settings.registries),
    ):
        if then != now and not out:
            return None
        if then != now:
            raise InputError(
                f"release {run.release}: {', '.join(out)} of it are out (or may be) from {what} {then[:12]}, this is "
                f"{now[:12]}; finish the release as it was planned, or start another under a new tag"
            )
    run.log(f"continuing the plan of {run.release}; out so far, or perhaps: {', '.join(out) or 'nothing'}")
    return plan


def _fresh(run: ReleaseRun) -> Plan:
    commit = run.commit
    with target(run) as registries:
        published, unreachable = ask(run.manifest, registries.endpoints, run.log)
    tree = Tree.of(run.checkout, commit)
    versions = tree_versions(tree.read, run.manifest, commit[:12])
    plan = make_plan(
        run.manifest,
        run.settings,
        release=run.release,
        commit=commit,
        facts=gather_facts(
            run.checkout,
            run.manifest,
            commit,
            versions,
            published,
            own=own_tags(run.release, commit, run.checkout.tags(), released(run.manifest, published)),
            base_ref=run.settings.from_ref,
        ),
        unreachable=unreachable,
        tagged=_is_tagged(run, commit, versions),
    )
    if run.mode is Mode.LIVE and (wrong := disagreements(tree, run.manifest, plan.versions)):
        message = (
            f"{commit[:12]} is not prepared ({'; '.join(wrong)}): a live release publishes the tagged commit itself; "
            "write these versions in a commit, and tag that"
        )
        findings = (*plan.findings, Finding(severity=Severity.ERROR, message=message))
        plan = plan.model_copy(update={"findings": findings})
    return plan


def released(manifest: Manifest, published: Mapping[str, tuple[Version, ...] | None]) -> set[Version]:
    """The versions that all crates are known to be published at. `published`: by package key, None where unknown."""
    return Published(packages={crate.key: published[crate.key] for crate in manifest.crates}).complete


def _is_tagged(run: ReleaseRun, commit: str, versions: Mapping[str, Version]) -> bool:
    """Whether the commit is a tagged release: under this key, or (in a rehearsal of it) under its version's."""
    tags = run.checkout.tags()
    core = run.manifest.core
    return run.release in tags or (core is not None and tags.get(f"v{versions[core]}") == commit)
