"""The checks of the stamped source, on the example: each with what it refuses, and the healthy neighbour."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from semver import Version

from tasker_release_pipeline.checks.commits import nothing_but_commits, tag_on_this_commit
from tasker_release_pipeline.checks.formatting import formatted
from tasker_release_pipeline.checks.links import links_lead_inside
from tasker_release_pipeline.checks.lockfiles import lockfiles_current
from tasker_release_pipeline.checks.source_versions import versions_as_planned
from tasker_release_pipeline.checks.toolchains import toolchains_are_known
from tasker_release_pipeline.checks.workspace import manifest_matches_cargo
from tasker_release_pipeline.release.checks import Report
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import ToolError
from tasker_release_pipeline.release.git import Checkout
from tasker_release_pipeline.release.manifest import Manifest
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.release.settings import Mode
from tasker_release_pipeline.release.stamping import Tree, rewrites
from tasker_release_pipeline.toolchains.cargo_metadata import metadata
from tests.release.building import SHARED, TASKER, facts, planned

toolchain = pytest.mark.toolchain
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("example") / "tasker"
    script = ROOT / "examples" / "repository.py"
    subprocess.run([sys.executable, str(script), str(target)], check=True, capture_output=True)
    return target


@pytest.fixture
def source(example: Path, tmp_path: Path) -> Path:
    """A clone of the example, stamped for 0.1.1."""
    folder = tmp_path / "tasker"
    git(tmp_path, "clone", "--quiet", str(example), str(folder))
    versions = dict.fromkeys(TASKER.components, Version.parse("0.1.1"))
    for path, text in rewrites(tree(folder), TASKER, versions).items():
        (folder / path).write_text(text)
    return commit(folder)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "source_tree.log"


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "commit.gpgsign=false"]
    return subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def commit(source: Path) -> Path:
    git(source, "add", "--all")
    git(source, "commit", "--quiet", "--message", "Change")
    return source


def put(source: Path, path: str, text: str, *, instead_of: str = "") -> None:
    """Write `text` where `instead_of` stands, or at the file's end, and commit."""
    file = source / path
    file.parent.mkdir(parents=True, exist_ok=True)
    before = file.read_text() if file.exists() else ""
    assert instead_of in before
    file.write_text(before.replace(instead_of, text, 1) if instead_of else before + text)
    commit(source)


def tree(source: Path, at: str = "HEAD") -> Tree:
    return Tree.of(Checkout.at(source), at)


def plan() -> Plan:
    """Everything at 0.1.1, from 0.1.0."""
    return planned(
        **{n: facts(n, tree="0.1.0", at_base="0.1.0", held="0.1.0", changed=[SHARED]) for n in TASKER.components}
    )


def said(report: Report) -> list[tuple[str, str]]:
    return [(finding.severity.value, finding.message) for finding in report.findings]


# --- formatting -------------------------------------------------------------------------------------------------------


@toolchain
def test_files_that_are_not_formatted_are_named(source: Path, log: Path) -> None:
    assert formatted(source, logfile=log).findings == ()
    put(source, "tasker-cli/src/lib.rs", "fn  wide( ) {}\n")
    put(source, "workers/python/src/lib.rs", "fn  wide( ) {}\n")
    ((severity, message),) = said(formatted(source, logfile=log))
    assert severity == "error"
    assert message.startswith("tasker-cli/src/lib.rs, workers/python/src/lib.rs: not formatted; run `cargo fmt --all`")


@toolchain
def test_code_that_rustfmt_can_not_read_is_no_pass(source: Path, log: Path) -> None:
    put(source, "tasker-cli/src/lib.rs", "fn (\n")
    with pytest.raises(ToolError, match="unclosed delimiter"):
        formatted(source, logfile=log)


# --- versions ---------------------------------------------------------------------------------------------------------


@toolchain
def test_what_every_tool_reads_is_compared_with_the_plan(source: Path, log: Path) -> None:
    report = versions_as_planned(TASKER, plan(), tree(source), source, logfile=log)
    assert report.findings == ()
    assert report.evidence["rubygems/tasker-rb"] == "0.1.1 (workers/ruby/tasker-rb.gemspec)"
    assert len(report.evidence) == 9


