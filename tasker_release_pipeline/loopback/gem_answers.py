"""A gem's records as the API's JSON. Fields: https://guides.rubygems.org/rubygems-org-api/."""

from typing import Any

from tasker_release_pipeline.loopback.gem_archive import is_prerelease
from tasker_release_pipeline.loopback.storage import Record


def version(record: Record) -> dict[str, Any]:
    """One entry of `api/v1/versions/NAME.json`."""
    return {
        "number": record["version"],
        "platform": record["platform"],
        "sha": record["sha256"],
        "created_at": record["created_at"],
        "built_at": record["created_at"],
        "prerelease": is_prerelease(record["version"]),
        "authors": ", ".join(record["authors"]),
        "summary": record["summary"],
        "description": record["description"],
        "licenses": record["licenses"],
        "metadata": record["metadata"],
        "ruby_version": ", ".join(record["required_ruby"]),
        "rubygems_version": ", ".join(record["required_rubygems"]),
    }


def gem(record: Record, host: str) -> dict[str, Any]:
    """`api/v1/gems/NAME.json` of this version. `host` is this server's `http://...`."""
    kinds: dict[str, list[dict[str, str]]] = {"runtime": [], "development": []}
    for name, kind, requirements in record["dependencies"]:
        kinds[kind].append({"name": name, "requirements": ", ".join(requirements)})
    return {
        "name": record["name"],
        "version": record["version"],
        "version_created_at": record["created_at"],
        "platform": record["platform"],
        "authors": ", ".join(record["authors"]),
        "info": record["description"] or record["summary"],
        "licenses": record["licenses"],
        "metadata": record["metadata"],
        "yanked": False,
        "sha": record["sha256"],
        "gem_uri": f"{host}/rubygems/gems/{record['filename']}",
        "homepage_uri": record["homepage"],
        "dependencies": kinds,
    }
