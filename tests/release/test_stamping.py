import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from semver import Version

from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.git import Checkout
from tasker_release_pipeline.release.lockfiles import cargo_entries
from tasker_release_pipeline.release.manifest import Manifest, load
from tasker_release_pipeline.release.stamping import Tree, disagreements, rewrites, stamp, tree_versions

VERSIONS = {"core": Version(0, 1, 1), "ruby": Version(0, 1, 1), "python": Version(0, 1, 1), "npm": Version(0, 1, 0)}
UNCHANGED = dict.fromkeys(VERSIONS, Version(0, 1, 0))

FILES = {
    "VERSION": "0.1.0\n",
    ".gitignore": "target/\n",
    "Cargo.toml": """\
[package]
name = "tasker-core"
version = "0.1.0"  # the workspace's root

[workspace]
members = ["crates/*", "ext"]

[workspace.package]
version = "0.1.0"

[workspace.dependencies]
tasker-shared = { path = "crates/shared", version = "=0.1.0" }
itoa = "=0.1.0"
""",
    "crates/shared/Cargo.toml": '[package]\nname = "tasker-shared"\nversion.workspace = true\n',
    "crates/cli/Cargo.toml": """\
[package]
name = "tasker-cli"
version = '0.1.0'
[dependencies]
tasker-shared = { workspace = true }
[dev-dependencies]
tasker-core = { path = "../..", version = "=0.1.0" }
""",
    "ext/Cargo.toml": '[package]\nname = "tasker-rb"\nversion = "0.1.0"\n[dependencies]\ntasker-shared = "=0.1.0"\n',
    "example/Cargo.toml": '[package]\nname = "example"\nversion = "0.1.0"\n[dependencies]\ntasker-cli = "0.1.0"\n',
    "fixtures/Cargo.toml": 'this is no TOML: tasker-shared = "=0.1.0"\n',
    "Cargo.lock": "version = 4\n"
    + "".join(
        f'\n[[package]]\nname = "{name}"\nversion = "0.1.0"\n{source}'
        for name, source in [
            ("example", ""),
            ("itoa", 'source = "registry+https://registry.invalid/index"\n'),
            ("tasker-cli", ""),
            ("tasker-core", ""),
            ("tasker-rb", ""),
            ("tasker-shared", ""),
        ]
    ),
    "version.rb": 'module Tasker\n  VERSION = "0.1.0"\n  CORE_VERSION = "0.1.0"\nend\n',
    "Gemfile.lock": "PATH\n  remote: .\n  specs:\n    tasker-rb (0.1.0)\n",
    "pyproject.toml": '[project]\r\nversion = "0.1.0"\r\n',
    "uv.lock": '[[package]]\nname = "tasker-py"\nversion = "0.1.0"\nsource = { editable = "." }\n',
    "package.json": '{\n   "version": "0.1.0"}',
}

CHANGED = (
    "Cargo.lock", "Cargo.toml", "Gemfile.lock", "VERSION", "crates/cli/Cargo.toml", "example/Cargo.toml",
    "ext/Cargo.toml", "pyproject.toml", "uv.lock", "version.rb",
)  # fmt: skip


def toml(path: str, key: str = "package.version", style: str = "semver") -> dict[str, str]:
    return {"path": path, "kind": "toml", "key": key, "style": style}


def crate(name: str, phase: int) -> dict[str, Any]:
    folder = "crates/" + name.removeprefix("tasker-")
    row = {"name": name, "registry": "crates_io", "component": "core", "folder": folder, "changes": [folder + "/"]}
    return {**row, "core": "ffi", "phase": phase, "load": "1"}


def a_manifest(**components: list[dict[str, str]]) -> Manifest:
    every = {
        "core": [
            {"path": "VERSION", "kind": "text"},
            toml("Cargo.toml"),
            toml("Cargo.toml", "workspace.package.version"),
            toml("crates/cli/Cargo.toml"),
            {"path": "version.rb", "kind": "ruby", "key": "CORE_VERSION", "style": "gem"},
        ],
        "ruby": [
            {"path": "version.rb", "kind": "ruby", "key": "VERSION", "style": "gem"},
            toml("ext/Cargo.toml"),
            {"path": "Gemfile.lock", "kind": "gemfile_lock", "key": "tasker-rb"},
        ],
        "python": [
            toml("pyproject.toml", "project.version", "pep440"),
            {"path": "uv.lock", "kind": "uv_lock", "key": "tasker-py"},
        ],
        "npm": [{"path": "package.json", "kind": "json", "key": "version"}],
        **components,
    }
    build = {"commands": [{"run": ["true"], "seconds": 1}], "artifacts": ["*"]}
    return Manifest.model_validate(
        {
            "name": "test",
            "components": {name: {"carriers": carriers} for name, carriers in every.items()},
            "registries": {"crates_io": {"build": build, "propagation_seconds": 1, "upload_seconds": 1}},
            "packages": [crate("tasker-shared", 1), crate("tasker-cli", 2)],
        }
    )


