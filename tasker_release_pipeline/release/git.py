"""Read-only questions to a git checkout, and the one error boundary for git."""

import os
import re
import subprocess
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tasker_release_pipeline.release.errors import InputError

# A hook, an alias or `git rebase --exec` sets these; they would lead git to another repository than its folder's.
_LOCAL = "DIR WORK_TREE INDEX_FILE COMMON_DIR OBJECT_DIRECTORY ALTERNATE_OBJECT_DIRECTORIES NAMESPACE PREFIX"
_NO_TAG = re.compile("No names found|No tags can describe|cannot describe|no tag exactly matches", re.IGNORECASE)
_ELSEWHERE = frozenset(f"GIT_{name}" for name in _LOCAL.split())


@dataclass(frozen=True)
class Checkout:
    """A git checkout of the workspace. `path` is its top level."""

    path: Path

    @classmethod
    def at(cls, path: str | Path) -> "Checkout":
        """The checkout whose top level is `path`. Raises InputError where it is none, or has no commits."""
        folder = Path(path).expanduser().absolute()
        if not folder.is_dir():
            raise InputError(f"source {folder}: no such folder; point `source` at a git checkout of the workspace")
        try:
            top = Path(git(folder, "rev-parse", "--show-toplevel").strip())
        except GitError as error:
            raise InputError(
                f"source {folder}: not a git checkout ({error.said}); point `source` at a git checkout of the workspace"
            ) from None
        if top.resolve() != folder.resolve():
            raise InputError(f"source {folder}: lies inside the checkout {top}; point `source` at its top level")
        checkout = cls(folder)
        if checkout.commit_of("HEAD") is None:
            raise InputError(f"source {folder}: the repository has no commits yet; commit the workspace first")
        return checkout

    def run(self, *arguments: str) -> str:
        """What git prints. Raises GitError."""
        return git(self.path, *arguments)

    def commit_of(self, ref: str) -> str | None:
        """The full hash of the commit that `ref` names; None where it names none."""
        try:
            return self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").strip()
        except GitError:
            return None

    @property
    def head(self) -> str:
        """The commit that is checked out."""
        return self.run("rev-parse", "HEAD").strip()

    @property
    def shallow(self) -> bool:
        """Whether history is missing, as in a clone of some depth."""
        return self.run("rev-parse", "--is-shallow-repository").strip() == "true"

    def tags(self) -> dict[str, str]:
        """All tags, with the hash of the commit that each leads to."""
        lines = self.run("for-each-ref", "refs/tags", "--format=%(refname:strip=2) %(objectname) %(*objectname)")
        tags = {}
        for line in lines.splitlines():
            name, direct, *peeled = line.split()
            tags[name] = peeled[0] if peeled else direct
        return tags

    def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        """Whether `ancestor` is `descendant` or lies in its history. Raises InputError where git can't tell."""
        try:
            self.run("merge-base", "--is-ancestor", ancestor, descendant)
        except GitError as error:
            if error.status == 1:
                return False
            raise self._unable(error) from None
        return True

    def nearest_tag(self, patterns: Sequence[str], commit: str, exclude: Collection[str]) -> str | None:
        """The tag matching one of `patterns` with the fewest commits between it and `commit`; None without one.

        Raises InputError where git can't tell.
        """
        matches = [f"--match={pattern}" for pattern in patterns]
        # A tag's name may not hold * ? [ or \\, so as a pattern it matches itself alone.
        excludes = [f"--exclude={tag}" for tag in exclude]
        try:
            return self.run("describe", "--tags", "--abbrev=0", *matches, *excludes, commit).strip()
        except GitError as error:
            if _NO_TAG.search(error.said):
                return None
            raise self._unable(error) from None

    def _unable(self, error: "GitError") -> InputError:
        return InputError(
            f"source {self.path}: git can't read its history ({error.said}); fetch what is missing (git fetch --tags), "
            "or see what git fsck says"
        )

    def changed_paths(self, base: str | None, commit: str) -> tuple[str, ...]:
        """The paths that differ between two commits, renames as both of their sides; without a base, all paths."""
        if base is None:
            listed = self.run("ls-tree", "-r", "-z", "--name-only", commit)
        else:
            listed = self.run("diff", "--name-only", "--no-renames", "-z", base, commit)
        return tuple(path for path in listed.split("\0") if path)

    def texts(self, commit: str, paths: Collection[str]) -> dict[str, str]:
        """The texts of those of `paths` that are files at a commit, by one git process."""
        asked = "".join(f"{commit}:{path}\n" for path in paths)
        said = git(self.path, "cat-file", "--batch", says=asked).encode("utf-8", "surrogateescape")
        found = {}
        for path in paths:
            told, _, said = said.partition(b"\n")  # "HASH blob BYTES", or "COMMIT:PATH missing"
            if not told.endswith(b" missing"):
                _, kind, size = told.split(b" ")
                text, said = said[: int(size)], said[int(size) + 1 :]
                if kind == b"blob":
                    found[path] = _text(text)
        return found

    def snapshot(self) -> "Snapshot":
        """This checkout, to be asked each question once."""
        return Snapshot(self.path)

    def show(self, commit: str, path: str) -> str | None:
        """The text of a file at a commit; None where it is not there."""
        try:
            return self.run("show", f"{commit}:{path}")
        except GitError:
            return None


@dataclass(frozen=True)
class Snapshot(Checkout):
    """A checkout that is asked each question once, for as long as one plan is made: components share most answers."""

    answers: dict[tuple[str, ...], "str | GitError"] = field(default_factory=dict, compare=False, repr=False)

    def snapshot(self) -> "Snapshot":
        """This one."""
        return self

    def run(self, *arguments: str) -> str:
        """As the checkout's, or what it said before. Raises GitError."""
        if arguments not in self.answers:
            try:
                self.answers[arguments] = super().run(*arguments)
            except GitError as error:
                self.answers[arguments] = error
        answer = self.answers[arguments]
        if isinstance(answer, GitError):
            raise answer
        return answer


class GitError(Exception):
    """git's refusal. `said` is its last line; `status`: its exit status."""

    def __init__(self, said: str, status: int = 128) -> None:
        super().__init__(said)
        self.said, self.status = said, status


def git(folder: Path, *arguments: str, environment: dict[str, str] | None = None, says: str = "") -> str:
    """Run git in `folder` and give what it prints; `says` is what it reads.

    Raises GitError, and InputError where git is missing.
    """
    try:
        done = subprocess.run(
            ["git", "-c", "core.quotePath=false", *arguments],
            cwd=folder,
            env={**_surroundings(), "LC_ALL": "C", **(environment or {})},
            input=says.encode(),
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise InputError("git is missing; install it (Debian: apt-get install git)") from None
    if done.returncode != 0:
        lines = _text(done.stderr).strip().splitlines() or [f"exit status {done.returncode}"]
        raise GitError(lines[-1], done.returncode)
    return _text(done.stdout)


def _text(output: bytes) -> str:
    # Not subprocess's text mode, which would turn a file's CRLF into LF.
    return output.decode("utf-8", "surrogateescape")


def _surroundings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
