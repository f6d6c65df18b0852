"""Whether a job could publish: its credentials for one registry, tried as far as that has no effect.

A trusted publisher's exchange is tried for real: its token is revoked where the registry can, and lapses elsewhere.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from packaging.version import InvalidVersion, Version

from tasker_release_pipeline.registries.client import client
from tasker_release_pipeline.registries.credentials import ALSO, BY_IDENTITY, VARIABLES, Credentials
from tasker_release_pipeline.registries.endpoints import LIVE, TITLES
from tasker_release_pipeline.registries.publisher_form import NO_FIRST_PUBLISH, first_publish
from tasker_release_pipeline.registries.token_check import SHAPES, is_known, looks_right
from tasker_release_pipeline.registries.trusted_publishing import TrustedPublishing
from tasker_release_pipeline.release.checks import Report
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName
from tasker_release_pipeline.release.errors import ReleaseError, ToolError, UnavailableError
from tasker_release_pipeline.toolchains.runner import run
from tasker_release_pipeline.toolchains.tools import search_path

IDENTITY_TOOLS = {RegistryName.NPM: {"npm": "11.5.1", "node": "22.14"}}
"""The least versions that a registry takes uploads of trusted publishers from."""

CLAIMS = ("repository", "workflow_ref", "environment", "ref", "aud", "sub")
"""The claims that are shown as evidence."""

_NEVER_READ = {
    RegistryName.NPM: ("NODE_AUTH_TOKEN", "NPM_ID_TOKEN"),
    RegistryName.PYPI: ("UV_PUBLISH_USERNAME", "UV_PUBLISH_PASSWORD", "UV_PUBLISH_URL"),
    RegistryName.RUBYGEMS: ("RUBYGEMS_HOST",),
}
"""Variables that clients of their own accord would follow; the pipeline's never see them."""


class Told(StrEnum):
    """How a finding is meant. A warning is also what could not be told: its message begins with `unproven`."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class ProbeFinding:
    """One thing that was looked at. `about`: token, identity, first publish, tools or environment."""

    registry: RegistryName
    about: str
    severity: Told
    message: str
    evidence: Mapping[str, str] = field(default_factory=dict)


def probe(
    registry: RegistryName,
    names: Sequence[str],
    environment: Mapping[str, str],
    *,
    endpoints: Endpoints = LIVE,
    version_of: Callable[[str], str] | None = None,
) -> tuple[ProbeFinding, ...]:
    """What stands against publishing `names` with what `environment` holds. What could not be asked is told.

    `version_of` gives the version of a tool, and raises ToolError; without it the tool is asked.
    """
    credentials = Credentials.from_environment(environment, endpoints)
    found = list(_in_the_way(registry, environment, credentials))
    if token := credentials.token(registry):
        found += _token(registry, token, endpoints)
    elif credentials.is_trusted(registry) and credentials.trusted is not None:
        found += _tools(registry, version_of or _version)
        found += _identity(registry, names, credentials.trusted)
    else:
        found.append(ProbeFinding(registry, "token", Told.ERROR, credentials.missing(registry)))
    return tuple(found)


def report(findings: Iterable[ProbeFinding]) -> Report:
    """The findings as a check's report; what is well is its evidence."""
    all_of_them = list(findings)
    evidence = {f"{f.registry} {f.about}": f.message for f in all_of_them if f.severity is Told.OK}
    claims = {f"{f.registry} {claim}": value for f in all_of_them for claim, value in f.evidence.items()}
    return Report.of(
        errors=[f.message for f in all_of_them if f.severity is Told.ERROR],
        warnings=[f.message for f in all_of_them if f.severity is Told.WARNING],
        evidence={**evidence, **claims},
        seen="; ".join(evidence.values()),
    )


def _token(registry: RegistryName, token: str, endpoints: Endpoints) -> Iterator[ProbeFinding]:
    title, variable = TITLES[registry], VARIABLES[registry]
    if not looks_right(registry, token):
        yield ProbeFinding(
            registry,
            "token",
            Told.WARNING,
            f"{variable} does not look like a token of {title}, which is {SHAPES[registry][0]}: see whether it is "
            "another registry's, cut off, or in quotes",
        )
    answer = is_known(registry, token, endpoints)
    if answer.known is None:
        message = f"unproven whether {title} knows the token in {variable}: {answer.said}"
        yield ProbeFinding(registry, "token", Told.WARNING, message)
    elif answer.known:
        yield ProbeFinding(registry, "token", Told.OK, f"{title} knows the token in {variable}", {"token": answer.said})
    else:
        message = f"{title} does not know the token in {variable}: make a new one, and set it there ({answer.said})"
        yield ProbeFinding(registry, "token", Told.ERROR, message)


def _identity(registry: RegistryName, names: Sequence[str], trusted: TrustedPublishing) -> Iterator[ProbeFinding]:
    existing = []
    for name in names:
        first = _first_publish(registry, name, trusted.endpoints)
        if first is None:
            existing.append(name)
        else:
            yield first
    # Elsewhere one exchange is for all packages whose publisher matches.
    for name in existing if registry is RegistryName.NPM else existing[:1]:
        yield _exchanged(registry, name, trusted)


