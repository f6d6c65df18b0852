"""What git and the registries say of each component, gathered for the decisions."""

from collections.abc import Collection, Mapping

from semver import Version

from tasker_release_pipeline.release.bases import from_ref, last_published
from tasker_release_pipeline.release.changes import Changes, changed_beyond_stamping, classify
from tasker_release_pipeline.release.decisions import Facts, Published
from tasker_release_pipeline.release.git import Checkout
from tasker_release_pipeline.release.manifest import Manifest
from tasker_release_pipeline.release.stamping import versions_at


def gather_facts(
    checkout: Checkout,
    manifest: Manifest,
    commit: str,
    versions: Mapping[str, Version],
    published: Mapping[str, tuple[Version, ...] | None],
    *,
    own: Collection[str],
    base_ref: str = "",
) -> dict[str, Facts]:
    """What is known of each component.

    `versions`: the tree's, by component; `published`: by package, None where unknown; `own`: the tags of the release
    itself; `base_ref`: the base for all, where one is named. Raises InputError for a base that there is not.
    """
    checkout = checkout.snapshot()
    tags = checkout.tags()
    named = from_ref(checkout, base_ref, commit) if base_ref else None
    changes: dict[str | None, Changes] = {}
    at_base: dict[str | None, Mapping[str, Version]] = {None: {}}
    facts = {}
    for component in manifest.components:
        held = Published(packages={p.key: published[p.key] for p in manifest.of_component(component)})
        base = named or last_published(checkout, commit, component, held.latest, asked=held.asked, tags=tags, own=own)
        # Components often share a base; each base is looked at once.
        if base.commit not in changes:
            paths = (
                changed_beyond_stamping(checkout, manifest, base.commit, commit, versions)
                if base.commit is not None
                else checkout.changed_paths(None, commit)
            )
            changes[base.commit] = classify(paths, manifest)
        if base.commit not in at_base and base.commit is not None:
            at_base[base.commit] = versions_at(checkout, base.commit, manifest, base.ref, partial=True)
        facts[component] = Facts(
            tree=versions[component],
            base=base,
            at_base=at_base[base.commit].get(component),
            published=held,
            changes=changes[base.commit],
        )
    return facts
