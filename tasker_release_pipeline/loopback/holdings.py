"""What the registries hold, for people (`/`) and for machines (`/_holdings`)."""

import html
from pathlib import Path
from typing import TypedDict

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from tasker_release_pipeline.loopback.storage import Storage
from tasker_release_pipeline.release.endpoints import RegistryName


class HeldFile(TypedDict):
    """A published file: its name, its SHA-256 in hex, and its size in bytes."""

    filename: str
    sha256: str
    size: int


Holdings = dict[str, dict[str, dict[str, list[HeldFile]]]]
"""Registry, package, version: its files. All four registries are there, empty ones too."""


def holdings(root: Path) -> Holdings:
    """Everything published in this folder."""
    found: Holdings = {}
    for registry in RegistryName:
        storage = Storage(root, registry)
        packages = found.setdefault(registry.value, {})
        for package in storage.packages():
            for record in storage.records(package):
                files = packages.setdefault(record["name"], {}).setdefault(record["version"], [])
                files.append(HeldFile(filename=record["filename"], sha256=record["sha256"], size=record["size"]))
    return found


def routes(root: Path) -> list[Route]:
    """`/` and `/_holdings`."""

    async def machine(_: Request) -> Response:
        return JSONResponse(holdings(root))

    async def people(_: Request) -> Response:
        return HTMLResponse(_page(holdings(root)))

    return [Route("/", people), Route("/_holdings", machine)]


def _page(held: Holdings) -> str:
    rows = [
        "".join(f"<td>{html.escape(str(cell))}</td>" for cell in (registry, package, version, *file.values()))
        for registry, packages in held.items()
        for package, versions in packages.items()
        for version, files in versions.items()
        for file in files
    ]
    head = "".join(f"<th>{title}</th>" for title in ("registry", "package", "version", "file", "SHA-256", "bytes"))
    body = "".join(f"<tr>{row}</tr>\n" for row in [head, *rows])
    return f"<!DOCTYPE html>\n<title>Loopback registries</title>\n<table>\n{body}</table>\n"
