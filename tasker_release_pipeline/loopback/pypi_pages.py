"""A project's files as the simple index and as the JSON API show them.

Simple index: https://packaging.python.org/specifications/simple-repository-api/. JSON API: https://docs.pypi.org/api/json/.
"""

import html
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from tasker_release_pipeline.loopback.storage import Record

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
SIMPLE_HTML = "application/vnd.pypi.simple.v1+html"


def versions(records: list[Record]) -> list[str]:
    """One spelling of each release, the first that was uploaded, in order."""
    spellings: dict[Version, str] = {}
    for record in records:
        spellings.setdefault(Version(record["version"]), record["version"])
    return [spellings[version] for version in sorted(spellings)]


def simple_file(record: Record, host: str) -> dict[str, Any]:
    """A held file's entry in the simple index. `host` is this server's `http://.../pypi`."""
    return {
        "filename": record["filename"],
        "url": f"{host}/files/{canonicalize_name(record['name'])}/{record['filename']}",
        "hashes": {"sha256": record["sha256"]},
        "requires-python": record.get("requires_python"),
        "size": record["size"],
        "upload-time": record["created_at"],
        "yanked": False,
    }


def at_this_server(file: dict[str, Any], base: str) -> dict[str, Any]:
    """An upstream's entry, to be fetched from here; one without a digest stays as it is."""
    sha256 = file["hashes"].get("sha256")
    return file | ({"url": f"{base}/{sha256}/{file['filename']}"} if sha256 else {})


def simple_page(request: Request, name: str, files: list[dict[str, Any]], releases: list[str]) -> Response:
    """The simple index's page in the form that `Accept` asks for."""
    headers = {"cache-control": "no-cache", "vary": "accept"}
    if SIMPLE_JSON in request.headers.get("accept", ""):
        body = {"meta": {"api-version": "1.1"}, "name": name, "versions": releases, "files": files}
        return JSONResponse(body, headers=headers, media_type=SIMPLE_JSON)
    links = []
    for file in files:
        digest = f"#sha256={file['hashes']['sha256']}" if "sha256" in file["hashes"] else ""
        python = file.get("requires-python")
        attribute = f' data-requires-python="{html.escape(python)}"' if python else ""
        attribute += ' data-yanked=""' if file.get("yanked") else ""
        links.append(
            f'<a href="{html.escape(file["url"] + digest)}"{attribute}>{html.escape(file["filename"])}</a><br>'
        )
    body_html = "\n".join(["<!DOCTYPE html>", f"<title>Links for {name}</title>", *links])
    is_versioned = SIMPLE_HTML in request.headers.get("accept", "")
    return HTMLResponse(body_html, headers=headers, media_type=SIMPLE_HTML if is_versioned else "text/html")


def project(records: list[Record], host: str, version: str | None, owner: str) -> dict[str, Any] | None:
    """The JSON API's document; None for a release that is not held. A release comes before a pre-release."""
    releases: dict[str, list[Record]] = {spelling: [] for spelling in versions(records)}
    for record in records:
        spelling = next(known for known in releases if Version(known) == Version(record["version"]))
        releases[spelling].append(record)
    stable = [known for known in releases if not Version(known).is_prerelease]
    chosen = (stable or list(releases))[-1]
    if version is not None:
        equal = [known for known in releases if _is_same(known, version)]
        if not equal:
            return None
        chosen = equal[0]
    newest = releases[chosen][-1]
    fields = ("summary", "requires_python", "requires_dist")
    info = {"name": newest["name"], "version": chosen, "yanked": False} | {field: newest.get(field) for field in fields}
    document = {
        "info": info,
        "last_serial": len(records),
        "ownership": {"organization": None, "roles": [{"role": "Owner", "user": owner}]},
        "urls": [_api_file(record, host) for record in releases[chosen]],
    }
    if version is None:
        document["releases"] = {
            known: [_api_file(record, host) for record in files] for known, files in releases.items()
        }
    return document


def _is_same(known: str, asked: str) -> bool:
    try:
        return Version(known) == Version(asked)
    except InvalidVersion:
        return False


def _api_file(record: Record, host: str) -> dict[str, Any]:
    return {
        "filename": record["filename"],
        "digests": record["digests"],
        "md5_digest": record["digests"]["md5"],
        "size": record["size"],
        "packagetype": "bdist_wheel" if record["filename"].endswith(".whl") else "sdist",
        "requires_python": record.get("requires_python"),
        "upload_time_iso_8601": record["created_at"],
        "url": f"{host}/files/{canonicalize_name(record['name'])}/{record['filename']}",
        "yanked": False,
    }