def _first_publish(registry: RegistryName, name: str, endpoints: Endpoints) -> ProbeFinding | None:
    """A finding where `name` is not known to exist on a registry that lets no trusted publisher create it."""
    if registry not in NO_FIRST_PUBLISH:
        return None
    try:
        if client(registry, endpoints).holdings(name).versions:
            return None
    except ReleaseError as error:
        message = f"unproven whether {name} exists, which trusted publishing needs: {error}"
        return ProbeFinding(registry, "first publish", Told.WARNING, message)
    message = f"{name} was never published on {TITLES[registry]}, and {first_publish(registry, name)}"
    return ProbeFinding(registry, "first publish", Told.ERROR, message)


def _exchanged(registry: RegistryName, name: str, trusted: TrustedPublishing) -> ProbeFinding:
    title = TITLES[registry]
    try:
        minted = trusted.mint(registry, name)
    except UnavailableError as error:
        message = f"unproven whether {title} takes this job as trusted publisher of {name}: {error}"
        return ProbeFinding(registry, "identity", Told.WARNING, message)
    except ReleaseError as error:
        return ProbeFinding(registry, "identity", Told.ERROR, str(error))
    claims = {claim: str(minted.claims[claim]) for claim in CLAIMS if claim in minted.claims}
    gave = f"{title} gave this job a token as trusted publisher"
    try:
        trusted.revoke(minted)
    except ReleaseError as error:
        message = f"{gave}, which could not be revoked, and lapses by itself: {error}"
        return ProbeFinding(registry, "identity", Told.WARNING, message, claims)
    which = f" of {name}" if registry is RegistryName.NPM else "; of which packages, only an upload shows"
    return ProbeFinding(registry, "identity", Told.OK, gave + which, claims)


def _tools(registry: RegistryName, version_of: Callable[[str], str]) -> Iterator[ProbeFinding]:
    for tool, least in IDENTITY_TOOLS.get(registry, {}).items():
        try:
            version = version_of(tool)
            recent = Version(version) >= Version(least)
        except (ToolError, InvalidVersion) as error:
            message = f"trusted publishing on {TITLES[registry]} needs {tool} {least} or newer: {error}"
            yield ProbeFinding(registry, "tools", Told.ERROR, message)
            continue
        need = f"trusted publishing on {TITLES[registry]} needs {least} or newer"
        if recent:
            yield ProbeFinding(registry, f"tools: {tool}", Told.OK, f"{tool} {version}: {need}", {tool: version})
        else:
            way_out = "update it in the job, before the upload"
            message = f"{tool} {version} is too old: {need}; {way_out}"
            yield ProbeFinding(registry, f"tools: {tool}", Told.ERROR, message, {tool: version})


def _version(tool: str) -> str:
    said = run([tool, "--version"], cwd=Path("/"), seconds=20, log=lambda _: None, env={"PATH": search_path()}).output
    # A warning may stand around it, such as npm's of a setting that it does not know.
    alone = re.search(r"^v?(\d+(?:\.\d+)+\S*)$", said, re.MULTILINE)
    return alone[1] if alone else said.strip()


def _in_the_way(
    registry: RegistryName, environment: Mapping[str, str], credentials: Credentials
) -> Iterator[ProbeFinding]:
    """What somebody set and nothing reads: the pipeline's clients run without it, but it says that more was meant."""
    for variable in _NEVER_READ.get(registry, ()):
        if environment.get(variable) and (credentials.in_actions or registry is not RegistryName.NPM):
            yield _unread(registry, f"{variable} is set", variable)
    if not credentials.in_actions:
        return
    if registry in BY_IDENTITY:
        for variable in (VARIABLES[registry], ALSO.get(registry, "")):
            if environment.get(variable):
                yield _unread(registry, f"{variable} is set, but a job publishes as trusted publisher", variable)
    if registry is RegistryName.NPM:
        for where, kind in _npm_logins(environment):
            yield _unread(registry, f"{where} has {kind}", "the line (actions/setup-node writes it for `registry-url`)")


def _unread(registry: RegistryName, what: str, take_out: str) -> ProbeFinding:
    message = (
        f"{what}; the pipeline's own client does not see it, but any other in this job would use it, or stumble "
        f"over it: take {take_out} out"
    )
    return ProbeFinding(registry, "environment", Told.WARNING, message)


def _npm_logins(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The lines of npm's settings that hold a token, by place and kind; never the token."""
    named = environment.get("NPM_CONFIG_USERCONFIG") or environment.get("npm_config_userconfig")
    file = Path(named or Path(environment.get("HOME", "/")) / ".npmrc")
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for number, line in enumerate(lines, 1):
        key, equals, value = line.partition("=")
        if equals and key.strip().endswith(("_authToken", "_auth", "_password")):
            placeholder = value.strip().startswith("${")
            kind = "a token" if value.strip().startswith("npm_") else "a variable as token" if placeholder else ""
            yield f"{file}:{number}", kind or "a classic token or password"
