"""Turns the example workspace into a git repository with history and tags.

    python examples/repository.py TARGET

Identity and dates are fixed and nobody's git configuration counts: the same workspace gives the same hashes anywhere.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

WORKSPACE = Path(__file__).resolve().parent / "tasker"


class CannotCreateError(Exception):
    """The repository can't be created, for the reason given."""


@dataclass(frozen=True)
class Edit:
    """A later commit: one small change of one file that keeps everything building."""

    message: str
    path: str
    old: str
    new: str


# What was published last: the workspace as it lies there. `v0.1.0` came first, as a release of all packages.
RELEASED = "feat: the Tasker workspace"
TAGS = ("v0.1.0", "release-20260101-0900")

# Since then: the FFI core, the server core, a binding, docs, and a file that no rule covers but all crates need.
EDITS = (
    Edit(
        "docs(shared): say when a failed step starts again",
        "tasker-shared/src/lib.rs",
        "    /// The state after this one where all goes well.\n",
        "    /// The state after this one where all goes well. A failed step is pending again.\n",
    ),
    Edit(
        "docs(orchestration): say that a workflow has an end",
        "tasker-orchestration/src/lib.rs",
        "    /// Goes to the next state, and says which one that is.\n",
        "    /// Goes to the next state, and says which one that is. A complete workflow stays complete.\n",
    ),
    Edit(
        "docs(python): say how to read the version of the crates",
        "workers/python/README.md",
        "\nPart of [Tasker]",
        "\n`tasker_core.core_version()` is the version of the crates that it was built with.\nPart of [Tasker]",
    ),
    Edit(
        "docs: say what the example is for",
        "README.md",
        "It exists to rehearse releases.\n",
        "It exists to rehearse releases. Do not use it for anything else.\n",
    ),
    Edit(
        "build: say why tasker-pgmq alone is inherited",
        "Cargo.toml",
        "[workspace.dependencies]\n",
        "[workspace.dependencies]\n# Most crates need it: its version is pinned once.\n",
    ),
)


def create(target: Path) -> None:
    """Creates the repository in `target`, which must be missing or an empty folder."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise CannotCreateError(f"{target} exists already: name a folder that is missing or empty")
    if not WORKSPACE.is_dir():
        raise CannotCreateError(f"{WORKSPACE} is missing: it is what the repository is made of")
    target.mkdir(parents=True, exist_ok=True)
    target = target.resolve()
    _git(target, "init", "--quiet", "--initial-branch=main", "--object-format=sha1", "--template=")
    # Git itself copies: it leaves out what the workspace's own .gitignore names, whatever was built there.
    _git(target, f"--work-tree={WORKSPACE}", "add", "--all", ".", folder=WORKSPACE)
    _commit(target, 0, RELEASED)
    for tag in TAGS:
        _git(target, "tag", tag)
    _git(target, "reset", "--quiet", "--hard")
    for number, edit in enumerate(EDITS, start=1):
        _apply(target, edit)
        _git(target, "add", edit.path)
        _commit(target, number, edit.message)


def _apply(target: Path, edit: Edit) -> None:
    file = target / edit.path
    before = file.read_text(encoding="utf-8")
    if before.count(edit.old) != 1:
        raise CannotCreateError(f"{WORKSPACE / edit.path} must hold this line once: {edit.old.strip()}")
    file.write_text(before.replace(edit.old, edit.new), encoding="utf-8", newline="\n")


def _commit(target: Path, number: int, message: str) -> None:
    # One commit a day, from New Year's on.
    date = f"2026-01-{number + 1:02}T08:00:00+00:00"
    dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    _git(target, "commit", "--quiet", "--no-verify", f"--message={message}", more=dates)


def _git(target: Path, *arguments: str, folder: Path | None = None, more: dict[str, str] | None = None) -> None:
    # What a hook or a user exports (GIT_DIR, GIT_INDEX_FILE, ...) is meant for another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}
    settings = {
        "user.name": "Tasker Systems",
        "user.email": "releases@example.invalid",
        "commit.gpgsign": "false",
        "tag.gpgsign": "false",
        "core.autocrlf": "false",
        "core.excludesFile": os.devnull,
        "core.attributesFile": os.devnull,
        "gc.auto": "0",
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    command = ["git", *options]
    if arguments[0] != "init":
        command.append(f"--git-dir={target / '.git'}")
        if not arguments[0].startswith("--work-tree="):
            command.append(f"--work-tree={target}")
    try:
        # Modes end up in gems: they must not depend on the user's umask.
        done = subprocess.run(
            [*command, *arguments],
            cwd=folder or target,
            env=environment | (more or {}),
            umask=0o022,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise CannotCreateError("git is missing: install it") from None
    if done.returncode:
        verb = next(argument for argument in arguments if not argument.startswith("-"))
        reason = " ".join(done.stderr.split())
        raise CannotCreateError(f"git {verb} failed ({done.returncode}): {reason}")


def main() -> int:
    """Runs the command line, and gives the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("target", type=Path, help="a folder that is missing or empty")
    try:
        create(parser.parse_args().target)
    except (CannotCreateError, OSError) as error:
        print(f"repository.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
