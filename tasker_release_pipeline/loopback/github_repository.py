"""The repository's own part of the GitHub API on loopback: refs, branches, comparisons, rulesets, checks."""

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tasker_release_pipeline.loopback.github_answers import (
    Access,
    Refusal,
    check_ref,
    demand,
    matches,
    not_found,
    page,
)
from tasker_release_pipeline.loopback.github_state import Check, GitHubState, Ruleset
from tasker_release_pipeline.release.git import git


@dataclass(frozen=True)
class Repository:
    """What the API says of the repository itself."""

    state: GitHubState
    name: str

    def routes(self) -> list[Route]:
        """The routes below `/repos/OWNER/NAME`."""
        return [
            Route("/git/refs", self.create_ref, methods=["POST"]),
            Route("/git/ref/{ref:path}", self.ref),
            Route("/git/tags/{sha}", self.tag_object),
            Route("/branches/{branch:path}", self.branch),
            Route("/compare/{range:path}", self.compare),
            Route("/rulesets", self.rulesets),
            Route("/rulesets/{number:int}", self.ruleset),
            Route("/rules/branches/{branch:path}", self.rules),
            Route("/commits/{sha}/check-suites", self.check_suites),
            Route("/commits/{sha}/check-runs", self.check_runs),
            Route("/commits/{sha}/status", self.status),
        ]

    async def show(self, request: Request) -> Response:
        """The repository. `permissions` are a person's; a job's token is shown none, whatever it may do."""
        access: Access = request.state.access
        body: dict[str, Any] = {
            "full_name": self.name,
            "private": False,
            "archived": False,
            "default_branch": self.state.settings.default_branch,
        }
        if access.kind != "anonymous":
            push = access.kind == "user" and access.contents == "write"
            body["permissions"] = {"admin": False, "maintain": False, "push": push, "triage": push, "pull": True}
        return JSONResponse(body)

    async def create_ref(self, request: Request) -> Response:
        """`POST /git/refs`, for tags."""
        demand(request.state.access, "contents")
        body = await request.json()
        ref, sha = str(body.get("ref", "")), str(body.get("sha", ""))
        if not ref.startswith("refs/tags/"):
            raise Refusal(422, "Reference name must start with 'refs/' and have at least two slashes.")
        if self.state.kind(sha) is None:
            raise Refusal(422, "Object does not exist")
        name = ref.removeprefix("refs/tags/")
        if self.state.tag(name) is not None:
            raise Refusal(422, "Reference already exists")
        check_ref(self.state, request.state.access, name, sha)
        if not self.state.create_tag(name, sha):
            raise Refusal(422, "Reference already exists")
        return JSONResponse(self._ref(ref, sha), 201)

    async def ref(self, request: Request) -> Response:
        """`GET /git/ref/tags/NAME` or `/git/ref/heads/NAME`."""
        kind, _, name = request.path_params["ref"].partition("/")
        sha = self.state.tag(name) if kind == "tags" else self.state.commit_of(f"refs/heads/{name}")
        if sha is None:
            raise not_found()
        return JSONResponse(self._ref(f"refs/{kind}/{name}", sha))

    async def tag_object(self, request: Request) -> Response:
        """An annotated tag, and the commit that it is about."""
        sha = request.path_params["sha"]
        commit = self.state.commit_of(sha)
        if self.state.kind(sha) != "tag" or commit is None:
            raise not_found()
        return JSONResponse({"sha": sha, "object": {"sha": commit, "type": "commit"}})

    async def branch(self, request: Request) -> Response:
        """A branch: where it stands, and whether it is protected."""
        name = request.path_params["branch"]
        commit = self.state.commit_of(f"refs/heads/{name}")
        if commit is None:
            raise Refusal(404, "Branch not found")
        return JSONResponse(
            {"name": name, "commit": {"sha": commit}, "protected": name in self.state.settings.protected}
        )

    async def compare(self, request: Request) -> Response:
        """`BASE...HEAD`: whether head is ahead of, behind, or beside base."""
        base, _, head = request.path_params["range"].partition("...")
        commits = [self.state.commit_of(name) for name in (base, head)]
        if None in commits:
            raise not_found()
        counted = git(self.state.source, "rev-list", "--left-right", "--count", f"{commits[0]}...{commits[1]}")
        behind, ahead = map(int, counted.split())
        status = {(False, False): "identical", (True, False): "behind", (False, True): "ahead"}
        body = {"status": status.get((behind > 0, ahead > 0), "diverged"), "ahead_by": ahead, "behind_by": behind}
        return JSONResponse(body)

    async def rulesets(self, request: Request) -> Response:
        """The rulesets, without their rules."""
        targets = request.query_params.get("targets", "branch,tag,push").split(",")
        numbered = enumerate(self.state.settings.rulesets, 1)
        return page(request, [_ruleset(n, rules) for n, rules in numbered if rules.target in targets])

    async def ruleset(self, request: Request) -> Response:
        """One ruleset with its rules."""
        number, known = request.path_params["number"], self.state.settings.rulesets
        if not 0 < number <= len(known):
            raise not_found()
        found = known[number - 1]
        return JSONResponse(
            {
                **_ruleset(number, found),
                "conditions": {"ref_name": {"include": list(found.include), "exclude": list(found.exclude)}},
                "rules": [{"type": kind} for kind in found.rules],
                "current_user_can_bypass": found.bypass,
            }
        )

    async def rules(self, request: Request) -> Response:
        """The rules that rulesets put on a branch."""
        ref = f"refs/heads/{request.path_params['branch']}"
        found = [known for known in self.state.settings.rulesets if known.target == "branch" and matches(known, ref)]
        return page(request, [{"type": rule} for known in found for rule in known.rules])

    async def check_suites(self, request: Request) -> Response:
        """The suites of a commit: one for each branch or tag that was pushed."""
        checks = self._checks(request)
        branches = sorted({check.branch for check in checks})
        rows = [
            {"id": n, "head_branch": branch, "latest_check_runs_count": sum(c.branch == branch for c in checks)}
            for n, branch in enumerate(branches, 1)
        ]
        return page(request, rows, "check_suites")

    async def check_runs(self, request: Request) -> Response:
        """The check runs of a commit, whatever branch or tag they belong to."""
        checks = self._checks(request)
        branches = sorted({check.branch for check in checks})
        rows = [
            {
                "id": n,
                "name": check.name,
                "status": check.status,
                "conclusion": check.conclusion,
                "check_suite": {"id": branches.index(check.branch) + 1},
            }
            for n, check in enumerate(checks, 1)
        ]
        return page(request, rows, "check_runs")

    async def status(self, request: Request) -> Response:
        """The statuses that others than Actions set, taken together."""
        state = self.state.settings.statuses.get(self._commit(request))
        return JSONResponse({"state": state or "pending", "total_count": 1 if state else 0, "statuses": []})

    def _checks(self, request: Request) -> list[Check]:
        commit = self._commit(request)
        return [check for check in self.state.settings.checks if check.commit == commit]

    def _commit(self, request: Request) -> str:
        sha: str = request.path_params["sha"]
        if self.state.kind(sha) != "commit":
            raise Refusal(422, f"No commit found for SHA: {sha}")
        return sha

    def _ref(self, ref: str, sha: str) -> dict[str, Any]:
        return {"ref": ref, "object": {"sha": sha, "type": self.state.kind(sha) or "commit"}}


def _ruleset(number: int, ruleset: Ruleset) -> dict[str, Any]:
    return {"id": number, "name": ruleset.name, "target": ruleset.target, "enforcement": ruleset.enforcement}