@toolchain
def test_a_gemspec_and_a_member_that_stamping_does_not_reach_are_named(source: Path, log: Path) -> None:
    put(source, "workers/ruby/tasker-rb.gemspec", '"0.1.0"', instead_of="TaskerCore::VERSION")
    put(source, "Cargo.toml", '  "tasker-cli",\n  "extra",\n', instead_of='  "tasker-cli",\n')
    put(source, "extra/Cargo.toml", '[package]\nname = "extra"\nversion = "0.1.0"\n')
    put(source, "extra/src/lib.rs", "\n")
    report = versions_as_planned(TASKER, plan(), tree(source), source, logfile=log)
    (gem, wrong), (left, behind) = said(report)
    assert (gem, left) == ("error", "warning")
    assert wrong.startswith("workers/ruby/tasker-rb.gemspec: tasker-rb is built as 0.1.0, expected 0.1.1")
    assert behind.startswith("extra/Cargo.toml: extra still has the version 0.1.0")


@toolchain
def test_carriers_pins_and_lockfile_entries_that_say_another_version_are_named(source: Path, log: Path) -> None:
    put(source, "VERSION", "0.1.0", instead_of="0.1.1")
    put(source, "workers/ruby/Gemfile.lock", "(0.1.0)", instead_of="(0.1.1)")
    put(source, "workers/ruby/ext/tasker_core/Cargo.toml", '"=0.1.0"', instead_of='"=0.1.1"')
    messages = [message for _, message in said(versions_as_planned(TASKER, plan(), tree(source), source, logfile=log))]
    assert "VERSION: the version is 0.1.0, expected 0.1.1" in messages
    assert "workers/ruby/Gemfile.lock: tasker-rb is 0.1.0, expected 0.1.1" in messages
    assert "workers/ruby/ext/tasker_core/Cargo.toml: requires tasker-shared =0.1.0, expected =0.1.1" in messages


# --- lockfiles --------------------------------------------------------------------------------------------------------

STALE = {
    "Cargo.lock": ("tasker-cli/Cargo.toml", "[dependencies]\n", '[dependencies]\nryu = "1"\n', "cargo update"),
    "workers/ruby/Gemfile.lock": ("workers/ruby/Gemfile", "", 'gem "json", ">= 2"\n', "json (>= 2)"),
    "workers/python/uv.lock": (
        "workers/python/pyproject.toml",
        'license = "MIT"\n',
        'license = "MIT"\ndependencies = ["packaging>=24"]\n',
        "uv lock",
    ),
    "workers/typescript/bun.lock": (
        "workers/typescript/package.json",
        '"tsup": ',
        '"picocolors": "1.1.0",\n    "tsup": ',
        "picocolors was added",
    ),
}


def locked(source: Path, log: Path, before: str = "HEAD~1") -> list[tuple[str, str]]:
    return said(lockfiles_current(TASKER, tree(source, before), tree(source), source, logfile=log))


@toolchain
def test_lockfiles_that_only_stamping_changed_are_current(source: Path, log: Path) -> None:
    assert locked(source, log) == []
    assert git(source, "status", "--porcelain") == ""


@toolchain
def test_every_lockfile_that_is_out_of_date_is_named_with_what_brings_it_up_to_date(source: Path, log: Path) -> None:
    for file, old, new, _ in STALE.values():
        put(source, file, new, instead_of=old)
    found = {message.split(":")[0]: message for _, message in locked(source, log)}
    assert set(found) == set(STALE)
    for lockfile, (*_, words) in STALE.items():
        assert f"{lockfile}: a frozen install fails: " in found[lockfile]
        assert words in found[lockfile]
    assert git(source, "status", "--porcelain") == "", "asking changes nothing"


@toolchain
def test_a_third_party_that_changed_with_the_versions_is_named(source: Path, log: Path) -> None:
    lock = (source / "Cargo.lock").read_text()
    current = lock.split('name = "itoa"\nversion = "')[1].split('"')[0]
    put(source, "Cargo.lock", '"itoa"\nversion = "1.0.1"', instead_of=f'"itoa"\nversion = "{current}"')
    messages = [message for _, message in locked(source, log)]
    changed = f"Cargo.lock: stamping changed more than own entries: itoa 1.0.1, itoa {current}"
    assert any(message.startswith(changed) for message in messages), messages


