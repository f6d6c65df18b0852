"""A trusted publisher's configuration at each registry: its fields, where it is, and what a refusal has to do with it.

The registries match the ID token's claims with these fields, and most say no more than that something does not match.
Sources: https://crates.io/docs/trusted-publishing, https://guides.rubygems.org/trusted-publishing,
https://docs.pypi.org/trusted-publishers, https://docs.npmjs.com/trusted-publishers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tasker_release_pipeline.registries.endpoints import TITLES
from tasker_release_pipeline.release.endpoints import RegistryName


@dataclass(frozen=True)
class Form:
    """What a registry calls the four fields, and the page that has them. `first`: how the first publish is done."""

    page: str
    owner: str
    repository: str
    workflow: str
    environment: str
    first: str


FORMS = {
    RegistryName.CRATES_IO: Form(
        page="https://crates.io/crates/{name}/settings",
        owner="Repository owner",
        repository="Repository name",
        workflow="Workflow filename",
        environment="Environment name",
        first=(
            "crates.io lets no trusted publisher create a crate. Once, on an owner's machine: make a token with the "
            "scope publish-new at https://crates.io/settings/tokens, publish this very release with it in "
            "CARGO_REGISTRY_TOKEN, add the second owner and the trusted publisher at {page}, revoke the token"
        ),
    ),
    RegistryName.RUBYGEMS: Form(
        page="https://rubygems.org/gems/{name}/trusted_publishers",
        owner="Repository owner",
        repository="Repository name",
        workflow="Workflow filename",
        environment="Environment",
        first=(
            "before a gem's first push the publisher is a pending one, at "
            "https://rubygems.org/profile/oidc/pending_trusted_publishers"
        ),
    ),
    RegistryName.PYPI: Form(
        page="https://pypi.org/manage/project/{name}/settings/publishing/",
        owner="Owner",
        repository="Repository name",
        workflow="Workflow name",
        environment="Environment name",
        first=(
            "before a project's first upload the publisher is a pending one, at "
            "https://pypi.org/manage/account/publishing/"
        ),
    ),
    RegistryName.NPM: Form(
        page="https://www.npmjs.com/package/{name}/access",
        owner="Organization or user",
        repository="Repository",
        workflow="Workflow filename",
        environment="Environment name",
        first=(
            "npm lets no trusted publisher create a package. Once, on a maintainer's machine: make a granular token "
            "with read and write access to the scope and a life of one day, publish this very release with it in "
            "NPM_TOKEN, add the trusted publisher at {page}, revoke the token"
        ),
    ),
}

NO_FIRST_PUBLISH = (RegistryName.CRATES_IO, RegistryName.NPM)
"""Registries that know a trusted publisher only of a package that exists."""

_BESIDES = ("aud", "sub", "ref", "event_name", "runner_environment", "repository_visibility", "iss", "exp", "jti")


def page(registry: RegistryName, name: str) -> str:
    """Where the trusted publisher of `name` is configured."""
    return FORMS[registry].page.format(name=name)


def refused(registry: RegistryName, name: str, claims: Mapping[str, Any], said: str) -> str:
    """A registry's refusal of an ID token: its words, then each field beside the claim to compare it with."""
    form = FORMS[registry]
    repository = str(claims.get("repository", ""))
    rows = [
        (form.owner, claims.get("repository_owner") or repository.partition("/")[0], _owner_id(claims)),
        (form.repository, repository.partition("/")[2], "repository"),
        (form.workflow, _file(str(claims.get("workflow_ref", ""))), "workflow_ref"),
        (form.environment, claims.get("environment") or "(none: leave it empty)", "environment"),
    ]
    lines = [f"  {field}: {value or '(none)'}  [{claim}]" for field, value, claim in rows]
    besides = ", ".join(f"{claim}={_shown(claim, claims[claim])}" for claim in _BESIDES if claims.get(claim))
    called = claims.get("job_workflow_ref")
    if called and _file(str(called)) != _file(str(claims.get("workflow_ref", ""))):
        lines.append(
            f"  the job is in another workflow, {called}  [job_workflow_ref]: PyPI takes no reusable workflows"
        )
    return "\n".join(
        [
            f"{TITLES[registry]} refuses this job as trusted publisher of {name}: {said}",
            f"Compare {page(registry, name)} with what the job's ID token claims:",
            *lines,
            f"  besides: {besides or '(nothing)'}",
            f"If {name} was never published: {first_publish(registry, name)}.",
        ]
    )


def first_publish(registry: RegistryName, name: str) -> str:
    """How a package of this name is published for the first time."""
    return FORMS[registry].first.format(page=page(registry, name))


def _owner_id(claims: Mapping[str, Any]) -> str:
    # crates.io keeps the owner's number: after a transfer or a renaming the configuration has to be made anew.
    number = claims.get("repository_owner_id")
    return f"repository_owner, its id {number}" if number else "repository_owner"


def _file(workflow_ref: str) -> str:
    """`release.yml` of `owner/repo/.github/workflows/release.yml@refs/tags/v1`."""
    return workflow_ref.partition("@")[0].rpartition("/")[2]


def _shown(claim: str, value: Any) -> str:
    if claim == "exp" and isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC).isoformat()
    return str(value)
