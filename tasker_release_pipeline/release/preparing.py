"""A branch moved on to the commit that holds a release's versions, and the tag on it: both, or neither."""

from collections.abc import Collection

from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.git import Checkout, GitError, git
from tasker_release_pipeline.release.signals import signals_wait

_NO_HOOKS = ("-c", "core.hooksPath=/dev/null")


def modified(checkout: Checkout) -> tuple[str, ...]:
    """The tracked files that differ from the last commit, in the folder or in the index."""
    return tuple(filter(None, checkout.run("diff", "--name-only", "--no-renames", "-z", "HEAD").split("\0")))


def left_by_an_interrupted_one(checkout: Checkout, prepared: str, changed: Collection[str]) -> bool:
    """Whether what is modified is just what preparing would have written: it was killed in the middle."""
    try:
        return set(modified(checkout)) <= set(changed) and not any(
            checkout.show(prepared, path) != (checkout.path / path).read_bytes().decode("utf-8", "surrogateescape")
            for path in modified(checkout)
        )
    except OSError:
        return False


def advance(checkout: Checkout, branch: str, prepared: str, tag: str, changed: Collection[str]) -> None:
    """Move the checked-out `branch`, its files and index to `prepared`, and set `tag` there.

    `changed`: the files that differ. Signals wait; where git fails, the files are as before. Raises InputError.
    """
    before = checkout.head
    # One transaction of git's: a reference that can't be set leaves the other as it is.
    steps = [f"update refs/heads/{branch} {prepared} {before}"]
    if checkout.commit_of(f"refs/tags/{tag}") != prepared:
        steps.append(f"create refs/tags/{tag} {prepared}")
    with signals_wait():
        try:
            _put(checkout, prepared, changed)
            log = f"tasker-release prepare: {tag}"
            git(checkout.path, *_NO_HOOKS, "update-ref", "-m", log, "--stdin", says="\n".join([*steps, ""]))
        except GitError as error:
            _put(checkout, before, changed)
            raise InputError(
                f"{checkout.path}: git can't put {tag} on {branch} ({error.said}); everything is as before"
            ) from None


def _put(checkout: Checkout, commit: str, paths: Collection[str]) -> None:
    if paths:
        where = ("--staged", "--worktree", "--pathspec-from-file=-", "--pathspec-file-nul")
        listed = "\0".join(f":(literal){path}" for path in paths)
        git(checkout.path, *_NO_HOOKS, "restore", f"--source={commit}", *where, says=listed)
