"""What has a registry of a version? Asked, compared by digests, and by content where the digests differ."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tasker_release_pipeline.registries.base import integrity, sha256
from tasker_release_pipeline.registries.compare import (
    Comparison,
    Difference,
    Verdict,
    compare,
    conflict,
    digest,
    files_of,
    identity,
    stated,
)
from tasker_release_pipeline.registries.contents import commit_of, same_files
from tasker_release_pipeline.registries.endpoints import TITLES
from tasker_release_pipeline.registries.model import RegistryClient, RegistryFile
from tasker_release_pipeline.release.artifact import Artifact
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import RegistryError, UnavailableError


class Sameness(StrEnum):
    """By which rule a published file has the same content as ours."""

    BYTES = "the same bytes"
    FILES = "the same files inside, packed in another way"
    COMMIT = "by its own record packaged from the same commit, which is clean"


_Seen = Sameness | Difference | str
"""Of one published file: the rule by which it is ours, or how it differs, or a contradiction in words."""


@dataclass(frozen=True)
class Answer:
    """What is there: `comparison` after a look into the files whose digests differ, and by which rule files are `same`.

    `doubts`: files that the index and the download say different things of, in words.
    """

    comparison: Comparison
    same: Mapping[str, Sameness] = field(default_factory=dict)
    doubts: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """In one word."""
        return self.comparison.verdict

    @property
    def how(self) -> str:
        """In which way what is there is the same content, in words."""
        rules = set(self.same.values())
        if len(rules) == 1:
            return str(*rules)
        return "; ".join(f"{file}: {rule}" for file, rule in self.same.items())


@dataclass(frozen=True)
class Question:
    """Whether `artifacts` are on a registry as `version` of `name`; to be asked as often as needed.

    A published file is fetched where its digest is not ours, and once only. `ours` gives an artifact's bytes, `place`
    where they lie. `same_commit_counts`: a crate that names the same commit has the same content. That is for a release
    whose store knows of no files that it sent itself: those would have to be there byte by byte.
    """

    client: RegistryClient
    name: str
    version: str
    artifacts: tuple[Artifact, ...]
    ours: Callable[[Artifact], bytes]
    place: Callable[[Artifact], str]
    same_commit_counts: bool = False
    _looked: dict[tuple[str, str | None], _Seen] = field(default_factory=dict, repr=False)

    def answer(self) -> Answer:
        """What is there. Raises ConflictError (other content), UnavailableError (could not ask, or contradictions)."""
        found = self.look()
        if found.doubts:
            raise UnavailableError(
                f"{self.name} {self.version}: what is published is unknown: {'; '.join(found.doubts)}. A mirror, a "
                "cache or the index is stale or corrupt: run again when it is mended"
            )
        return found

    def look(self) -> Answer:
        """As `answer`, but doubts are no error. Raises ConflictError, UnavailableError, RegistryError."""
        registry = self.client.registry
        holdings = self.client.holdings(self.name)
        found = compare(self.artifacts, holdings, self.version, registry)
        there = {identity(registry, f.file): f for f in files_of(holdings, self.version, registry)}
        same: dict[str, Sameness] = {}
        conflicts = [taken for taken in found.conflicts if not taken.theirs]
        doubts = []
        for artifact in self.artifacts:
            published = there.get(identity(registry, artifact.file))
            if published is None:
                continue
            seen = self._seen(artifact, published)
            if isinstance(seen, Sameness):
                same[artifact.file] = seen
            elif isinstance(seen, Difference):
                conflicts.append(seen)
            else:
                doubts.append(seen)
        if conflicts:
            lies = {artifact.file: self.place(artifact) for artifact in self.artifacts}
            raise conflict(registry, self.name, self.version, conflicts, lies)
        verdict = Verdict.SAME if not found.missing else Verdict.MISSING if there else Verdict.ABSENT
        if doubts:
            verdict = Verdict.UNKNOWN
        return Answer(replace(found, verdict=verdict, conflicts=(), unknown=()), same, tuple(doubts))

    def _seen(self, artifact: Artifact, published: RegistryFile) -> _Seen:
        theirs = stated(published, self.client.registry)
        if theirs == digest(artifact, self.client.registry):
            return Sameness.BYTES
        key = artifact.file, theirs
        if key not in self._looked:
            self._looked[key] = self._look_into(artifact, published, theirs)
        return self._looked[key]

    def _look_into(self, artifact: Artifact, published: RegistryFile, theirs: str | None) -> _Seen:
        title = TITLES[self.client.registry]
        says = f"{title} states {theirs} of {published.file}" if theirs else f"{title} lists {published.file}"
        try:
            # Whatever is there: that it is not what is stated is for us to say.
            content = self.client.fetch(published.model_copy(update={"sha256": None, "integrity": None}))
        except RegistryError as error:
            return f"{says}, but does not give it ({error})"
        is_npm = self.client.registry is RegistryName.NPM
        found = integrity(content) if is_npm else sha256(content)
        if sha256(content) == artifact.sha256:
            return Sameness.BYTES if theirs is None else f"{says}, but what it gives ({published.url}) is ours, {found}"
        if theirs in (None, found):
            ours = self.ours(artifact)
            if same_files(artifact.file, ours, content):
                return Sameness.FILES
            commit = commit_of(artifact.file, content) if self.same_commit_counts else None
            if commit and commit == commit_of(artifact.file, ours):
                return Sameness.COMMIT
        ours_digest = digest(artifact, self.client.registry)
        return Difference(artifact.file, ours=ours_digest, theirs=theirs or found, url=published.url)
