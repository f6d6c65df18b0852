"""The folder that holds what the GitHub API on loopback knows of its one repository.

Layout below the root; nothing is kept in memory, so that any number of processes may serve one root:

    repository.json       how the repository is set up: branches, rulesets, checks, immutability
    tags/<name>           the object that a tag stands on
    releases/<id>.json    releases, drafts among them
    assets/<id>.json      files of releases; their bytes in files/<sha256>
    runs/<id>.json        runs that workflow_dispatch started
    artifacts/<id>.json   what runs uploaded; the zips' bytes in files/<sha256>
    orders/<n>.json       what is ordered to go wrong, each once

Commits and branches are those of a git checkout, which stands for what was pushed.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from pydantic import BaseModel, ConfigDict

from tasker_release_pipeline.loopback.storage import create, now, replace
from tasker_release_pipeline.release.git import GitError, git

Row = dict[str, Any]


class Ruleset(BaseModel):
    """A ruleset on tags or branches. `rules`: `creation`, `deletion`, ...; patterns as GitHub has them, `~ALL` too."""

    model_config = ConfigDict(frozen=True)

    name: str
    target: str = "tag"
    enforcement: str = "active"
    include: tuple[str, ...] = ("~ALL",)
    exclude: tuple[str, ...] = ()
    rules: tuple[str, ...] = ("creation",)
    bypass: str = "never"


class Check(BaseModel):
    """A check run on a commit, of a push to `branch` (or a tag)."""

    model_config = ConfigDict(frozen=True)

    commit: str
    name: str
    branch: str = "main"
    status: str = "completed"
    conclusion: str | None = "success"


class RepositorySettings(BaseModel):
    """How the repository is set up."""

    model_config = ConfigDict(frozen=True)

    default_branch: str = "main"
    protected: tuple[str, ...] = ("main",)
    rulesets: tuple[Ruleset, ...] = ()
    checks: tuple[Check, ...] = ()
    statuses: dict[str, str] = {}
    immutable_releases: bool = False
    names_started_runs: bool = True
    """Whether starting a workflow is answered with its run, where asked for; before 2026, and on Enterprise, not."""


class Order(BaseModel):
    """Something that goes wrong once, with the next request of `method` (empty: any) whose path holds `path`.

    `what`: `secondary limit` (with `seconds` as Retry-After), `primary limit` (reset in `seconds`), `refused` (403),
    `unavailable` (502, nothing done), `lost answer` (502, though it is done).
    """

    model_config = ConfigDict(frozen=True)

    what: str
    method: str = ""
    path: str = ""
    seconds: int = 1


@dataclass(frozen=True)
class GitHubState:
    """The state below `root`, with the commits of the checkout `source`."""

    root: Path
    source: Path

    # --- how it is set up

    @property
    def settings(self) -> RepositorySettings:
        """As last set; the defaults at first."""
        path = self.root / "repository.json"
        return RepositorySettings.model_validate_json(path.read_bytes()) if path.exists() else RepositorySettings()

    def set_up(self, **changes: Any) -> None:
        """Change some of the settings."""
        changed = self.settings.model_copy(update=changes)
        replace(self.root / "repository.json", changed.model_dump_json(indent=2).encode())

    def order(self, what: str, **rest: Any) -> None:
        """Let something go wrong, once, in whatever process serves the folder."""
        self.add("orders", lambda _: Order(what=what, **rest).model_dump())

    def struck(self, method: str, path: str) -> Order | None:
        """The order that this request uses up; None where none is for it."""
        for file in self._files("orders"):
            order = Order.model_validate_json(file.read_bytes())
            if order.method in ("", method) and order.path in path:
                try:
                    file.unlink()
                except FileNotFoundError:  # another request had it
                    continue
                return order
        return None

    # --- git

    def kind(self, sha: str) -> str | None:
        """`commit`, `tag`, ...; None for an object that the repository does not have."""
        if not re.fullmatch("[0-9a-f]{40}", sha):
            return None
        try:
            return git(self.source, "cat-file", "-t", sha).strip()
        except GitError:
            return None

    def commit_of(self, name: str) -> str | None:
        """The commit of a branch, a tag of ours, or a hash."""
        ref = self.tag(name) or name
        try:
            return git(self.source, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").strip()
        except GitError:
            return None

    def workflows_differ(self, commit: str) -> bool:
        """Whether a commit has other workflow files than the default branch."""
        head = self.commit_of(f"refs/heads/{self.settings.default_branch}")
        if head is None:
            return False
        return bool(git(self.source, "diff", "--name-only", head, commit, "--", ".github/workflows").strip())

    def tag(self, name: str) -> str | None:
        """The object that a tag stands on."""
        try:
            return (self.root / "tags" / quote(name, safe="")).read_text()
        except FileNotFoundError:
            return None

    def tags(self) -> dict[str, str]:
        """All tags."""
        folder = self.root / "tags"
        found = sorted(folder.glob("[!.]*")) if folder.is_dir() else []
        return {unquote(path.name): path.read_text() for path in found}

    def create_tag(self, name: str, sha: str) -> bool:
        """Whether it was this call that made it."""
        return create(self.root / "tags" / quote(name, safe=""), sha.encode())

    # --- rows: releases, assets, runs

    def add(self, table: str, row: Any) -> Row:
        """Add a row under the next free number. `row` is called with it."""
        number = max((int(path.stem) for path in self._files(table)), default=0) + 1
        while True:
            made: Row = {"created_at": now(), **row(number), "id": number}
            if create(self._row(table, number), json.dumps(made).encode()):
                return made
            number += 1

    def row(self, table: str, number: int) -> Row | None:
        """A row; None where there is none."""
        try:
            found: Row = json.loads(self._row(table, number).read_bytes())
        except FileNotFoundError:
            return None
        return found

    def rows(self, table: str) -> list[Row]:
        """All rows, the newest first, as GitHub lists them."""
        rows = [json.loads(path.read_bytes()) for path in self._files(table)]
        return sorted(rows, key=lambda row: -int(row["id"]))

    def update(self, table: str, row: Row) -> Row:
        """Write a row anew."""
        replace(self._row(table, row["id"]), json.dumps(row).encode())
        return row

    def remove(self, table: str, number: int) -> None:
        """Take a row away."""
        self._row(table, number).unlink(missing_ok=True)

    def keep(self, content: bytes) -> str:
        """Keep a file's bytes; their SHA-256."""
        sha256 = hashlib.sha256(content).hexdigest()
        replace(self.root / "files" / sha256, content)
        return sha256

    def content(self, sha256: str) -> bytes:
        """A kept file's bytes."""
        return (self.root / "files" / sha256).read_bytes()

    def _row(self, table: str, number: int) -> Path:
        return self.root / table / f"{number}.json"

    def _files(self, table: str) -> list[Path]:
        folder = self.root / table
        found = folder.glob("[0-9]*.json") if folder.is_dir() else iter(())
        return sorted(found, key=lambda path: int(path.stem))
