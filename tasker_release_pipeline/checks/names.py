"""Whose the packages' names are: ours, free, or a stranger's, whose crate a release would meet as a 403."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from semver import Version

from tasker_release_pipeline.checks.answers import Answer
from tasker_release_pipeline.registries.endpoints import TITLES
from tasker_release_pipeline.registries.owners import Owners
from tasker_release_pipeline.registries.publisher_form import first_publish
from tasker_release_pipeline.release.checks import Report
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.versions import REGISTRY_STYLE, legible, read


@dataclass(frozen=True)
class _Published:
    """A package that its registry knows. `ours`: the versions that tell it from a stranger's, but for its own."""

    answer: Answer
    versions: tuple[Version, ...]
    owners: Owners
    ours: frozenset[Version]

    @property
    def key(self) -> str:
        return self.answer.package.key

    @property
    def common(self) -> list[Version]:
        return [version for version in self.versions if version in self.ours]

    @property
    def runs_ahead(self) -> bool:
        """Whether it has got further than what is to be released, by versions that nobody of us has heard of."""
        planned = read(self.answer.package.version, REGISTRY_STYLE[self.answer.package.registry], self.key)
        return bool(self.versions) and self.versions[-1] > planned and self.versions[-1] not in self.ours


def names_are_ours(
    answers: Sequence[Answer],
    owners: Mapping[str, Owners],
    expected: Mapping[RegistryName, Collection[str]],
    known: Mapping[str, Collection[Version]],
) -> Report:
    """Every name that is to be published is free, or its package is ours.

    Owners decide, where the registry tells them: those that the manifest expects, or else those of the sibling packages
    on the same registry. Where it does not, versions do: a package ahead of the release by versions that the source's
    history (`known`, by component) and its siblings have never had is somebody else's.
    """
    errors, warnings, evidence = [], [], {}
    published = _published(answers, owners, known)
    for answer in answers:
        key = answer.package.key
        if answer.holdings is None:
            warnings.append(f"{key}: unproven whether the name is ours: its registry did not answer")
        elif key not in published:
            evidence[key] = "free"
        else:
            wanted = frozenset(expected.get(answer.package.registry, ()))
            stranger, why = _judge(published[key], wanted, _siblings(published, key))
            evidence[key] = why
            if stranger:
                errors.append(f"{key}: the name is a stranger's, as it seems: {why}; {_way_out(answer)}")
            elif stranger is None:
                warnings.append(f"{key}: unproven whether the name is ours: {why}; {_way_out(answer)}")
    return Report.of(errors=errors, warnings=warnings, evidence=evidence, seen="every name is free or ours")


def names_are_known(answers: Sequence[Answer], *, live: bool) -> Report:
    """No name is published for the first time, which takes other credentials: a warning, with the steps to take.

    On loopback, where every account may do everything, it is worth a line of evidence alone.
    """
    new = [answer for answer in answers if answer.holdings is not None and not answer.holdings.versions]
    said = {
        a.package.key: f"{a.package.name} is new to {TITLES[a.package.registry]}: its first publish. "
        + first_publish(a.package.registry, a.package.name)
        for a in new
    }
    return Report.of(
        warnings=[f"{key}: {text}" for key, text in said.items()] if live else [],
        evidence=said,
        seen=f"new names, on loopback: {', '.join(said)}" if said else "every name was published before",
    )


def _published(
    answers: Sequence[Answer], owners: Mapping[str, Owners], known: Mapping[str, Collection[Version]]
) -> dict[str, _Published]:
    held = {a.package.key: a for a in answers if a.holdings is not None and a.holdings.versions}
    versions = {
        key: tuple(legible(answer.holdings.versions, answer.package.registry) if answer.holdings else ())
        for key, answer in held.items()
    }
    found = {}
    for key, answer in held.items():
        component = answer.package.component
        siblings = [versions[other] for other, o in held.items() if other != key and o.package.component == component]
        ours = frozenset(known.get(component, ())).union(*siblings)
        found[key] = _Published(answer, versions[key], owners.get(key, Owners(problem="not asked")), ours)
    return found


def _siblings(published: Mapping[str, _Published], key: str) -> frozenset[str]:
    """The owners of the other packages on the same registry that are ours by their versions."""
    registry = published[key].answer.package.registry
    others = [p for k, p in published.items() if k != key and p.answer.package.registry is registry]
    return frozenset[str]().union(*(p.owners.names for p in others if p.common and not p.runs_ahead))


def _judge(package: _Published, expected: frozenset[str], siblings: frozenset[str]) -> tuple[bool | None, str]:
    """Whether it is a stranger's, None where nothing tells; and by what."""
    names = package.owners.names
    if names and (compared := expected or siblings):
        theirs, ours = ", ".join(sorted(names)), ", ".join(sorted(compared))
        whose = "the manifest expects" if expected else "its sibling packages belong to"
        if names & compared:
            return False, f"it belongs to {theirs}"
        return True, f"it belongs to {theirs}, while {whose} {ours}"
    asked = f"it belongs to {', '.join(sorted(names))}" if names else f"owners unproven ({package.owners.problem})"
    shown = ", ".join(map(str, package.versions[-3:])) or "no legible version"
    if package.runs_ahead:
        return True, f"its versions (up to {shown}) are none that this workspace has had; {asked}"
    if not package.common:
        return None, f"its versions ({shown}) are none that this workspace is known to have had; {asked}"
    if expected:
        return None, f"{asked}, and the manifest expects {', '.join(sorted(expected))}"
    return False, f"it has {package.common[-1]} in common with this workspace; {asked}"


def _way_out(answer: Answer) -> str:
    registry = answer.package.registry
    return (
        f"if it is ours, name its owners in the manifest ([registries.{registry}] owners = [...]), and let them add "
        f"the account that publishes; if not, rename the package in its own files and in the manifest: "
        f"{TITLES[registry]} would refuse the upload after others are out"
    )
