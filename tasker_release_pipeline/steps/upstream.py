"""The repository that the source was cloned from, mirrored on this machine: what runs that nobody starts work on.

The checkout that `source` names is somebody's: only its remote's address is read, and nothing in it changes.
"""

import fcntl
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tasker_release_pipeline.release.detached import place
from tasker_release_pipeline.release.errors import InputError, ToolError, UnavailableError
from tasker_release_pipeline.release.git import Checkout, GitError, git
from tasker_release_pipeline.release.settings import resolve
from tasker_release_pipeline.steps.run import work_folder
from tasker_release_pipeline.toolchains.runner import run

BRANCH = "TASKER_RELEASE_REHEARSAL_BRANCH"
LIMIT = "DAGSTER_GRPC_TIMEOUT_SECONDS"
"""Dagster's own variable: the seconds (60 by default) that a tick of a schedule or sensor may take."""

_MAIN = "refs/upstream/main"
# What git and ssh need to reach a remote as this user, beyond what every tool gets.
_WAYS_IN = re.compile(r"SSH_AUTH_SOCK|XDG_CONFIG_HOME|GIT_(SSH|SSH_COMMAND|SSH_VARIANT|ASKPASS|CONFIG_\w+)")
_ASKS_NOBODY = {"GIT_TERMINAL_PROMPT": "0", "SSH_ASKPASS": "false", "SSH_ASKPASS_REQUIRE": "force"}
_USER = re.compile(r"(?:(?<=https://)|(?<=http://))[^/@]+(?=@)")


@dataclass(frozen=True)
class Upstream:
    """The mirror, as it was fetched. `work`: the folder that all releases have their work folders in."""

    mirror: Checkout
    work: Path

    @property
    def main(self) -> str:
        """The commit of the main branch."""
        return self.mirror.run("rev-parse", _MAIN).strip()

    def tags(self) -> list[str]:
        """All tags, the oldest first."""
        return self.mirror.run("for-each-ref", "refs/tags", "--sort=creatordate", "--format=%(refname:strip=2)").split()

    def checkout(self, release: str, ref: str) -> Path:
        """A checkout of its own for a release, at `ref`, in its work folder. Raises InputError."""
        commit = self.mirror.commit_of(ref)
        if commit is None:
            raise InputError(f"{ref}: not in {self.mirror.path}; fetch again")
        folder = self.work / release / "checkout"
        place(self.mirror, folder, commit)
        return folder


def fetch(environment: Mapping[str, str]) -> Upstream:
    """Fetch what `origin` of the source has (without such a remote, what the source itself has) into the mirror.

    Raises InputError: there is no source, the remote refuses, or lacks the branch that TASKER_RELEASE_REHEARSAL_BRANCH
    names. Raises UnavailableError where it takes longer than a tick may.
    """
    source = Checkout.at(resolve({}, environment).source)
    url = _remote(source)
    work = work_folder(environment)
    mirror = work / "mirror"
    seconds = 0.75 * float(environment.get(LIMIT) or 60)
    until = time.monotonic() + seconds
    with _alone(work / "mirror.lock", until):
        git(work, "init", "--quiet", "--bare", str(mirror))
        upstream = Upstream(Checkout(mirror), work)
        # What a checkout tells about where it comes from; git itself gets the address as it is.
        git(mirror, "config", "remote.origin.url", _USER.sub("***", url))
        if upstream.mirror.commit_of(_MAIN) is None:
            _take_what_is_here(upstream, source, environment, until)
        branch = environment.get(BRANCH, "").strip()
        main = f"refs/heads/{branch}" if branch else "HEAD"
        refs = ("+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*", f"+{main}:{_MAIN}")
        try:
            _fetch(upstream, url, refs, environment, until)
        except ToolError as error:
            said = " ".join(" ".join(str(error).splitlines()[1:]).split())[:300]
            if time.monotonic() >= until:
                raise UnavailableError(
                    f"{_USER.sub('***', url)}: not fetched within {seconds:.0f} s; try again, or give ticks more time "
                    f"by {LIMIT} (of the daemon and the code server)"
                ) from None
            raise InputError(
                f"{_USER.sub('***', url)}: can't be fetched ({said}); give this user access to it (a deploy key, or a "
                f"credential helper in its git configuration), correct `origin` of {source.path}, or name a branch "
                f"that it has in {BRANCH}"
            ) from None
        git(mirror, "worktree", "prune")  # those whose folder was removed with its rehearsal
    return upstream


def _fetch(upstream: Upstream, url: str, refs: tuple[str, ...], environment: Mapping[str, str], until: float) -> None:
    # By the environment, as there may be a password in the address.
    number = int(environment.get("GIT_CONFIG_COUNT") or 0)
    remote = {
        "GIT_CONFIG_COUNT": str(number + 1),
        f"GIT_CONFIG_KEY_{number}": "remote.upstream.url",
        f"GIT_CONFIG_VALUE_{number}": url,
    }
    ways_in = {name: value for name, value in environment.items() if _WAYS_IN.fullmatch(name)}
    run(
        ["git", "fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "upstream", *refs],
        cwd=upstream.mirror.path,
        seconds=max(1.0, until - time.monotonic()),
        log=lambda _: None,
        env={**_ASKS_NOBODY, **ways_in, **remote, "LC_ALL": "C"},
        secrets=_USER.findall(url),
    )


def _take_what_is_here(upstream: Upstream, source: Checkout, environment: Mapping[str, str], until: float) -> None:
    """Take over what the checkout has of its remote: of a large repository too much to fetch within one tick."""
    refs = ("+refs/remotes/origin/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
    try:
        _fetch(upstream, str(source.path), refs, environment, until)
    except ToolError:  # a shallow clone gives nothing on
        return


def _remote(source: Checkout) -> str:
    try:
        url = source.run("remote", "get-url", "origin").strip()
    except GitError:
        return str(source.path)
    is_path = "://" not in url and not re.match(r"[^/]+:", url)
    return os.path.normpath(source.path / url) if is_path else url


@contextmanager
def _alone(path: Path, until: float) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise UnavailableError(f"{path}: another fetch is under way, and takes long; try again") from None
                time.sleep(0.1)
        yield
