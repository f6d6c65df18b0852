"""The source step: the released commit with the plan's versions written in, in a worktree of its own."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ConfigDict

from tasker_release_pipeline.release.detached import place
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.git import GitError, git
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.release.settings import Mode
from tasker_release_pipeline.release.stamping import Stamped, stamp, stamped_commit
from tasker_release_pipeline.steps.run import ReleaseRun


class SourceTree(BaseModel):
    """The stamped source. `changed`: the files that stamping wrote; `epoch`: the commit's time, in Unix seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    commit: str
    changed: tuple[str, ...]
    epoch: int


def stamp_source(run: ReleaseRun, plan: Plan) -> SourceTree:
    """Stamp the source; for a live release it is the planned commit itself. Raises InputError."""
    with _lock(run) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamped = _place(run, plan)
    for path in stamped.changed:
        run.log(f"stamped {path}")
    epoch = int(git(stamped.path, "log", "-1", "--format=%ct"))
    return SourceTree(commit=stamped.commit, changed=stamped.changed, epoch=epoch)


@contextmanager
def worktree(run: ReleaseRun, plan: Plan, tree: SourceTree) -> Iterator[Path]:
    """The folder that holds the stamped source, for as long as the block needs it; made again where it is not right.

    Several steps read and build in it beside each other; nobody puts it right under another's hands.
    Raises InputError where it can't be made again.
    """
    folder = _folder(run)
    with _lock(run) as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        if not _is_at(folder, tree.commit):
            fcntl.flock(lock, fcntl.LOCK_UN)
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_at(folder, tree.commit):
                _make_again(run, plan, tree)
            fcntl.flock(lock, fcntl.LOCK_SH)
        yield folder


def released_commit(run: ReleaseRun, plan: Plan) -> str:
    """The commit that is built, published and tagged. Raises InputError."""
    if run.mode is Mode.LIVE:
        return plan.commit
    return stamped_commit(run.checkout, plan.commit, run.manifest, plan.versions)[0]


def _place(run: ReleaseRun, plan: Plan) -> Stamped:
    if run.mode is not Mode.LIVE:
        return stamp(run.checkout, plan.commit, _folder(run), run.manifest, plan.versions)
    # What is not prepared there the checks name, beside all else that is wrong; nothing is written over it.
    place(run.checkout, _folder(run), plan.commit)
    return Stamped(plan.commit, (), _folder(run))


def _make_again(run: ReleaseRun, plan: Plan, tree: SourceTree) -> None:
    stamped = _place(run, plan)
    if stamped.commit != tree.commit:
        raise InputError(
            f"source {run.checkout.path}: stamping gives {stamped.commit[:12]} where the release was built from "
            f"{tree.commit[:12]}; another version of the pipeline made it: run `source_tree` and the builds again"
        )


def _folder(run: ReleaseRun) -> Path:
    return run.work / "source"


def _is_at(folder: Path, commit: str) -> bool:
    try:
        at = git(folder, "rev-parse", "HEAD").strip() if (folder / ".git").exists() else ""
        return at == commit and not git(folder, "status", "--porcelain")
    except GitError:
        return False


@contextmanager
def _lock(run: ReleaseRun) -> Iterator[IO[bytes]]:
    run.work.mkdir(parents=True, exist_ok=True)
    with open(run.work / "source.lock", "wb") as file:
        yield file
