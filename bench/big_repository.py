"""A repository of the size that hurts, written by `git fast-import`: the example workspace with a long history."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.world import ROOT

BASE = "release-20260601-0900"
_FOLDERS = (
    *("tasker-pgmq", "tasker-shared", "tasker-client", "tasker-orchestration", "tasker-worker", "tasker-cli"),
    *("workers/ruby", "workers/python", "workers/typescript"),
)
_IN_A_FOLDER = 100
# A prime: commits before the base change files all over the tree.
_STRIDE = 7919
_BEGINNING = 1_780_000_000


@dataclass(frozen=True)
class Size:
    """How many commits and files there are, and how many files changed since the tag BASE, one in each commit."""

    commits: int
    files: int
    changed: int


def big_repository(folder: Path, size: Size) -> Path:
    """Make the repository in `folder`, with a commit-graph. Its files are not checked out, which nothing needs."""
    subprocess.run([sys.executable, str(ROOT / "examples" / "repository.py"), str(folder)], check=True)
    importer = ["git", "fast-import", "--quiet"]
    with subprocess.Popen(importer, cwd=folder, env=environment(), stdin=subprocess.PIPE) as process:
        assert process.stdin is not None  # noqa: S101  # it is a pipe
        process.stdin.writelines(_stream(size))
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, importer)
    graph = ["git", "commit-graph", "write", "--reachable", "--no-progress"]
    subprocess.run(graph, cwd=folder, env=environment(), check=True)
    return folder


def environment() -> dict[str, str]:
    """Git's, without anyone's configuration, and not led to another repository by a hook's variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}


def _stream(size: Size) -> Iterator[bytes]:
    yield _commit(0) + b"from refs/heads/main^0\n" + b"".join(_file(number, 0) for number in range(size.files))
    base = size.commits - size.changed - 1
    for commit in range(1, size.commits):
        before_base = commit <= base
        number = commit * _STRIDE % size.files if before_base else commit - base - 1
        yield _commit(commit) + _file(number, commit)
        if commit == base:
            yield f"reset refs/tags/{BASE}\nfrom :{commit + 1}\n\n".encode()


def _commit(number: int) -> bytes:
    by = f"Tasker Systems <releases@example.invalid> {_BEGINNING + 60 * number} +0000"
    return f"commit refs/heads/main\nmark :{number + 1}\ncommitter {by}\n{_data(f'Change {number}')}".encode()


def _file(number: int, commit: int) -> bytes:
    folder, within = _FOLDERS[number % len(_FOLDERS)], number // len(_FOLDERS)
    path = f"{folder}/generated/{within // _IN_A_FOLDER:04}/{within % _IN_A_FOLDER:02}.txt"
    return f"M 100644 inline {path}\n{_data(f'{number} {commit}')}".encode()


def _data(text: str) -> str:
    return f"data {len(text)}\n{text}\n"
