"""What GitHub's API says no with, in its own form, and lists page by page."""

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tasker_release_pipeline.loopback.github_state import GitHubState, Ruleset

NOT_BY_INTEGRATION = "Resource not accessible by integration"


@dataclass(frozen=True)
class Access:
    """What a token may do.

    `kind`: `user` (a person's token) or `installation` (that of a GitHub Actions job). `contents`, `actions`: `write`,
    `read` or `none`. `workflows`: whether it may put workflow files into the repository; a job's token
    never may. `expires`: when a person's token ends, as GitHub writes it.
    """

    kind: str = "installation"
    contents: str = "write"
    actions: str = "write"
    workflows: bool = False
    expires: str = ""


ANONYMOUS = Access(kind="anonymous", contents="read", actions="read")


class Refusal(Exception):  # noqa: N818 - an answer, thrown to the one place that sends it
    """An error as GitHub words it. `errors`: of a validation, each with resource, field and code."""

    def __init__(
        self, status: int, message: str, errors: Sequence[dict[str, str]] = (), headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.errors = list(errors)
        self.headers = headers

    def response(self) -> Response:
        """The answer."""
        body: dict[str, Any] = {"message": str(self)}
        if self.errors:
            body["errors"] = self.errors
        body |= {"documentation_url": "https://docs.github.com/rest", "status": str(self.status)}
        return JSONResponse(body, self.status, headers=self.headers)


def not_found() -> Refusal:
    """What is not there, or not for these eyes."""
    return Refusal(404, "Not Found")


def invalid(resource: str, field: str, code: str) -> Refusal:
    """A field that does not do."""
    return Refusal(422, "Validation Failed", [{"resource": resource, "code": code, "field": field}])


def demand(access: Access, permission: str) -> None:
    """Let pass who may write `contents` or `actions`. A person who may not is told that nothing is there."""
    if getattr(access, permission) == "write":
        return
    if access.kind == "installation":
        headers = {"x-accepted-github-permissions": f"{permission}=write"}
        raise Refusal(403, NOT_BY_INTEGRATION, headers=headers)
    raise not_found()


def page(request: Request, rows: Sequence[Any], wrapped: str = "") -> Response:
    """One page of `rows`, with a Link header to the others. `wrapped`: the name that the list has in an object."""
    try:
        size = min(max(int(request.query_params.get("per_page", 30)), 1), 100)
        number = max(int(request.query_params.get("page", 1)), 1)
    except ValueError:
        raise Refusal(400, "Bad page") from None
    last = max((len(rows) + size - 1) // size, 1)
    links = {"next": number + 1, "last": last} if number < last else {}
    if number > 1:
        links |= {"prev": number - 1, "first": 1}
    headers = {
        "link": ", ".join(f'<{request.url.include_query_params(page=n)}>; rel="{rel}"' for rel, n in links.items())
    }
    shown = list(rows[(number - 1) * size : number * size])
    body = {"total_count": len(rows), wrapped: shown} if wrapped else shown
    return JSONResponse(body, headers=headers if links else None)


def matches(ruleset: Ruleset, ref: str) -> bool:
    """Whether an active ruleset is about `ref`, such as `refs/tags/v1`."""

    def listed(patterns: Sequence[str]) -> bool:
        return any(pattern == "~ALL" or fnmatch.fnmatchcase(ref, pattern) for pattern in patterns)

    return ruleset.enforcement == "active" and listed(ruleset.include) and not listed(ruleset.exclude)


def check_ref(state: GitHubState, access: Access, name: str, commit: str) -> None:
    """Refuse a tag that a ruleset, an immutable release of the past, or the commit's workflow files forbid."""
    for ruleset in state.settings.rulesets:
        forbids = ruleset.target == "tag" and "creation" in ruleset.rules and ruleset.bypass != "always"
        if forbids and matches(ruleset, f"refs/tags/{name}"):
            raise Refusal(
                422, "Repository rule violations found\n\nCannot create ref due to creations being restricted."
            )
    if access.kind == "installation" and not access.workflows and state.workflows_differ(commit):
        raise Refusal(
            403, NOT_BY_INTEGRATION, headers={"x-accepted-github-permissions": "contents=write,workflows=write"}
        )