MANIFEST = a_manifest()

# The tools' own environment, before the fixture below takes HOME away: cargo's toolchain and downloads lie there.
TOOLS = {**os.environ, "BUNDLE_FROZEN": "true"}


def run(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.invalid", "-c", "commit.gpgSign=false")
    done = subprocess.run(
        ["git", *identity, "-c", f"core.hooksPath={os.devnull}", *arguments],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    return done.stdout.decode()


def write(folder: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(text.encode())


@pytest.fixture(autouse=True)
def _own_git_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def source(tmp_path: Path) -> Checkout:
    folder = tmp_path / "source"
    write(folder, FILES)
    run(folder, "init", "--quiet", "--initial-branch=main")
    run(folder, "add", "--all")
    run(folder, "commit", "--quiet", "--message=first", "--date=2026-01-01T00:00:00Z")
    return Checkout.at(folder)


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    return tmp_path / "work" / "tree"


def content(folder: Path) -> dict[str, bytes]:
    tracked = run(folder, "ls-files", "-z").split("\0")
    return {path: (folder / path).read_bytes() for path in tracked if path and (folder / path).is_file()}


def is_clean(folder: Path) -> bool:
    return run(folder, "status", "--porcelain", "--untracked-files=all") == ""


def state(checkout: Checkout) -> tuple[str, ...]:
    commands = ("rev-parse HEAD", "symbolic-ref HEAD", "status --porcelain", "diff", "diff --cached", "ls-files -s",
                "for-each-ref", "stash list")  # fmt: skip
    return tuple(run(checkout.path, *command.split()) for command in commands)


def test_every_carrier_pin_and_lockfile_entry_says_the_release_and_nothing_else_changes(
    source: Checkout, worktree: Path
) -> None:
    stamped = stamp(source, source.head, worktree, MANIFEST, VERSIONS)

    expected = {path: text.replace("0.1.0", "0.1.1") if path in CHANGED else text for path, text in FILES.items()}
    expected["Cargo.toml"] = expected["Cargo.toml"].replace('itoa = "=0.1.1"', 'itoa = "=0.1.0"')
    expected["example/Cargo.toml"] = FILES["example/Cargo.toml"].replace('tasker-cli = "0.1.0"', 'tasker-cli = "0.1.1"')
    for other in ("example", "itoa"):
        expected["Cargo.lock"] = expected["Cargo.lock"].replace(
            f'"{other}"\nversion = "0.1.1"', f'"{other}"\nversion = "0.1.0"'
        )
    assert content(worktree) == {path: text.encode() for path, text in expected.items()}
    assert stamped.changed == CHANGED
    assert stamped.path == worktree
    assert disagreements(Tree.of(source, stamped.commit), MANIFEST, VERSIONS) == []


def test_the_commit_has_fixed_identity_and_date_and_lies_on_the_sources(source: Checkout, worktree: Path) -> None:
    stamped = stamp(source, "main", worktree, MANIFEST, VERSIONS)
    date = run(source.path, "show", "-s", "--format=%ct", "main").strip()
    said = run(worktree, "show", "-s", "--date=raw", "--format=%an <%ae> %ad%n%cn <%ce> %cd%n%P%n%B", "HEAD")
    assert said.splitlines()[:4] == [
        f"Tasker release <release@tasker.invalid> {date} +0000",
        f"Tasker release <release@tasker.invalid> {date} +0000",
        source.head,
        "Release core 0.1.1, ruby 0.1.1, python 0.1.1, npm 0.1.0",
    ]
    assert run(worktree, "rev-parse", "HEAD").strip() == stamped.commit
    assert run(worktree, "branch", "--show-current") == ""
    assert is_clean(worktree)


def test_stamping_again_gives_the_same_commit_and_touches_no_file(source: Checkout, worktree: Path) -> None:
    first = stamp(source, source.head, worktree, MANIFEST, VERSIONS)
    times = {path: (worktree / path).stat().st_mtime_ns for path in FILES}
    assert stamp(source, source.head, worktree, MANIFEST, VERSIONS) == first
    assert {path: (worktree / path).stat().st_mtime_ns for path in FILES} == times


def test_another_clone_with_other_files_lying_about_gives_the_same_commit(
    source: Checkout, worktree: Path, tmp_path: Path
) -> None:
    run(tmp_path, "clone", "--quiet", str(source.path), "clone")
    clone = Checkout.at(tmp_path / "clone")
    for key, value in {"user.name": "Somebody", "core.autocrlf": "true", "i18n.commitEncoding": "latin1"}.items():
        run(clone.path, "config", key, value)
    first = stamp(source, source.head, worktree, MANIFEST, VERSIONS)
    second = stamp(clone, "HEAD", tmp_path / "elsewhere", MANIFEST, VERSIONS)
    assert (second.commit, second.changed) == (first.commit, first.changed)
    assert content(second.path) == content(first.path)


def test_a_dirty_checkout_stays_as_it_is_and_enters_nothing(source: Checkout, worktree: Path, tmp_path: Path) -> None:
    clean = stamp(source, source.head, tmp_path / "clean", MANIFEST, VERSIONS)
    write(source.path, {"VERSION": "9.9.9\n", "staged": "s", "untracked": "u", "target/built": "b"})
    run(source.path, "add", "staged")
    (source.path / "package.json").unlink()
    before, files = state(source), {path: path.read_bytes() for path in source.path.iterdir() if path.is_file()}

    stamped = stamp(source, source.head, worktree, MANIFEST, VERSIONS)

    assert stamped.commit == clean.commit
    assert state(source) == before
    assert {path: path.read_bytes() for path in source.path.iterdir() if path.is_file()} == files
    assert not (worktree / "staged").exists()
    assert (worktree / "package.json").is_file()
    assert is_clean(worktree)


def test_hooks_signing_and_the_users_configuration_count_for_nothing(
    source: Checkout, worktree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = stamp(source, source.head, tmp_path / "plain", MANIFEST, VERSIONS)
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    names = ("pre-commit", "commit-msg", "post-checkout", "reference-transaction", "post-index-change")
    for folder in (hooks, source.path / ".git" / "hooks"):
        for name in names:
            (folder / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/hook-ran\nexit 1\n")
            (folder / name).chmod(0o755)
    hostile = tmp_path / "gitconfig"
    hostile.write_text(
        f"[core]\n\thooksPath = {hooks}\n\tautocrlf = true\n\texcludesFile = {tmp_path}/excluded\n"
        "[commit]\n\tgpgSign = true\n[gpg]\n\tprogram = /bin/false\n[user]\n\tname = X\n\tsigningKey = none\n"
        "[log]\n\tshowSignature = true\n[i18n]\n\tcommitEncoding = latin1\n"
        '[filter "hostile"]\n\tclean = cat /dev/null\n\tsmudge = cat /dev/null\n'
    )
    (source.path / ".git/info/attributes").write_text("* filter=hostile\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(hostile))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "X")
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2001-01-01T00:00:00Z")

    assert stamp(source, source.head, worktree, MANIFEST, VERSIONS).commit == plain.commit
    assert content(worktree) == content(tmp_path / "plain")
    assert not (tmp_path / "hook-ran").exists()


def test_gits_variables_of_a_hook_do_not_lead_elsewhere(
    source: Checkout, worktree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, "init", "--quiet", "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "other" / "index"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "other"))
    stamp(source, source.head, worktree, MANIFEST, VERSIONS)
    assert (worktree / "VERSION").read_text() == "0.1.1\n"
    assert not (tmp_path / "other" / "index").exists()


def test_nothing_to_stamp_makes_no_commit(source: Checkout, worktree: Path) -> None:
    stamped = stamp(source, source.head, worktree, MANIFEST, UNCHANGED)
    assert (stamped.commit, stamped.changed) == (source.head, ())
    assert run(worktree, "rev-parse", "HEAD").strip() == source.head
    assert is_clean(worktree)


def test_a_stamped_commit_is_prepared_and_stamps_to_itself(source: Checkout, worktree: Path) -> None:
    stamped = stamp(source, source.head, worktree, MANIFEST, VERSIONS)
    assert stamp(source, stamped.commit, worktree, MANIFEST, VERSIONS).commit == stamped.commit


def test_a_pre_release_is_spelled_in_each_file_as_its_tool_does(source: Checkout, worktree: Path) -> None:
    candidate = dict.fromkeys(VERSIONS, Version(0, 2, 0, "rc.1"))
    stamped = stamp(source, source.head, worktree, MANIFEST, candidate)
    assert '"0.2.0rc1"' in (worktree / "pyproject.toml").read_text()
    assert "(0.2.0.rc.1)" in (worktree / "Gemfile.lock").read_text()
    assert '"=0.2.0-rc.1"' in (worktree / "ext/Cargo.toml").read_text()
    tree = Tree.of(source, stamped.commit)
    assert tree_versions(tree.read, MANIFEST, "stamped") == candidate
    assert disagreements(tree, MANIFEST, candidate) == []


def test_a_worktree_is_used_again_with_its_build_output_and_nothing_else(source: Checkout, worktree: Path) -> None:
    stamp(source, source.head, worktree, MANIFEST, VERSIONS)
    write(worktree, {"target/built": "warm", "left-over": "x", "folder/left-over": "x", "VERSION": "7.7.7"})
    stamp(source, source.head, worktree, MANIFEST, UNCHANGED)
    assert (worktree / "target/built").read_text() == "warm"
    assert (worktree / "VERSION").read_text() == "0.1.0\n"
    assert is_clean(worktree)
    assert not (worktree / "left-over").exists()


@pytest.mark.parametrize("locked", [False, True], ids=["free", "locked"])
def test_a_registration_whose_folder_is_gone_is_repaired(source: Checkout, worktree: Path, locked: bool) -> None:
    first = stamp(source, source.head, worktree, MANIFEST, VERSIONS)
    shutil.rmtree(worktree)
    if locked:
        (source.path / ".git/worktrees/tree/locked").write_text("initializing")
    assert stamp(source, source.head, worktree, MANIFEST, VERSIONS) == first
    assert len(list((source.path / ".git/worktrees").iterdir())) == 1
    assert is_clean(worktree)


def _killed_while_git_made_it(worktree: Path, registration: Path) -> None:
    (registration / "locked").write_text("initializing")
    (registration / "HEAD").write_text("0" * 40 + "\n")
    (registration / "index").unlink()
    (worktree / "Cargo.toml").unlink()


def _killed_while_git_reset_it(worktree: Path, registration: Path) -> None:
    (registration / "index.lock").touch()
    (worktree / "Cargo.toml").write_text("half")


def _killed_while_it_was_discarded(worktree: Path, _registration: Path) -> None:
    for child in worktree.iterdir():
        if child.name != ".git":
            shutil.rmtree(child) if child.is_dir() else child.unlink()


def _registration_was_pruned(worktree: Path, registration: Path) -> None:
    shutil.rmtree(registration)
    (worktree / "left-over").touch()


@pytest.mark.parametrize(
    "killed",
    [
        _killed_while_git_made_it,
        _killed_while_git_reset_it,
        _killed_while_it_was_discarded,
        _registration_was_pruned,
    ],
)
def test_what_a_killed_run_left_is_replaced(source: Checkout, worktree: Path, killed: Any) -> None:
    first = stamp(source, source.head, worktree, MANIFEST, VERSIONS)
    whole = content(worktree)
    killed(worktree, source.path / ".git/worktrees/tree")
    assert stamp(source, source.head, worktree, MANIFEST, VERSIONS) == first
    assert content(worktree) == whole
    assert is_clean(worktree)
    assert not (worktree / "left-over").exists()


def test_a_copy_of_a_worktree_becomes_a_worktree_of_its_own(source: Checkout, worktree: Path, tmp_path: Path) -> None:
    first = stamp(source, source.head, worktree, MANIFEST, VERSIONS)
    shutil.copytree(worktree, tmp_path / "copy")
    stamp(source, source.head, tmp_path / "copy", MANIFEST, UNCHANGED)
    assert run(worktree, "rev-parse", "HEAD").strip() == first.commit
    assert is_clean(worktree)
    assert (tmp_path / "copy/VERSION").read_text() == "0.1.0\n"


def test_folders_that_hold_something_else_are_refused_and_kept(source: Checkout, tmp_path: Path) -> None:
    run(tmp_path, "clone", "--quiet", str(source.path), "clone")
    write(tmp_path / "other", {"file": "mine"})
    for folder in ("clone", "other", "other/file"):
        with pytest.raises(InputError, match="holds something else"):
            stamp(source, source.head, tmp_path / folder, MANIFEST, VERSIONS)
    assert (tmp_path / "other/file").read_text() == "mine"
    assert (tmp_path / "clone/VERSION").read_text() == "0.1.0\n"


def test_a_worktree_that_somebody_works_in_is_refused_and_kept(source: Checkout, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    run(source.path, "worktree", "add", "--quiet", "-b", "feature", str(theirs))
    write(theirs, {"VERSION": "work"})
    with pytest.raises(InputError, match=r"the branch feature .* name another folder"):
        stamp(source, source.head, theirs, MANIFEST, VERSIONS)
    assert (theirs / "VERSION").read_text() == "work"


def test_the_checkout_is_no_place_for_the_worktree_but_a_folder_that_it_ignores_is(source: Checkout) -> None:
    for folder in (source.path, source.path / "inside", source.path / "crates"):
        with pytest.raises(InputError, match="lies in the checkout"):
            stamp(source, source.head, folder, MANIFEST, VERSIONS)
    stamp(source, source.head, source.path / "target", MANIFEST, VERSIONS)
    assert (source.path / "target/VERSION").read_text() == "0.1.1\n"
    assert is_clean(source.path)


def test_a_linked_worktree_is_a_source_as_well_and_never_its_own_worktree(source: Checkout, tmp_path: Path) -> None:
    run(source.path, "worktree", "add", "--quiet", "--detach", str(tmp_path / "linked"))
    linked = Checkout.at(tmp_path / "linked")
    with pytest.raises(InputError, match="lies in the checkout"):
        stamp(linked, linked.head, linked.path, MANIFEST, VERSIONS)
    first = stamp(linked, linked.head, tmp_path / "tree", MANIFEST, VERSIONS)
    assert stamp(source, source.head, tmp_path / "tree", MANIFEST, VERSIONS) == first


def test_a_sparse_checkout_still_gives_a_whole_worktree(source: Checkout, worktree: Path) -> None:
    run(source.path, "sparse-checkout", "set", "crates")
    stamp(source, source.head, worktree, MANIFEST, VERSIONS)
    assert set(content(worktree)) == set(FILES)
    assert is_clean(worktree)


def test_an_executable_stays_one_and_a_link_is_not_written_through(source: Checkout, worktree: Path) -> None:
    (source.path / "version.rb").chmod(0o755)
    (source.path / "sub").mkdir()
    (source.path / "sub/Cargo.toml").symlink_to("../crates/cli/Cargo.toml")
    run(source.path, "add", "--all")
    run(source.path, "commit", "--quiet", "--message=second")
    stamped = stamp(source, source.head, worktree, MANIFEST, VERSIONS)
    assert stamped.changed == CHANGED
    assert os.access(worktree / "version.rb", os.X_OK)
    assert (worktree / "sub/Cargo.toml").is_symlink()

    with pytest.raises(InputError, match=r"sub/Cargo\.toml: no such file among the committed ones"):
        rewrites(Tree.of(source, "HEAD"), a_manifest(npm=[toml("sub/Cargo.toml")]), VERSIONS)


def test_a_carrier_that_cannot_be_stamped_stops_before_the_worktree_is_touched(
    source: Checkout, worktree: Path
) -> None:
    for carriers in ([{"path": "nowhere", "kind": "text"}], [toml("pyproject.toml", "project.versions")]):
        with pytest.raises(InputError, match=r"nowhere: no such file|pyproject.toml: no string at project.versions"):
            stamp(source, source.head, worktree, a_manifest(npm=carriers), VERSIONS)
    assert not worktree.exists()


def test_a_crate_whose_version_no_carrier_sets_is_named(source: Checkout) -> None:
    forgotten = a_manifest(core=[{"path": "VERSION", "kind": "text"}, toml("Cargo.toml", "workspace.package.version")])
    with pytest.raises(InputError, match="crate tasker-cli: no carrier of core sets its version; add crates/cli/Cargo"):
        rewrites(Tree.of(source, "HEAD"), forgotten, VERSIONS)
    assert "tasker-cli" in disagreements(Tree.of(source, "HEAD"), forgotten, UNCHANGED)[0]


def test_two_carriers_of_one_package_with_different_versions_are_an_error(source: Checkout) -> None:
    twice = a_manifest(npm=[toml("crates/cli/Cargo.toml")])
    with pytest.raises(InputError, match=r"would give tasker-cli the version 0\.1\.0, another carrier 0\.1\.1"):
        rewrites(Tree.of(source, "HEAD"), twice, VERSIONS)


def test_a_component_without_a_version_and_a_commit_that_is_not_there_are_errors(
    source: Checkout, worktree: Path
) -> None:
    with pytest.raises(InputError, match="component npm: no version given"):
        stamp(source, source.head, worktree, MANIFEST, {k: v for k, v in VERSIONS.items() if k != "npm"})
    with pytest.raises(InputError, match="commit v9: not in"):
        stamp(source, "v9", worktree, MANIFEST, VERSIONS)


def test_disagreements_name_file_value_and_what_was_expected(source: Checkout) -> None:
    said = disagreements(Tree.of(source, "HEAD"), MANIFEST, VERSIONS)
    for sentence in (
        "VERSION: the version is 0.1.0, expected 0.1.1",
        "Cargo.toml: workspace.package.version is 0.1.0, expected 0.1.1",
        "version.rb: CORE_VERSION is 0.1.0, expected 0.1.1",
        "uv.lock: tasker-py is 0.1.0, expected 0.1.1",
        "ext/Cargo.toml: requires tasker-shared =0.1.0, expected =0.1.1",
        "crates/cli/Cargo.toml: requires tasker-core =0.1.0, expected =0.1.1",
        "Cargo.lock: the entry tasker-shared is 0.1.0, expected 0.1.1",
        "Cargo.lock: the entry tasker-rb is 0.1.0, expected 0.1.1",
    ):
        assert sentence in said
    assert not any("package.json" in sentence or "itoa" in sentence for sentence in said)
    assert disagreements(Tree.of(source, "HEAD"), MANIFEST, UNCHANGED) == []


def test_a_trees_versions_are_those_of_the_first_carriers(source: Checkout) -> None:
    assert tree_versions(lambda path: source.show("HEAD", path), MANIFEST, "HEAD") == UNCHANGED


def test_an_old_tree_that_lacks_a_component_is_an_error_or_gives_the_others(source: Checkout) -> None:
    run(source.path, "rm", "--quiet", "package.json")
    run(source.path, "commit", "--quiet", "--message=without npm")
    read = Tree.of(source, "HEAD").read
    with pytest.raises(InputError, match=r"HEAD:package.json: no such file"):
        tree_versions(read, MANIFEST, "HEAD")
    assert set(tree_versions(read, MANIFEST, "HEAD", partial=True)) == {"core", "ruby", "python"}


def test_the_stamped_cargo_files_are_still_toml(source: Checkout) -> None:
    for path, text in rewrites(Tree.of(source, "HEAD"), MANIFEST, VERSIONS).items():
        if path.endswith(("Cargo.toml", "Cargo.lock", "uv.lock")):
            tomllib.loads(text)


@pytest.fixture
def example(tmp_path: Path) -> Checkout:
    script = Path(__file__).parents[2] / "examples/repository.py"
    subprocess.run([sys.executable, script, tmp_path / "example"], check=True, capture_output=True)
    return Checkout.at(tmp_path / "example")


def test_no_version_of_the_example_workspace_is_left_behind_by_the_packaged_manifest(
    example: Checkout, worktree: Path
) -> None:
    manifest = load("tasker")
    versions = dict.fromkeys(manifest.components, Version(7, 6, 5))
    stamped = stamp(example, "HEAD", worktree, manifest, versions)
    assert disagreements(Tree.of(example, stamped.commit), manifest, versions) == []
    assert run(worktree, "grep", "--name-only", "--fixed-strings", "7.6.5").splitlines() == list(stamped.changed)
    # The old version is left in tests and texts at most, never in what is built or locked as ours.
    built = ("*Cargo.toml", "*.rb", "*.gemspec", "*pyproject.toml", "*package.json")
    for path in run(worktree, "ls-files", *built).split():
        assert "0.1.0" not in (worktree / path).read_text(), path
    entries = cargo_entries((worktree / "Cargo.lock").read_text())
    assert set(entries.values()) == {"7.6.5"}


@pytest.mark.toolchain
def test_cargo_and_bundler_accept_the_stamped_lockfiles_as_they_are(example: Checkout, worktree: Path) -> None:
    manifest = load("tasker")
    for core in (Version(0, 1, 1), Version(0, 1, 0), Version(0, 2, 0, "rc.1")):
        versions = {**dict.fromkeys(manifest.components, Version(0, 1, 1)), "core": core}
        stamp(example, "HEAD", worktree, manifest, versions)
        for folder, command in (
            (".", "cargo update --workspace --locked --offline"),
            (".", "cargo metadata --locked --offline --no-deps --format-version=1"),
            ("workers/ruby", "bundle lock --local"),
        ):
            subprocess.run(command.split(), cwd=worktree / folder, env=TOOLS, check=True, capture_output=True)
        assert is_clean(worktree)
