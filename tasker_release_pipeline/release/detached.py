"""A commit made beside the checkout, and a detached worktree to build it in. The checkout itself is never touched.

Git runs here without hooks, signing and the user's configuration, so that everyone gets the same commit and files.
"""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.git import Checkout, GitError, git

AUTHOR = "Tasker release"
EMAIL = "release@tasker.invalid"

_CONFIGURATION = {
    "commit.gpgSign": "false",
    "core.attributesFile": os.devnull,
    "core.autocrlf": "false",
    "core.excludesFile": os.devnull,
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.sparseCheckout": "false",  # git hands a sparse checkout's patterns on to its worktrees
    "core.splitIndex": "false",
    "i18n.commitEncoding": "UTF-8",
    # Whose the checkout is was settled when it was opened, by the configuration that is switched off here.
    "safe.directory": "*",
}
_SWITCHES = tuple(part for name, value in _CONFIGURATION.items() for part in ("-c", f"{name}={value}"))
_ENVIRONMENT = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


def commit_files(source: Checkout, base: str, files: Mapping[str, tuple[str, str]], message: str) -> str:
    """Commit `base` with some files replaced, and give the commit's hash.

    `files`: path to mode (`100644`) and text. Author, committer and date (that of `base`) are fixed: the same files on
    the same base are the same commit in every clone. It lands in the repository's objects, on no branch; a worktree
    at it keeps it from being collected. Raises GitError.
    """
    date = f"@{_git(source.path, 'show', '-s', '--no-show-signature', '--format=%ct', base).strip()} +0000"
    signed = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", AUTHOR), ("EMAIL", EMAIL), ("DATE", date))
    }
    with tempfile.TemporaryDirectory(prefix="tasker-release-") as name:
        index = {"GIT_INDEX_FILE": str(Path(name, "index"))}
        copies = [Path(name, str(number)) for number in range(len(files))]
        for copy, (_, text) in zip(copies, files.values(), strict=True):
            copy.write_bytes(text.encode("utf-8", "surrogateescape"))
        blobs = _git(source.path, "hash-object", "-w", "--no-filters", "--", *map(str, copies)).split()
        entries = [f"{mode},{blob},{path}" for blob, (path, (mode, _)) in zip(blobs, files.items(), strict=True)]
        _git(source.path, "read-tree", base, environment=index)
        cached = [argument for entry in entries for argument in ("--cacheinfo", entry)]
        _git(source.path, "update-index", *cached, environment=index)
        tree = _git(source.path, "write-tree", environment=index).strip()
    return _git(source.path, "commit-tree", "-p", base, "-m", message, tree, environment=signed).strip()


def place(source: Checkout, folder: Path, commit: str) -> None:
    """Make `folder` a detached worktree of `source` at `commit`, whatever an earlier or killed run left there.

    A worktree of this repository is used again: ignored files (build output) stay, others that are not in the commit
    go, and files that do not differ keep their times, so that builds stay warm. What is half made is made anew.
    Not for two processes at once on one folder. Raises InputError for a folder that holds something else.
    """
    _refuse_checkout(source, folder)
    try:
        if _is_ours(source, folder):
            if _used_again(source, folder, commit):
                return
            _discard(folder)
        elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise InputError(
                f"worktree {folder}: holds something else than a worktree of {source.path}; remove it, or name another"
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Forced twice: past the registration of a folder that was deleted, and past its lock, which a killed run left.
        _git(source.path, "worktree", "add", "--quiet", "--detach", "--force", "--force", str(folder), commit)
    except GitError as error:
        raise InputError(
            f"worktree {folder}: git can't check {commit} out there ({error.said}); make room, or name another folder"
        ) from None


def _git(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    return git(folder, *_SWITCHES, *arguments, environment={**_ENVIRONMENT, **(environment or {})})


def _refuse_checkout(source: Checkout, folder: Path) -> None:
    checkout, place = source.path.resolve(), folder.resolve()
    if not place.is_relative_to(checkout):
        return
    try:
        if place == checkout:
            raise GitError("the checkout itself")
        source.run("check-ignore", "--quiet", "--", f"{place}/")
    except GitError:
        raise InputError(
            f"worktree {folder}: lies in the checkout {source.path}, which is left as it is; name a folder outside, "
            "or one that its .gitignore names"
        ) from None


def _is_ours(source: Checkout, folder: Path) -> bool:
    link = folder / ".git"
    if not link.is_file():
        return False
    registration = _registration(folder)
    common = source.path / source.run("rev-parse", "--git-common-dir").strip()
    return registration is not None and registration.parent == (common / "worktrees").resolve()


def _registration(folder: Path) -> Path | None:
    said = (folder / ".git").read_text(encoding="utf-8", errors="surrogateescape").strip()
    return (folder / said.removeprefix("gitdir: ")).resolve() if said.startswith("gitdir: ") else None


def _used_again(source: Checkout, folder: Path, commit: str) -> bool:
    """Whether the folder could be brought to `commit`; not so where it is half made, or a copy of a worktree."""
    registration = _registration(folder)
    if registration is None or not _is_whole(registration, folder):
        return False
    try:
        branch = _git(folder, "symbolic-ref", "--quiet", "--short", "HEAD").strip()
    except GitError:
        branch = ""
    if branch:
        raise InputError(
            f"worktree {folder}: the branch {branch} of {source.path} is checked out there, so somebody works in it; "
            "name another folder"
        )
    try:
        _git(folder, "reset", "--quiet", "--hard", commit)
        _git(folder, "clean", "--quiet", "-ffd")
    except GitError:  # such as the index.lock of a killed run
        return False
    return True


def _is_whole(registration: Path, folder: Path) -> bool:
    back, lock = registration / "gitdir", registration / "locked"
    if not back.is_file() or (registration / back.read_text().strip()).resolve() != (folder / ".git").resolve():
        return False
    # Git's own word, in place until the worktree is complete.
    return not lock.is_file() or lock.read_text().strip() != "initializing"


def _discard(folder: Path) -> None:
    # The link goes last: killed in the middle, the folder is still known as ours.
    for child in sorted(folder.iterdir(), key=lambda child: child.name == ".git"):
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        else:
            child.unlink()
    folder.rmdir()
