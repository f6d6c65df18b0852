"""The commit that a component's changes are counted from."""

from collections.abc import Collection, Mapping
from enum import StrEnum
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict
from semver import Version

from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.git import Checkout

# Tags of whole releases, whatever the prefix; digits after v, so that `vendor-1` is none.
RELEASE_TAGS = ("v[0-9]*", "release-*")


class BaseKind(StrEnum):
    """Where a base comes from."""

    FROM_REF = "from_ref"
    COMPONENT_TAG = "component tag"
    RELEASE_TAG = "release tag"
    BEGINNING = "the beginning"


class Base(BaseModel):
    """A base: `ref` for people, `commit` for git; `commit` is None where everything counts as changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: BaseKind
    ref: str
    commit: str | None


BEGINNING = Base(kind=BaseKind.BEGINNING, ref="the beginning", commit=None)


def own_tags(release: str, commit: str, tags: Mapping[str, str], published: Collection[Version]) -> set[str]:
    """The tags that belong to a release of `commit`, and so are no base of it.

    Its own; and every release tag on its commit whose version is not `published`: a commit may well be tagged twice
    (`v0.1.9` and `release-20260208`), or be rehearsed under another key after it was tagged.
    """
    here = {tag for tag, at in tags.items() if at == commit and is_release_tag(tag)}
    return {release, *(here - {f"v{version}" for version in published})}


def is_release_tag(tag: str) -> bool:
    """Whether a tag is one of a whole release."""
    return any(fnmatchcase(tag, pattern) for pattern in RELEASE_TAGS)


def from_ref(checkout: Checkout, ref: str, commit: str) -> Base:
    """The base that the user names. Raises InputError where it names no commit in the history of `commit`."""
    base = checkout.commit_of(ref)
    if base is None:
        raise InputError(
            f"from_ref {ref!r}: {checkout.path} has no such tag, branch or commit; "
            "fetch it (git fetch --tags), or leave from_ref empty to start from what was last published"
        )
    if not checkout.is_ancestor(base, commit):
        raise InputError(f"from_ref {ref!r}: is no ancestor of the released commit {commit[:12]}; name an older one")
    return Base(kind=BaseKind.FROM_REF, ref=ref, commit=base)


def last_published(
    checkout: Checkout,
    commit: str,
    component: str,
    version: Version | None,
    *,
    asked: bool,
    tags: Mapping[str, str],
    own: Collection[str],
) -> Base:
    """The base of a component whose last published version is `version`.

    The component's tag for that version; else the nearest release tag in the history, other than the release's `own`;
    else the beginning. Where the registry answered (`asked`) that nothing was ever published, a tag is no
    evidence that something was: the beginning.
    Raises InputError for a shallow clone, which would make everything look changed.
    """
    if version is None and asked:
        return BEGINNING
    if checkout.shallow:
        raise InputError(
            f"source {checkout.path}: a shallow clone, in which the last release can't be found; "
            "fetch the rest (git fetch --unshallow --tags; in GitHub Actions: fetch-depth: 0)"
        )
    tag = f"{component}-v{version}"
    if version is not None and tag in tags and checkout.is_ancestor(tags[tag], commit):
        return Base(kind=BaseKind.COMPONENT_TAG, ref=tag, commit=tags[tag])
    nearest = checkout.nearest_tag(RELEASE_TAGS, commit, exclude=own)
    if nearest is not None:
        return Base(kind=BaseKind.RELEASE_TAG, ref=nearest, commit=tags[nearest])
    return BEGINNING
