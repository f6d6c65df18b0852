"""Releases of the GitHub API on loopback: drafts, publishing, assets, immutability."""

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tasker_release_pipeline.loopback.github_answers import Refusal, check_ref, demand, invalid, not_found, page
from tasker_release_pipeline.loopback.github_state import GitHubState, Row
from tasker_release_pipeline.loopback.storage import now

BODY_LIMIT = 125_000
_FIELDS = ("tag_name", "target_commitish", "name", "body", "draft", "prerelease")


@dataclass(frozen=True)
class Releases:
    """The releases of the repository `name`."""

    state: GitHubState
    name: str

    def routes(self) -> list[Route]:
        """The routes below `/repos/OWNER/NAME`."""
        return [
            Route("/releases", self.listed),
            Route("/releases", self.create, methods=["POST"]),
            Route("/releases/latest", self.latest),
            Route("/releases/tags/{tag:path}", self.by_tag),
            Route("/releases/assets/{number:int}", self.asset),
            Route("/releases/assets/{number:int}", self.delete_asset, methods=["DELETE"]),
            Route("/releases/{number:int}", self.show),
            Route("/releases/{number:int}", self.update, methods=["PATCH"]),
            Route("/releases/{number:int}/assets", self.assets),
        ]

    def upload_routes(self) -> list[Route]:
        """The route below `/uploads/repos/OWNER/NAME`: GitHub takes files on another host."""
        return [Route("/releases/{number:int}/assets", self.upload, methods=["POST"])]

    async def listed(self, request: Request) -> Response:
        """All releases, the newest first; drafts only for those who may write."""
        rows = [row for row in self.state.rows("releases") if self._visible(request, row)]
        return page(request, [self._shown(request, row) for row in rows])

    async def show(self, request: Request) -> Response:
        """One release by its number."""
        return JSONResponse(self._shown(request, self._release(request)))

    async def by_tag(self, request: Request) -> Response:
        """The published release of a tag; drafts are not found this way."""
        for row in self.state.rows("releases"):
            if row["tag_name"] == request.path_params["tag"] and not row["draft"]:
                return JSONResponse(self._shown(request, row))
        raise not_found()

    async def latest(self, request: Request) -> Response:
        """The release that is marked as the latest."""
        for row in self.state.rows("releases"):
            if row.get("latest"):
                return JSONResponse(self._shown(request, row))
        raise not_found()

    async def create(self, request: Request) -> Response:
        """`POST /releases`."""
        demand(request.state.access, "contents")
        body = await request.json()
        if not body.get("tag_name"):
            raise invalid("Release", "tag_name", "missing_field")
        fresh: Row = {
            "target_commitish": self.state.settings.default_branch,
            "name": None,
            "body": None,
            "draft": False,
            "prerelease": False,
            "published_at": None,
            "immutable": False,
            **{field: body[field] for field in _FIELDS if field in body},
        }
        _check_body(fresh)
        if not fresh["draft"]:
            self._check_free(fresh, None)
            self._publish(request, fresh, body)
        row = self.state.add("releases", lambda _: fresh)
        return JSONResponse(self._shown(request, row), 201)

    async def update(self, request: Request) -> Response:
        """`PATCH /releases/ID`. Of an immutable release title, notes and flags may still change."""
        demand(request.state.access, "contents")
        row = self._release(request)
        body = await request.json()
        was_draft = row["draft"]
        changed = {**row, **{field: body[field] for field in _FIELDS if field in body}}
        if row["immutable"] and (changed["tag_name"] != row["tag_name"] or changed["draft"]):
            raise Refusal(422, "Cannot change the tag of an immutable release.")
        _check_body(changed)
        if not changed["draft"]:
            self._check_free(changed, row["id"])
            if was_draft:
                self._publish(request, changed, body)
        return JSONResponse(self._shown(request, self.state.update("releases", changed)))

    async def assets(self, request: Request) -> Response:
        """The files of a release."""
        return page(request, self._assets(request, self._release(request)["id"]))

    async def upload(self, request: Request) -> Response:
        """`POST /releases/ID/assets?name=NAME`. An upload that breaks off leaves an asset in state `starter`."""
        demand(request.state.access, "contents")
        release = self._release(request)
        name = request.query_params.get("name", "")
        if not name:
            raise invalid("ReleaseAsset", "name", "missing_field")
        if release["immutable"]:
            raise Refusal(422, "Cannot upload assets to an immutable release.")
        if any(row["name"] == name for row in self._rows(release["id"])):
            raise invalid("ReleaseAsset", "name", "already_exists")
        begun = self.state.add(
            "assets", lambda _: {"release": release["id"], "name": name, "state": "starter", "size": 0, "digest": None}
        )
        content = await request.body()
        sha256 = self.state.keep(content)
        row = self.state.update(
            "assets",
            {**begun, "state": "uploaded", "size": len(content), "digest": f"sha256:{sha256}", "sha256": sha256},
        )
        return JSONResponse(self._asset(request, row), 201)

    async def asset(self, request: Request) -> Response:
        """A file's row, or with `Accept: application/octet-stream` its bytes."""
        row = self._asset_row(request)
        if request.headers.get("accept") == "application/octet-stream" and "sha256" in row:
            return Response(self.state.content(row["sha256"]), media_type="application/octet-stream")
        return JSONResponse(self._asset(request, row))

    async def delete_asset(self, request: Request) -> Response:
        """`DELETE /releases/assets/ID`."""
        demand(request.state.access, "contents")
        row = self._asset_row(request)
        release = self.state.row("releases", row["release"])
        if release and release["immutable"]:
            raise Refusal(422, "Cannot delete asset from an immutable release.")
        self.state.remove("assets", row["id"])
        return Response(status_code=204)

    def _publish(self, request: Request, row: Row, body: dict[str, Any]) -> None:
        """Put the tag where it is missing, and mark the release as published."""
        if self.state.tag(row["tag_name"]) is None:
            commit = self.state.commit_of(row["target_commitish"])
            if commit is None:
                raise invalid("Release", "target_commitish", "invalid")
            check_ref(self.state, request.state.access, row["tag_name"], commit)
            self.state.create_tag(row["tag_name"], commit)
        row["published_at"] = now()
        row["immutable"] = self.state.settings.immutable_releases
        if body.get("make_latest", "true") == "true" and not row["prerelease"]:
            for other in self.state.rows("releases"):
                if other.get("latest"):
                    self.state.update("releases", {**other, "latest": False})
            row["latest"] = True

    def _check_free(self, row: Row, own: int | None) -> None:
        for other in self.state.rows("releases"):
            if other["tag_name"] == row["tag_name"] and not other["draft"] and other["id"] != own:
                raise invalid("Release", "tag_name", "already_exists")

    def _visible(self, request: Request, row: Row) -> bool:
        return not row["draft"] or request.state.access.contents == "write"

    def _release(self, request: Request) -> Row:
        row = self.state.row("releases", request.path_params["number"])
        if row is None or not self._visible(request, row):
            raise not_found()
        return row

    def _asset_row(self, request: Request) -> Row:
        row = self.state.row("assets", request.path_params["number"])
        if row is None:
            raise not_found()
        return row

    def _rows(self, release: int) -> list[Row]:
        return [row for row in reversed(self.state.rows("assets")) if row["release"] == release]

    def _assets(self, request: Request, release: int) -> list[dict[str, Any]]:
        return [self._asset(request, row) for row in self._rows(release)]

    def _asset(self, request: Request, row: Row) -> dict[str, Any]:
        shown = {name: value for name, value in row.items() if name not in ("release", "sha256")}
        return {**shown, "url": f"{self._base(request)}/releases/assets/{row['id']}"}

    def _shown(self, request: Request, row: Row) -> dict[str, Any]:
        base = self._base(request)
        host = f"{request.url.scheme}://{request.url.netloc}"
        at = f"untagged-{row['id']}" if row["draft"] else row["tag_name"]
        return {
            **{name: value for name, value in row.items() if name != "latest"},
            "url": f"{base}/releases/{row['id']}",
            "html_url": f"{host}/{self.name}/releases/tag/{at}",
            "assets_url": f"{base}/releases/{row['id']}/assets",
            "upload_url": f"{host}/uploads/repos/{self.name}/releases/{row['id']}/assets{{?name,label}}",
            "assets": self._assets(request, row["id"]),
        }

    def _base(self, request: Request) -> str:
        return f"{request.url.scheme}://{request.url.netloc}/repos/{self.name}"


def _check_body(row: Row) -> None:
    if len(row["body"] or "") > BODY_LIMIT:
        raise Refusal(
            422,
            "Validation Failed",
            [{"resource": "Release", "field": "body", "code": "custom", "message": "body is too long"}],
        )
