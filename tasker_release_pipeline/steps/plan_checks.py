"""The checks of the plan, against what the registries and the source's history say."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from semver import Version

from tasker_release_pipeline.checks.answers import Answer, ask
from tasker_release_pipeline.checks.dist_tags import dist_tags_are_kept
from tasker_release_pipeline.checks.history import counted_from_an_earlier_release
from tasker_release_pipeline.checks.names import names_are_known, names_are_ours
from tasker_release_pipeline.checks.planned_versions import versions_are_free, versions_are_legal
from tasker_release_pipeline.checks.registries import registries_answered
from tasker_release_pipeline.registries.endpoints import is_live
from tasker_release_pipeline.registries.owners import Owners, owners
from tasker_release_pipeline.release.bases import own_tags
from tasker_release_pipeline.release.catalogue import RELEASE_PLAN
from tasker_release_pipeline.release.checks import CheckResult, Report
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.release.stamping import versions_at
from tasker_release_pipeline.release.versions import legible, next_patch
from tasker_release_pipeline.steps.checking import run_checks
from tasker_release_pipeline.steps.plan import released
from tasker_release_pipeline.steps.registry_sets import target
from tasker_release_pipeline.steps.run import ReleaseRun


def check_plan(run: ReleaseRun, plan: Plan) -> list[CheckResult]:
    """Run the checks of the asset `release_plan`."""
    begun = {key for key in run.manifest.keys if any(outcome.kind.may_be_out for outcome in run.store.outcomes(key))}
    with target(run) as registries:
        everything = ask(plan.packages, registries.endpoints)
        # What stays as it is needs no name and no version.
        answers = [answer for answer in everything if answer.package.publish]

        def names() -> Report:
            expected = {name: row.owners for name, row in run.manifest.registries.items()}
            return names_are_ours(answers, _owners(answers, registries.endpoints), expected, _known(run, plan))

        return run_checks(
            run,
            RELEASE_PLAN,
            plan.digest,
            {
                "registries_answered": lambda: registries_answered(
                    everything, plan.unreachable, dry_run=run.settings.dry_run
                ),
                "names_are_ours": names,
                "names_are_known": lambda: names_are_known(answers, live=is_live(registries.endpoints)),
                "versions_are_legal": lambda: versions_are_legal([answer.package for answer in answers]),
                "versions_are_free": lambda: versions_are_free(answers, begun, run.settings.on_duplicate),
                "dist_tags_are_kept": lambda: dist_tags_are_kept(answers),
                "counted_from_an_earlier_release": lambda: _history(run, plan, everything),
            },
        )


def _owners(answers: Sequence[Answer], endpoints: Endpoints) -> dict[str, Owners]:
    """The owners of what is published, by package key; all registries are asked at once."""
    asked = {
        registry: {
            answer.package.name: answer.package.key
            for answer in answers
            if answer.package.registry is registry and answer.holdings is not None and answer.holdings.versions
        }
        for registry in RegistryName
    }
    with ThreadPoolExecutor(max_workers=len(asked)) as pool:
        told = pool.map(lambda registry: owners(registry, endpoints, asked[registry]), asked)
        return {
            asked[registry][name]: found
            for registry, each in zip(asked, told, strict=True)
            for name, found in each.items()
        }


def _known(run: ReleaseRun, plan: Plan) -> dict[str, set[Version]]:
    """The versions that each component has had or is to have, as far as the source's history tells."""
    tags = run.checkout.tags()
    known: dict[str, set[Version]] = {}
    for name, decision in plan.components.items():
        tree = Version.parse(decision.tree)
        known[name] = {tree, next_patch(tree), Version.parse(decision.version)}
        prefixes = (f"{name}-v", "v") if name == run.manifest.core else (f"{name}-v",)
        texts = (tag.removeprefix(prefix) for tag in tags for prefix in prefixes if tag.startswith(prefix))
        known[name] |= {Version.parse(text) for text in texts if Version.is_valid(text)}
        if decision.base.commit is not None:
            base = versions_at(run.checkout, decision.base.commit, run.manifest, decision.base.ref, partial=True)
            known[name] |= set(base.values())
    # Bindings follow the core's numbers.
    return {name: versions | known.get(run.manifest.core or "", set()) for name, versions in known.items()}


def _history(run: ReleaseRun, plan: Plan, answers: Sequence[Answer]) -> Report:
    published = {
        answer.package.key: None
        if answer.holdings is None
        else tuple(legible(answer.holdings.versions, answer.package.registry))
        for answer in answers
    }
    tags = run.checkout.tags()
    own = own_tags(plan.release, plan.commit, tags, released(run.manifest, published))
    return counted_from_an_earlier_release(plan, own, tagged=plan.release in tags)
