"""Artifacts of workflow runs on the GitHub API on loopback: listed by their run, and downloaded from another host."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tasker_release_pipeline.loopback.github_answers import Refusal, not_found, page
from tasker_release_pipeline.loopback.github_state import GitHubState, Row


def keep_artifact(state: GitHubState, run: int, name: str, files: Mapping[str, bytes]) -> Row:
    """Upload an artifact of a run, as `actions/upload-artifact` does: its files, by path, as a zip.

    One of the same name is replaced (`overwrite: true`).
    """
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in sorted(files.items()):
            archive.writestr(path, content)
    for row in state.rows("artifacts"):
        if (row["run"], row["name"]) == (run, name):
            state.remove("artifacts", row["id"])
    kept = {"run": run, "name": name, "sha256": state.keep(packed.getvalue()), "expired": False}
    # Numbers are not given out again: the counter is a row of its own kind.
    number = state.add("artifact_numbers", lambda _: {})["id"]
    return state.update("artifacts", {**kept, "id": number, "size_in_bytes": packed.tell()})


@dataclass(frozen=True)
class Artifacts:
    """The artifacts of the repository's runs."""

    state: GitHubState
    name: str

    def routes(self) -> list[Route]:
        """The routes below `/repos/OWNER/NAME`."""
        return [
            Route("/actions/runs/{number:int}/artifacts", self.listed),
            Route("/actions/artifacts/{number:int}/zip", self.download),
        ]

    def storage_routes(self) -> list[Route]:
        """The route of the storage that the bytes lie in."""
        return [Route("/storage/artifacts/{sha256}", self.stored)]

    async def listed(self, request: Request) -> Response:
        """The artifacts of one run."""
        run = request.path_params["number"]
        if self.state.row("runs", run) is None:
            raise not_found()
        rows = [row for row in self.state.rows("artifacts") if row["run"] == run]
        return page(request, [self._shown(request, row) for row in rows], "artifacts")

    async def download(self, request: Request) -> Response:
        """`GET /actions/artifacts/ID/zip`: an address of the storage, for a minute, which needs no token."""
        if request.state.access.kind == "anonymous":
            raise Refusal(401, "Requires authentication")
        row = self.state.row("artifacts", request.path_params["number"])
        if row is None or request.state.access.actions == "none":
            raise not_found()
        if row["expired"]:
            raise Refusal(410, "Artifact has expired")
        host = f"{request.url.scheme}://localhost:{request.url.port}"
        return RedirectResponse(f"{host}/storage/artifacts/{row['sha256']}?sig=signed", 302)

    async def stored(self, request: Request) -> Response:
        """The zip. The storage refuses who comes with a token besides the signature, as the real one does."""
        if request.headers.get("authorization") or request.query_params.get("sig") != "signed":
            return Response("<Error><Code>InvalidAuthenticationInfo</Code></Error>", 400, media_type="application/xml")
        return Response(self.state.content(request.path_params["sha256"]), media_type="application/zip")

    def _shown(self, request: Request, row: Row) -> dict[str, Any]:
        base = f"{request.url.scheme}://{request.url.netloc}/repos/{self.name}/actions/artifacts/{row['id']}"
        return {
            **{name: value for name, value in row.items() if name not in ("run", "sha256")},
            "url": base,
            "archive_download_url": f"{base}/zip",
            "digest": f"sha256:{row['sha256']}",
            "workflow_run": {"id": row["run"]},
        }
