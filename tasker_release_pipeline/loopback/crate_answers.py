"""A crate's records as the API's JSON. Fields: the public registry's own API, those that tools read."""

from typing import Any

import semver

from tasker_release_pipeline.loopback.storage import OWNER, Record


def user(login: str) -> dict[str, Any]:
    """A user, as an owner or as the one who published a version."""
    return {"id": 1, "login": login, "name": login.capitalize(), "kind": "user"}


def crate(records: list[Record]) -> dict[str, Any]:
    """The `crate` of an answer, from all its records, oldest first."""
    newest = records[-1]
    versions = sorted((record["version"] for record in records), key=semver.Version.parse)
    stable = [version for version in versions if "-" not in version]
    metadata: dict[str, Any] = newest["metadata"]
    return metadata | {
        "id": newest["name"],
        "name": newest["name"],
        "newest_version": newest["version"],
        "max_version": versions[-1],
        "max_stable_version": stable[-1] if stable else None,
        "created_at": records[0]["created_at"],
        "updated_at": newest["created_at"],
    }


def version(record: Record) -> dict[str, Any]:
    """One of the `versions` of an answer."""
    line = record["index"]
    return {
        "crate": record["name"],
        "num": record["version"],
        "checksum": record["sha256"],
        "crate_size": record["size"],
        "created_at": record["created_at"],
        "updated_at": record["created_at"],
        "yanked": bool(line.get("yanked")),
        "license": record["metadata"].get("license"),
        "rust_version": line.get("rust_version"),
        "links": line.get("links"),
        "features": line["features"] | line.get("features2", {}),
        "dl_path": f"/api/v1/crates/{record['name']}/{record['version']}/download",
        "published_by": user(OWNER),
    }