@toolchain
def test_a_cargo_lock_that_is_not_committed_is_missed(source: Path, log: Path) -> None:
    git(source, "rm", "--quiet", "Cargo.lock")
    commit(source)
    assert any(message.startswith("Cargo.lock: is not committed") for _, message in locked(source, log))


# --- the manifest -----------------------------------------------------------------------------------------------------


@toolchain
def test_a_publishable_crate_that_the_manifest_does_not_know_is_a_warning(source: Path) -> None:
    assert manifest_matches_cargo(TASKER, metadata(source)).findings == ()
    put(source, "Cargo.toml", '  "tasker-cli",\n  "extra",\n', instead_of='  "tasker-cli",\n')
    put(source, "extra/Cargo.toml", '[package]\nname = "extra"\nversion = "0.1.0"\n')
    put(source, "extra/src/lib.rs", "\n")
    ((severity, message),) = said(manifest_matches_cargo(TASKER, metadata(source)))
    assert severity == "warning"
    assert message.startswith("extra/Cargo.toml: extra could be published")
    put(source, "extra/Cargo.toml", "publish = false\n")
    assert manifest_matches_cargo(TASKER, metadata(source)).findings == ()


@toolchain
def test_a_renamed_crate_is_an_error(source: Path) -> None:
    put(source, "tasker-cli/Cargo.toml", 'name = "tasker-ctl"', instead_of='name = "tasker-cli"')
    put(source, "Cargo.toml", "tasker-ctl = { path", instead_of="tasker-cli = { path")
    messages = [
        message for severity, message in said(manifest_matches_cargo(TASKER, metadata(source))) if severity == "error"
    ]
    assert any("tasker-cli is no member of the cargo workspace (tasker-cli holds tasker-ctl)" in m for m in messages)


# --- commits ----------------------------------------------------------------------------------------------------------


def test_a_tree_that_differs_from_its_commit_is_refused(source: Path) -> None:
    assert nothing_but_commits(TASKER, source).findings == ()
    (source / "VERSION").write_text("0.1.2\n")
    (source / "tasker-cli" / "new.rs").write_text("\n")
    ((severity, message),) = said(nothing_but_commits(TASKER, source))
    assert severity == "error"
    assert message.startswith("VERSION, tasker-cli/new.rs: differs from the commit")


def test_a_build_command_that_allows_a_changed_tree_is_refused(source: Path) -> None:
    row = TASKER.model_dump(mode="json")
    row["registries"]["crates_io"]["build"]["commands"][0]["run"].append("--allow-dirty")
    ((severity, message),) = said(nothing_but_commits(Manifest.model_validate(row), source))
    assert severity == "error"
    assert "[registries.crates_io.build]" in message
    assert "--allow-dirty proves a tree that the publish would refuse" in message


def test_a_tag_that_left_the_planned_commit_is_refused() -> None:
    at = plan()
    here, away, release = at.commit, "d" * 40, at.release
    for mode in Mode:
        assert said(tag_on_this_commit(at, here, {release: here}, mode)) == []
        ((severity, message),) = said(tag_on_this_commit(at, here, {release: away}, mode))
        assert severity == "error"
        assert f"stands on {away[:12]}, the release was planned on {here[:12]}" in message


def test_only_a_live_release_needs_its_tag_on_the_very_commit_that_is_built() -> None:
    at = plan()
    tagged, stamped = {at.release: at.commit}, "e" * 40
    assert said(tag_on_this_commit(at, stamped, {}, Mode.DRY_RUN)) == []
    assert said(tag_on_this_commit(at, stamped, tagged, Mode.REHEARSAL)) == []
    assert "is not there any more" in said(tag_on_this_commit(at, at.commit, {}, Mode.LIVE))[0][1]
    assert "tasker-release prepare" in said(tag_on_this_commit(at, stamped, tagged, Mode.LIVE))[0][1]


