"""The release that would follow from a commit: what changed in it, and which versions that makes."""

from collections.abc import Mapping
from dataclasses import dataclass

from semver import Version

from tasker_release_pipeline.release.bases import is_release_tag
from tasker_release_pipeline.release.decisions import Decision, Facts, decide
from tasker_release_pipeline.release.facts import gather_facts
from tasker_release_pipeline.release.git import Checkout
from tasker_release_pipeline.release.manifest import Manifest
from tasker_release_pipeline.release.stamping import versions_at


@dataclass(frozen=True)
class NextRelease:
    """What is known before a release has its name.

    `commit`: what would be released. `tags`: the release tags that stand on it, which are then no base of it; none
    where all registries have that release, as the next one follows it. `facts`: by component.
    """

    commit: str
    tags: tuple[str, ...]
    facts: Mapping[str, Facts]

    @classmethod
    def of(
        cls,
        checkout: Checkout,
        manifest: Manifest,
        base_ref: str = "",
        published: Mapping[str, tuple[Version, ...] | None] | None = None,
    ) -> "NextRelease":
        """Look at what is checked out; uncommitted changes do not count.

        `published`: by package what its registry holds. Without it git alone is asked: the base is then `base_ref`,
        else the nearest release tag in the history. Raises InputError.
        """
        checkout = checkout.snapshot()
        commit = checkout.head
        versions = versions_at(checkout, commit, manifest, commit[:12])
        tags = tuple(tag for tag, at in checkout.tags().items() if at == commit and is_release_tag(tag))
        if published is not None and all(
            versions[package.component] in (published[package.key] or ()) for package in manifest.packages
        ):
            tags = ()
        held = dict.fromkeys(manifest.keys) if published is None else published
        facts = gather_facts(checkout, manifest, commit, versions, held, own=tags, base_ref=base_ref)
        return cls(commit, tags, facts)

    def decisions(self, manifest: Manifest) -> dict[str, Decision]:
        """What the release does with each component."""
        return decide(manifest, self.facts, "", tagged=bool(self.tags))
