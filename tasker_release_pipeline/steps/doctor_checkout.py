"""What the doctor says of a checkout: its state, its tags, what its files say."""

from collections.abc import Iterator, Mapping

from tasker_release_pipeline.checks.workspace import manifest_matches_cargo
from tasker_release_pipeline.release.bases import is_release_tag
from tasker_release_pipeline.release.errors import InputError, ToolError
from tasker_release_pipeline.release.git import Checkout, GitError
from tasker_release_pipeline.release.manifest import Manifest
from tasker_release_pipeline.release.plan import check_tag
from tasker_release_pipeline.release.preparing import modified
from tasker_release_pipeline.release.stamping import disagreements, tree_versions
from tasker_release_pipeline.release.working_tree import working_tree
from tasker_release_pipeline.steps.doctor_rows import Row, error, of_problems, of_report, ok, warning
from tasker_release_pipeline.toolchains.cargo_metadata import metadata
from tasker_release_pipeline.toolchains.runner import run

_REMOTE_SECONDS = 15.0
_SHOWN = 5


def state(checkout: Checkout) -> Iterator[Row]:
    """Whether history is whole, the tree clean, and the branch the one that releases come from."""
    if checkout.shallow:
        yield error(
            "history", "a shallow clone, in which the last release can't be found: git fetch --unshallow --tags"
        )
    else:
        yield ok("history", f"whole, at {checkout.head[:12]}")
    if files := modified(checkout):
        yield warning("tree", f"uncommitted changes in {_some(files)}, which no release has: commit them, or git stash")
    else:
        yield ok("tree", "no tracked file differs from the commit")
    main, branch = _main(checkout), _asked(checkout, "symbolic-ref", "--quiet", "--short", "HEAD")
    if branch != main:
        at = f"on {branch}" if branch else "no branch is checked out"
        yield warning("branch", f"{at}; releases come from {main}: git switch {main}")
    elif (behind := _asked(checkout, "rev-list", "--count", "HEAD..@{upstream}")) not in ("", "0"):
        yield warning("branch", f"{branch} is behind its upstream by {behind} (as of the last fetch): git pull")
    else:
        yield ok("branch", branch)


def tags(checkout: Checkout, environment: Mapping[str, str]) -> list[Row]:
    """Whether the tags that releases are counted from are those of `origin`."""
    if not _asked(checkout, "remote", "get-url", "origin"):
        return [warning("tags", "no remote `origin`, whose tags these could be compared with: git remote add origin")]
    quiet = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -o BatchMode=yes -o ConnectTimeout=5"}
    agent = {name: environment[name] for name in ("SSH_AUTH_SOCK",) if environment.get(name)}
    command = ["git", "ls-remote", "--tags", "--refs", "origin"]
    try:
        said = run(
            command, cwd=checkout.path, seconds=_REMOTE_SECONDS, log=lambda _: None, env={**quiet, **agent}
        ).output
    except ToolError as reason:
        return [warning("tags", f"unproven: origin could not be asked: {' '.join(str(reason).split())}")]
    listed = (line.partition("\trefs/tags/") for line in said.splitlines())
    theirs = {name: at for at, found, name in listed if found and _counts(name)}
    here = dict(
        line.split() for line in checkout.run("for-each-ref", "refs/tags", "--format=%(refname:strip=2) %(objectname)")
        .splitlines()
    )  # fmt: skip
    rows = [
        error("tags", f"{tag} stands on another commit than on origin: git fetch --tags --force, or correct origin")
        for tag, at in theirs.items()
        if here.get(tag, at) != at
    ]
    if missing := [tag for tag in theirs if tag not in here]:
        rows.append(error("tags", f"not fetched: {_some(missing)}, which changes are counted from: git fetch --tags"))
    return rows or [ok("tags", f"{len(theirs)} of releases and components, as on origin")]


def carriers(checkout: Checkout, manifest: Manifest) -> list[Row]:
    """Whether all files say the same versions, and a release's tag on the commit names the core's."""
    try:
        tree = working_tree(checkout)
        versions = tree_versions(tree.read, manifest, str(checkout.path))
        problems = disagreements(tree, manifest, versions)
        for tag, at in checkout.tags().items():
            if at == checkout.head and is_release_tag(tag):
                check_tag(manifest, tag, versions)
    except InputError as reason:
        return [error("versions", str(reason))]
    way_out = "; write one version everywhere (update-versions)"
    said = ", ".join(f"{name} {version}" for name, version in versions.items())
    return of_problems("versions", [problem + way_out for problem in problems], said)


def workspace(checkout: Checkout, manifest: Manifest) -> list[Row]:
    """Whether the manifest describes the workspace that cargo sees."""
    if not manifest.crates:
        return [ok("workspace", f"the manifest {manifest.name} has no crates")]
    return of_report("workspace", manifest_matches_cargo(manifest, metadata(checkout.path)))


def _counts(tag: str) -> bool:
    """Whether changes may be counted from it: a release's tag, or a component's (`core-v0.1.9`)."""
    return is_release_tag(tag) or "-v" in tag


def _main(checkout: Checkout) -> str:
    known = _asked(checkout, "symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
    return known.partition("/")[2] or "main"


def _asked(checkout: Checkout, *arguments: str) -> str:
    try:
        return checkout.run(*arguments).strip()
    except GitError:
        return ""


def _some(names: tuple[str, ...] | list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
