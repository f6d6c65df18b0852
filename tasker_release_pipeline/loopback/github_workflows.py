"""Workflows of the GitHub API on loopback: starting one by hand, and listing the runs that were started."""

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tasker_release_pipeline.loopback.github_answers import Refusal, demand, not_found, page
from tasker_release_pipeline.loopback.github_state import GitHubState, Row
from tasker_release_pipeline.release.git import GitError, git


@dataclass(frozen=True)
class Workflows:
    """The workflows that lie in the repository."""

    state: GitHubState
    name: str

    def routes(self) -> list[Route]:
        """The routes below `/repos/OWNER/NAME`."""
        return [
            Route("/actions/workflows/{workflow}/dispatches", self.dispatch, methods=["POST"]),
            Route("/actions/workflows/{workflow}/runs", self.runs),
            Route("/actions/runs", self.runs),
            Route("/actions/runs/{number:int}", self.run),
            Route("/actions/runs/{number:int}/jobs", self.jobs),
        ]

    async def dispatch(self, request: Request) -> Response:
        """`POST /actions/workflows/FILE/dispatches`: the run is listed, queued for ever, and does nothing here.

        What it would do is written into its row (`status`, `conclusion`, `jobs`) by whoever plays the runner.
        """
        demand(request.state.access, "actions")
        body = await request.json()
        workflow, ref = request.path_params["workflow"], str(body.get("ref", ""))
        commit = self.state.commit_of(ref) if ref else None
        if commit is None:
            raise Refusal(422, f"No ref found for: {ref}")
        text = self._file(workflow, commit)
        if "workflow_dispatch" not in text:
            raise Refusal(422, "Workflow does not have 'workflow_dispatch' trigger")
        row = self.state.add(
            "runs",
            lambda _: {
                "path": f".github/workflows/{workflow}",
                "event": "workflow_dispatch",
                "status": "queued",
                "conclusion": None,
                "head_branch": ref.removeprefix("refs/heads/").removeprefix("refs/tags/"),
                "head_sha": commit,
                "inputs": body.get("inputs", {}),
            },
        )
        if body.get("return_run_details") is not True or not self.state.settings.names_started_runs:
            return Response(status_code=204)
        shown = self._shown(request, row)
        return JSONResponse({"workflow_run_id": row["id"], "run_url": shown["url"], "html_url": shown["html_url"]}, 200)

    async def runs(self, request: Request) -> Response:
        """Runs, of one workflow or of all, the newest first."""
        rows = self.state.rows("runs")
        if workflow := request.path_params.get("workflow"):
            rows = [row for row in rows if row["path"] == f".github/workflows/{workflow}"]
        for asked, field in (("status", "status"), ("event", "event"), ("branch", "head_branch")):
            if wanted := request.query_params.get(asked):
                rows = [row for row in rows if row[field] == wanted]
        return page(request, [self._shown(request, row) for row in rows], "workflow_runs")

    async def run(self, request: Request) -> Response:
        """One run."""
        row = self.state.row("runs", request.path_params["number"])
        if row is None:
            raise not_found()
        return JSONResponse(self._shown(request, row))

    async def jobs(self, request: Request) -> Response:
        """The jobs of one run, as far as it has come."""
        row = self.state.row("runs", request.path_params["number"])
        if row is None:
            raise not_found()
        rows = [{"status": "queued", "conclusion": None, **job} for job in row.get("jobs", [])]
        return page(request, rows, "jobs")

    def _file(self, workflow: str, commit: str) -> str:
        try:
            return git(self.state.source, "show", f"{commit}:.github/workflows/{workflow}")
        except GitError:
            raise not_found() from None

    def _shown(self, request: Request, row: Row) -> dict[str, Any]:
        host = f"{request.url.scheme}://{request.url.netloc}"
        shown = {name: value for name, value in row.items() if name not in ("inputs", "jobs")}
        path = f"{self.name}/actions/runs/{row['id']}"
        return {**shown, "url": f"{host}/repos/{path}", "html_url": f"{host}/{path}"}
