"""An npm tarball by npm's and Node's rules."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tasker_release_pipeline.checks.archives import read_archive
from tasker_release_pipeline.checks.findings import error, warning
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import ToolError
from tasker_release_pipeline.release.plan import Finding
from tasker_release_pipeline.toolchains.runner import run
from tasker_release_pipeline.toolchains.tools import search_path

_SECONDS = 120


def npm_publish(tarball: Path, *, dist_tag: str, access: str, log: Callable[[str], None]) -> list[Finding]:
    """What `npm publish --dry-run` says against the tarball, without any network or token.

    Raises ToolError where npm is missing.
    """
    with TemporaryDirectory(prefix="npm-dry-run-") as home:
        settings = {
            "HOME": home,
            "NPM_CONFIG_USERCONFIG": f"{home}/npmrc",
            "NPM_CONFIG_GLOBALCONFIG": f"{home}/global-npmrc",
            "NPM_CONFIG_CACHE": f"{home}/cache",
            "NPM_CONFIG_UPDATE_NOTIFIER": "false",
        }
        command = [
            *("npm", "publish", f"./{tarball.name}", "--access", access, "--tag", dist_tag),
            *("--ignore-scripts", "--dry-run", "--offline"),
        ]
        try:
            run(command, cwd=tarball.parent, seconds=_SECONDS, log=log, env={"PATH": search_path(), **settings})
        except ToolError as refused:
            if "is missing" in str(refused):
                raise
            return [error(f"{tarball.name}: npm refuses to publish it; correct its package.json: {refused}")]
    return list(_package_json(tarball))


def _package_json(tarball: Path) -> Iterator[Finding]:
    """What npm refuses in a real upload alone."""
    package = json.loads(read_archive(tarball, RegistryName.NPM).files["package.json"])
    if package.get("private"):
        yield error(f"{tarball.name}: package.json says private, and npm publishes no such package; take it out there")
    repository = package.get("repository")
    if not (repository.get("url") if isinstance(repository, dict) else repository):
        yield error(
            f"{tarball.name}: package.json has no repository.url, and npm refuses provenance without it; "
            "write the GitHub repository's address there"
        )
    if not package.get("license"):
        yield warning(f"{tarball.name}: package.json names no license; write it there")


def publint(tarball: Path, log: Callable[[str], None]) -> list[Finding]:
    """What publint says against what the tarball offers to Node, bundlers and TypeScript.

    Raises ToolError where publint is missing or prints what can't be read.
    """
    command = ["publint", "run", tarball.name]
    env = {"PATH": search_path()}
    try:
        said = run(command, cwd=tarball.parent, seconds=_SECONDS, log=log, env=env).output
    except ToolError as failed:
        said = str(failed)
        if "Errors:" not in said:
            raise
    # Findings stand under a heading for each of three levels, numbered, and may go over several lines.
    found: list[Finding] = []
    make: Callable[[str], Finding] | None = None
    for line in said.splitlines():
        if heading := re.match(r"(Errors|Warnings|Suggestions):", line):
            make = {"Errors": error, "Warnings": warning}.get(heading[1])
        elif make is not None and (item := re.match(r"\d+\. (.+)", line)):
            found.append(make(f"{tarball.name}: publint: {item[1]}; correct package.json, or pack what it names"))
    return found
