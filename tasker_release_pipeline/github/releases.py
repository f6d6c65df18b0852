"""A GitHub Release: a draft that is filled, looked at, and only then published, as it may not change afterwards."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semver import Version

from tasker_release_pipeline.github.api import GitHub, RefusedError
from tasker_release_pipeline.release.errors import ConflictError, RegistryError, UnavailableError

TRIES = 3


@dataclass(frozen=True)
class WantedRelease:
    """What a release has to be. `files` by the name that they have there; `draft`: it may not be published yet."""

    tag: str
    commit: str
    title: str
    notes: str
    prerelease: bool
    draft: bool
    files: Mapping[str, Path]


def ensure_release(api: GitHub, wanted: WantedRelease) -> dict[str, Any]:
    """Make the release, or mend what is there, and give GitHub's row of it. Run again it changes nothing.

    Raises ConflictError where a published release has other files, RefusedError, UnavailableError.
    """
    row = _with_notes(api, _found(api, wanted.tag) or _created(api, wanted), wanted)
    _fill(api, row, wanted)
    if wanted.draft or not row["draft"]:
        return row
    body = {"draft": False, "make_latest": "true" if _is_newest(api, wanted) else "false"}
    try:
        return dict(api.send("PATCH", f"releases/{row['id']}", body))
    except UnavailableError:
        if (published := _found(api, wanted.tag)) is not None and not published["draft"]:
            return published  # the answer was lost, not the release
        raise


def _found(api: GitHub, tag: str) -> dict[str, Any] | None:
    """The release of a tag; else the oldest draft for it, which only the list shows."""
    if (published := api.get(f"releases/tags/{tag}")) is not None:
        return dict(published)
    drafts = [dict(row) for row in api.pages("releases") if row["draft"] and row["tag_name"] == tag]
    return drafts[-1] if drafts else None


def _created(api: GitHub, wanted: WantedRelease) -> dict[str, Any]:
    body = {"tag_name": wanted.tag, "target_commitish": wanted.commit, "draft": True, **_shown(wanted)}
    try:
        return dict(api.send("POST", "releases", body))
    except UnavailableError:
        # The answer may have been lost, not the release.
        if (row := _found(api, wanted.tag)) is not None:
            return row
        raise


def _with_notes(api: GitHub, row: dict[str, Any], wanted: WantedRelease) -> dict[str, Any]:
    """Bring title, notes and flags up to date; an immutable release allows that, too."""
    shown = _shown(wanted)
    if row["draft"]:
        shown["target_commitish"] = wanted.commit
    if all((row.get(name) or "") == value or row.get(name) is value for name, value in shown.items()):
        return row
    return dict(api.send("PATCH", f"releases/{row['id']}", shown))


def _shown(wanted: WantedRelease) -> dict[str, Any]:
    return {"name": wanted.title, "body": wanted.notes, "prerelease": wanted.prerelease}


def _fill(api: GitHub, row: dict[str, Any], wanted: WantedRelease) -> None:
    """Upload what is missing, and see that all files are there with the right bytes."""
    contents = {name: path.read_bytes() for name, path in wanted.files.items()}
    assets = {asset["name"]: asset for asset in api.pages(f"releases/{row['id']}/assets")}
    for name, content in contents.items():
        asset = assets.get(name)
        if asset is not None and _is(api, asset, content):
            continue
        if not row["draft"]:
            _refuse_late(api, row, wanted.tag, name, asset)
        if asset is not None:
            # Half an upload (`starter`), or a file of an earlier attempt.
            api.send("DELETE", f"releases/assets/{asset['id']}")
        _uploaded(api, row, name, content)
    if row["draft"]:
        for name, asset in assets.items():
            if name not in contents:
                api.send("DELETE", f"releases/assets/{asset['id']}")


def _refuse_late(api: GitHub, row: dict[str, Any], tag: str, name: str, asset: dict[str, Any] | None) -> None:
    if asset is not None:
        raise ConflictError(
            f"GitHub Release {tag} of {api.repository} is published with another {name} "
            f"({asset.get('digest') or 'no digest'}); what is published is not replaced: see which of the two is "
            f"right, and note it in the release, or delete the file at {row['html_url']} and run again"
        )
    if row.get("immutable"):
        raise ConflictError(
            f"GitHub Release {tag} of {api.repository} is published and immutable, and lacks {name}; it takes no more "
            f"files: note in {row['html_url']} where the file can be had"
        )


def _uploaded(api: GitHub, row: dict[str, Any], name: str, content: bytes) -> None:
    for attempt in range(1, TRIES + 1):
        try:
            asset = api.upload(row["upload_url"], name, content)
        except (UnavailableError, RefusedError) as error:
            if isinstance(error, RefusedError) and "already_exists" not in error.codes:
                raise
            asset = _left(api, row, name, content)
            if asset is None and attempt == TRIES:
                raise
        if asset is not None:
            if not _is(api, asset, content):
                raise RegistryError(f"{name}: GitHub has other bytes ({asset.get('digest')}) than were sent; run again")
            return


def _left(api: GitHub, row: dict[str, Any], name: str, content: bytes) -> dict[str, Any] | None:
    """What an upload without an answer left: the file, or None after what is half there was taken away."""
    for asset in api.pages(f"releases/{row['id']}/assets"):
        if asset["name"] == name:
            if _is(api, asset, content):
                return dict(asset)
            api.send("DELETE", f"releases/assets/{asset['id']}")
    return None


def _is(api: GitHub, asset: Mapping[str, Any], content: bytes) -> bool:
    if asset["state"] != "uploaded" or asset["size"] != len(content):
        return False
    if asset.get("digest"):
        return bool(asset["digest"] == f"sha256:{hashlib.sha256(content).hexdigest()}")
    # Files from before GitHub kept digests, and older GitHub servers.
    return api.download(f"releases/assets/{asset['id']}") == content


def _is_newest(api: GitHub, wanted: WantedRelease) -> bool:
    """Whether this is the newest release of the core: no pre-release, no binding alone, no older line."""
    own = _version(wanted.tag)
    if own is None or wanted.prerelease:
        return False
    others = (_version(row["tag_name"]) for row in api.pages("releases") if not row["draft"] and not row["prerelease"])
    return all(other is None or other < own for other in others)


def _version(tag: str) -> Version | None:
    text = tag.removeprefix("v")
    return Version.parse(text) if text != tag and Version.is_valid(text) else None
