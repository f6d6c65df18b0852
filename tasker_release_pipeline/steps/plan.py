"""The plan step: compare the source with what the registries hold."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from semver import Version

from tasker_release_pipeline.registries.client import client
from tasker_release_pipeline.release.bases import from_ref, last_published
from tasker_release_pipeline.release.changes import Changes, changed_beyond_stamping, classify
from tasker_release_pipeline.release.decisions import Facts, Published
from tasker_release_pipeline.release.endpoints import Endpoints
from tasker_release_pipeline.release.errors import InputError, RegistryError, UnavailableError
from tasker_release_pipeline.release.manifest import Package
from tasker_release_pipeline.release.plan import Finding, Plan, Severity, make_plan
from tasker_release_pipeline.release.settings import Mode
from tasker_release_pipeline.release.stamping import Tree, disagreements, tree_versions
from tasker_release_pipeline.release.versions import legible
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
        published, unreachable = _ask(run, registries.endpoints)
    tree = Tree.of(run.checkout, commit)
    versions = tree_versions(tree.read, run.manifest, commit[:12])
    plan = make_plan(
        run.manifest,
        run.settings,
        release=run.release,
        commit=commit,
        facts=gather_facts(run, commit, versions, published),
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


def _ask(run: ReleaseRun, endpoints: Endpoints) -> tuple[dict[str, tuple[Version, ...] | None], dict[str, str]]:
    def versions(package: Package) -> tuple[Version, ...] | Exception:
        try:
            held = client(package.registry, endpoints).holdings(package.name)
        except (UnavailableError, RegistryError) as error:
            return error
        return tuple(legible(held.versions, package.registry))

    with ThreadPoolExecutor(max_workers=8) as pool:
        packages = map(run.manifest.package, run.manifest.keys)
        answers = dict(zip(run.manifest.keys, pool.map(versions, packages), strict=True))
    unreachable = {key: str(answer) for key, answer in answers.items() if isinstance(answer, Exception)}
    for key, answer in answers.items():
        held = answer if isinstance(answer, tuple) else None
        run.log(f"{key}: " + ("unknown" if held is None else ", ".join(map(str, held[-3:])) or "nothing published"))
    return {key: None if isinstance(a, Exception) else a for key, a in answers.items()}, unreachable


def _is_tagged(run: ReleaseRun, commit: str, versions: Mapping[str, Version]) -> bool:
    """Whether the commit is a tagged release: under this key, or (in a rehearsal of it) under its version's."""
    tags = run.checkout.tags()
    core = run.manifest.core
    return run.release in tags or (core is not None and tags.get(f"v{versions[core]}") == commit)


def gather_facts(
    run: ReleaseRun,
    commit: str,
    versions: Mapping[str, Version],
    published: Mapping[str, tuple[Version, ...] | None],
) -> dict[str, Facts]:
    """What is known of each component. `versions`: the tree's; `published`: by package, None where unknown."""
    checkout, manifest = run.checkout, run.manifest
    tags = checkout.tags()
    named = from_ref(checkout, run.settings.from_ref, commit) if run.settings.from_ref else None
    changes: dict[str | None, Changes] = {}
    at_base: dict[str | None, Mapping[str, Version]] = {None: {}}
    facts = {}
    for component in manifest.components:
        held = Published(packages={p.key: published[p.key] for p in manifest.of_component(component)})
        base = named or last_published(
            checkout, commit, component, held.latest, asked=held.asked, tags=tags, release=run.release
        )
        # Components often share a base; each base is looked at once.
        if base.commit not in changes:
            paths = (
                changed_beyond_stamping(checkout, manifest, base.commit, commit, versions)
                if base.commit is not None
                else checkout.changed_paths(None, commit)
            )
            changes[base.commit] = classify(paths, manifest)
        if base.commit not in at_base and base.commit is not None:
            read = partial(checkout.show, base.commit)
            at_base[base.commit] = tree_versions(read, manifest, base.ref, partial=True)
        facts[component] = Facts(
            tree=versions[component],
            base=base,
            at_base=at_base[base.commit].get(component),
            published=held,
            changes=changes[base.commit],
        )
    return facts
