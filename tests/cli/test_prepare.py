"""`prepare` makes the commit and the tag of a release, and leaves all as it was where it does not."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.pipeline.conftest import git

from .conftest import World, entry_point

pytestmark = pytest.mark.toolchain  # it asks cargo, and all tools for their versions
STAMPED = 17


def state(world: World) -> tuple[str, str, str, dict[str, bytes]]:
    """Branch and tags, changes, and all files."""
    refs = world.git("for-each-ref", "--format=%(refname) %(objectname)")
    return refs, world.git("symbolic-ref", "HEAD"), world.git("status", "--porcelain"), world.holds()


def test_a_release_is_a_commit_with_its_versions_and_a_tag_and_is_not_pushed(world: World) -> None:
    world.publish("0.1.0")
    world.git("clone", "--quiet", "--bare", ".", str(world.folder / "origin"))
    world.git("remote", "add", "origin", str(world.folder / "origin"))
    before = world.git("rev-parse", "HEAD")
    ended = world.release("prepare")
    assert ended.status == 0, ended.errors
    assert world.git("rev-parse", "v0.1.1", "HEAD~1").split() == [world.git("rev-parse", "HEAD"), before]
    assert world.git("status", "--porcelain") == ""
    assert world.git("branch", "--show-current") == "main"
    assert (world.source / "VERSION").read_text() == "0.1.1\n"
    assert len(world.git("diff", "--name-only", "HEAD~1").splitlines()) == STAMPED
    assert world.git("ls-remote", "origin", "refs/heads/main").split()[0] == before
    # The command that it prints does the rest.
    push = ended.output.splitlines()[-1].strip()
    assert push == "git push --atomic origin main v0.1.1"
    world.git(*push.split()[1:])
    assert world.git("ls-remote", "--tags", "origin", "v0.1.1").split()[0] == world.git("rev-parse", "HEAD")


def test_the_commit_is_the_same_in_every_clone_and_so_is_a_second_preparation(world: World) -> None:
    git(world.folder, "clone", "--quiet", str(world.source), str(world.folder / "clone"))
    first = json.loads(world.release("prepare", "--json").output)
    second = json.loads(world.release("prepare", "--json", "--source", str(world.folder / "clone")).output)
    assert first["commit"] == second["commit"] == world.git("rev-parse", "HEAD")
    assert (first["tag"], first["done"]) == ("v0.1.1", False)
    before = state(world)
    again = world.release("prepare")
    assert again.status == 0
    assert "Prepared already: v0.1.1" in again.output
    assert "git push --atomic origin main v0.1.1" in again.output
    assert state(world) == before


def test_a_binding_alone_is_released_by_the_time(out: World) -> None:
    out.commit("workers/ruby/README.md", "\nMore.\n")
    said = json.loads(out.release("prepare", "--json").output)
    assert said["tag"] == out.git("describe", "--tags", "--exact-match", "--match=release-*")
    assert said["tag"].startswith("release-20")
    assert len(said["tag"]) == len("release-20260208-1828")
    assert {key for key, version in said["packages"].items() if version != "unchanged"} == {"rubygems/tasker-rb"}
    assert 'VERSION = "0.1.1"' in (out.source / "workers/ruby/lib/tasker_core/version.rb").read_text()
    assert (out.source / "VERSION").read_text() == "0.1.0\n"
    again = out.release("prepare")
    assert f"Prepared already: {said['tag']}" in again.output


def test_a_dry_run_says_all_and_changes_nothing(world: World) -> None:
    before = state(world)
    ended = world.release("prepare", "--dry-run")
    assert ended.status == 0
    assert "Would be v0.1.1 at " in ended.output
    assert "workers/ruby/Gemfile.lock" in ended.output
    assert "alpha" in ended.output  # npm's dist-tag is part of what is confirmed
    assert state(world) == before


def test_where_nothing_changed_there_is_nothing_to_prepare(out: World) -> None:
    before = state(out)
    ended = out.release("prepare")
    assert (ended.status, ended.output) == (0, "Nothing to release: no package changed since it was published.\n")
    assert state(out) == before


def test_versions_that_a_commit_has_already_are_only_tagged(out: World) -> None:
    out.commit("tasker-cli/README.md", "\nMore.\n")
    assert out.release("update-versions", "--core", "0.2.0").status == 0
    out.git("commit", "--quiet", "--all", "--message", "Release 0.2.0")
    head = out.git("rev-parse", "HEAD")
    assert out.release("prepare").status == 0
    assert out.git("rev-parse", "HEAD", "v0.2.0").split() == [head, head]


def spoiled_by_changes(world: World) -> None:
    (world.source / "VERSION").write_text("0.1.7\n")


def spoiled_by_staged_changes(world: World) -> None:
    (world.source / "README.md").write_text("changed\n")
    world.git("add", "README.md")


def spoiled_by_no_branch(world: World) -> None:
    world.git("checkout", "--quiet", "--detach")


def spoiled_by_an_upstream(world: World) -> None:
    world.git("branch", "upstream")
    world.git("reset", "--quiet", "--hard", "HEAD~1")
    world.git("branch", "--quiet", "--set-upstream-to=upstream")


def spoiled_by_a_tag(world: World) -> None:
    world.git("tag", "v0.1.1", "v0.1.0")


def spoiled_by_another_workspace(world: World) -> None:
    manifest = world.source / "tasker-cli" / "Cargo.toml"
    manifest.write_text(manifest.read_text().replace("[package]", "[package]\npublish = false"))
    world.git("commit", "--quiet", "--all", "--message", "Keep the command line")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (spoiled_by_changes, "uncommitted changes in VERSION"),
        (spoiled_by_staged_changes, "uncommitted changes in README.md"),
        (spoiled_by_no_branch, "no branch is checked out"),
        (spoiled_by_an_upstream, "main is behind its upstream by 1"),
        (spoiled_by_a_tag, "tag v0.1.1 stands on "),
        (spoiled_by_another_workspace, "tasker-cli"),
    ],
)
def test_what_speaks_against_it_is_said_by_a_dry_run_too_and_nothing_changes(
    world: World, spoil: object, said: str
) -> None:
    assert callable(spoil)
    world.publish("0.1.0")
    spoil(world)
    refs, files = world.git("for-each-ref"), world.holds()
    dry, ended = world.release("prepare", "--dry-run"), world.release("prepare")
    assert (dry.status, ended.status) == (1, 1)
    assert said in dry.errors
    assert ended.errors.startswith("Error: ")
    assert said in ended.errors
    assert (world.git("for-each-ref"), world.holds()) == (refs, files)


def wrap(git_wrapper: Path, script: str) -> dict[str, str]:
    """A `git` that runs `script` first, with $GIT the real one."""
    real = shutil.which("git")
    git_wrapper.write_text(f'#!/bin/bash\nGIT={real}\n{script}\nexec "$GIT" "$@"\n')
    git_wrapper.chmod(0o755)
    return {"PATH": f"{git_wrapper.parent}:{os.environ['PATH']}"}


def test_a_tag_that_git_refuses_leaves_everything_as_before(world: World, wrapped_git: Path) -> None:
    before = state(world)
    ended = world.release(
        "prepare", **wrap(wrapped_git, 'case "$*" in *update-ref*) echo "no space" >&2; exit 1;; esac')
    )
    assert ended.status == 1
    assert "no space" in ended.errors
    assert "everything is as before" in ended.errors
    assert state(world) == before


def test_a_ctrl_c_in_the_middle_leaves_all_or_nothing(world: World, wrapped_git: Path) -> None:
    before = state(world)
    interrupted = wrap(wrapped_git, 'case "$*" in *" restore "*) kill -INT $PPID;; esac')
    ended = world.release("prepare", **interrupted)
    assert (ended.status, ended.errors.splitlines()[-1]) == (130, "Interrupted.")
    # It came while the files were written: all is done then.
    assert world.git("rev-parse", "HEAD") == world.git("rev-parse", "v0.1.1")
    assert world.git("status", "--porcelain") == ""
    assert state(world) != before


def test_killed_outright_it_is_finished_by_the_next_one(world: World, wrapped_git: Path) -> None:
    refs = world.git("for-each-ref")
    killed = world.release("prepare", **wrap(wrapped_git, 'case "$*" in *update-ref*) kill -KILL $PPID; exit 1;; esac'))
    assert killed.status == -signal.SIGKILL
    assert world.git("for-each-ref") == refs
    assert world.git("status", "--porcelain") != ""
    ended = world.release("prepare")
    assert ended.status == 0, ended.errors
    assert world.git("rev-parse", "HEAD") == world.git("rev-parse", "v0.1.1")
    assert world.git("status", "--porcelain") == ""


def test_the_prepared_commit_is_what_a_rehearsal_of_the_tree_builds(world: World) -> None:
    script = """
import sys
from pathlib import Path
from tasker_release_pipeline.release.git import Checkout
from tasker_release_pipeline.release.manifest import load
from tasker_release_pipeline.release.stamping import stamp
from semver import Version
manifest, source = load("tasker"), Checkout.at(sys.argv[1])
versions = {name: Version(0, 1, 1) for name in manifest.components}
print(stamp(source, source.head, Path(sys.argv[2]), manifest, versions).commit)
"""
    built = subprocess.run(
        [entry_point("python"), "-c", script, str(world.source), str(world.folder / "tree")],
        env=world.environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    world.git("worktree", "remove", "--force", str(world.folder / "tree"))
    assert json.loads(world.release("prepare", "--json").output)["commit"] == built