# --- toolchains -------------------------------------------------------------------------------------------------------


@toolchain
def test_toolchains_are_recorded_and_a_pin_of_another_version_is_a_warning(source: Path) -> None:
    report = toolchains_are_known(TASKER, RegistryName, source)
    assert report.findings == ()
    assert set(report.evidence) == {"rustc", "ruby", "python3", "node", "bun"}
    assert report.evidence["ruby"].endswith("not pinned")
    assert "pinned to >=20 by workers/typescript/package.json" in report.evidence["node"]
    ruby = report.evidence["ruby"].split(",")[0]
    put(source, "workers/ruby/.ruby-version", f"ruby-{ruby}\n")
    assert toolchains_are_known(TASKER, RegistryName, source).findings == ()
    put(source, ".ruby-version", "9.9\n")
    ((severity, message),) = said(toolchains_are_known(TASKER, RegistryName, source))
    assert severity == "warning"
    assert message.startswith(f".ruby-version: pins ruby to 9.9, this machine builds with {ruby}")


@toolchain
def test_a_tool_that_is_neither_pinned_nor_tells_its_version_is_a_warning(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = tmp_path / "bin" / "ruby"
    silent.parent.mkdir()
    silent.write_text("#!/bin/sh\nexit 1\n")
    silent.chmod(0o755)
    monkeypatch.setenv("PATH", f"{silent.parent}{os.pathsep}{os.environ['PATH']}")
    ((severity, message),) = said(toolchains_are_known(TASKER, [RegistryName.RUBYGEMS], source))
    assert severity == "warning"
    assert message.startswith("ruby: neither pinned by the source nor telling its version")


# --- links ------------------------------------------------------------------------------------------------------------


def link(source: Path, path: str, target: str) -> None:
    (source / path).parent.mkdir(parents=True, exist_ok=True)
    (source / path).symlink_to(target)
    commit(source)


@toolchain
def test_a_link_that_dangles_in_a_crate_is_refused_unless_it_is_not_packed(source: Path, log: Path) -> None:
    link(source, "tasker-client/tests/answer.json", "recorded/answer.json")
    ((severity, message),) = said(links_lead_inside(TASKER, source, logfile=log))
    assert severity == "error"
    assert message.startswith("tasker-client/tests/answer.json: a link to recorded/answer.json, which is not there")
    put(source, "tasker-client/Cargo.toml", '[package]\nexclude = ["tests/answer.json"]\n', instead_of="[package]\n")
    assert links_lead_inside(TASKER, source, logfile=log).findings == ()


def test_a_link_that_leads_out_of_the_checkout_is_refused(source: Path, log: Path) -> None:
    link(source, "tasker-client/hosts", "/etc/hosts")
    ((severity, message),) = said(links_lead_inside(TASKER, source, logfile=log))
    assert severity == "error"
    assert message.startswith("tasker-client/hosts: a link to /etc/hosts, outside of the checkout")


def test_a_link_to_a_neighbour_is_fine_where_packing_follows_it(source: Path, log: Path) -> None:
    link(source, "tasker-client/NOTICE", "../LICENSE")
    link(source, "workers/python/NOTICE", "../../LICENSE")
    link(source, "workers/ruby/lib/again.rb", "tasker_core.rb")
    assert links_lead_inside(TASKER, source, logfile=log).findings == ()
    link(source, "workers/ruby/NOTICE", "../../LICENSE")
    link(source, "workers/typescript/NOTICE", "../../LICENSE")
    (gem, refused), (npm, left_out) = said(links_lead_inside(TASKER, source, logfile=log))
    assert (gem, npm) == ("error", "warning")
    assert refused.startswith(
        "workers/ruby/NOTICE: a link to ../../LICENSE, outside of the package: the gem would hold"
    )
    assert "npm leaves links out of the tarball" in left_out


def test_links_outside_of_all_packages_and_circles_elsewhere_are_no_finding(source: Path, log: Path) -> None:
    link(source, "tests/circle", "circle")
    assert links_lead_inside(TASKER, source, logfile=log).findings == ()
