"""npm's dist-tags: what `npm install` gives to everybody is `latest`, wherever it points."""

import re
from collections.abc import Sequence

from semver import Version

from tasker_release_pipeline.checks.answers import Answer
from tasker_release_pipeline.release.checks import Report
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.versions import legible

LATEST = "latest"
# npm takes such a tag for a range of versions, and refuses it.
_PART = r"(\d+|x|\*)"
_RANGE = re.compile(rf"([v=^~<>\s]*{_PART}(\.{_PART}(\.{_PART}([-+].*)?)?)?)?", re.IGNORECASE)


def dist_tags_are_kept(answers: Sequence[Answer]) -> Report:
    """Each npm package goes to the dist-tag that its last version went to, as far as `latest` is concerned.

    A warning where `latest` would move to it for the first time, be left behind, or go back; and where it is to point
    at a pre-release.
    """
    errors, warnings, evidence = [], [], {}
    for answer in answers:
        package = answer.package
        if package.registry is not RegistryName.NPM:
            continue
        tag, version = package.dist_tag or "", Version.parse(package.version)
        evidence[package.key] = f"{version} goes to {tag!r}" + _now(answer)
        if _RANGE.fullmatch(tag):
            errors.append(
                f"{package.key}: npm refuses the dist-tag {tag!r}, which reads as a range of versions; name it by a "
                "word in the manifest's dist_tags"
            )
        elif doubt := _doubt(answer, tag, version):
            warnings.append(f"{package.key}: {doubt}; if that is not meant, correct dist_tags in the manifest")
    return Report.of(errors=errors, warnings=warnings, evidence=evidence, seen="; ".join(evidence.values()) or "no npm")


def _now(answer: Answer) -> str:
    if answer.holdings is None:
        return "; where the dist-tags point now is unknown"
    if not answer.holdings.tags:
        return "; the first version becomes 'latest', too, as npm has it"
    return "; now " + ", ".join(f"{name} is {version}" for name, version in sorted(answer.holdings.tags.items()))


def _doubt(answer: Answer, tag: str, version: Version) -> str:
    if tag == LATEST and version.prerelease is not None:
        return f"`latest` would move to the pre-release {version}"
    published = legible(answer.holdings.versions, RegistryName.NPM) if answer.holdings else []
    tags = answer.holdings.tags if answer.holdings else {}
    if not published:
        return f"`latest` would move to {version}, before 1.0.0" if tag == LATEST and version.major == 0 else ""
    last, latest = str(published[-1]), tags.get(LATEST, "none")
    # The first version of a package is `latest` whatever its dist-tag: then another tag points at it, too.
    was_latest = latest == last and not any(name != LATEST and at == last for name, at in tags.items())
    if tag == LATEST and not was_latest:
        return f"`latest` would move from {latest} to {version}, though {last} did not go there"
    if tag == LATEST and version < published[-1]:
        return f"`latest` would go back from {latest} to {version}"
    if tag != LATEST and was_latest:
        return f"{version} goes to {tag!r}, and `latest` is left behind at {latest}, where the versions before went"
    return ""
