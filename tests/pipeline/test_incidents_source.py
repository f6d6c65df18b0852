"""What went wrong in real life, of source, plan and names: each is refused before the first upload, by the right check.

No check hides another: one workspace is broken in every way at once and run to the gate once, as a rehearsal, and each
test looks at its own incident. Another workspace has all the healthy neighbours, and passes.
"""

import json
import subprocess
from pathlib import Path

import pytest

from tasker_release_pipeline.loopback.fault_words import parse_faults
from tasker_release_pipeline.loopback.orders import order
from tasker_release_pipeline.loopback.seed import seed_owner
from tasker_release_pipeline.release.catalogue import checks_of
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.release.summary import plan_table
from tests.pipeline import worlds
from tests.pipeline.conftest import Pipeline, example, git, once

pytestmark = pytest.mark.toolchain
BROKEN, HEALTHY = "rehearsal-broken", "rehearsal-healthy"

MUTATIONS = {
    # 2: the gem takes its version from nowhere
    "workers/ruby/tasker-rb.gemspec": ("spec.version = TaskerCore::VERSION", 'spec.version = "0.1.0"'),
    # 4: three lockfiles that lack what is needed
    "tasker-cli/Cargo.toml": ("[dependencies]\n", '[dependencies]\nryu = "1"\n'),
    "workers/ruby/Gemfile": ("", 'gem "json", ">= 2"\n'),
    "workers/python/pyproject.toml": ('license = "MIT"\n', 'license = "MIT"\ndependencies = ["packaging>=24"]\n'),
    # formatting
    "tasker-pgmq/src/lib.rs": ("", "fn   wide( ) {}\n"),
    # 19: a crate that nobody told the manifest of
    "Cargo.toml": ('  "tasker-cli",\n', '  "tasker-cli",\n  "tasker-extra",\n'),
    "tasker-extra/Cargo.toml": ("", '[package]\nname = "tasker-extra"\nversion = "0.1.0"\nedition = "2021"\n'),
    "tasker-extra/src/lib.rs": ("", ""),
    # a toolchain that this machine has not
    "workers/ruby/.ruby-version": ("", "9.9.9\n"),
}


@pytest.fixture(scope="session")
def broken(shared: Path) -> Pipeline:
    """Prepared at 0.1.1, broken in every way, and run to the gate; the registries before and after."""
    world = Pipeline(shared / "broken-plan", shared / "broken-plan-source")
    with once(shared, "broken-plan") as needed:
        if needed:
            example(world.source)
            worlds.prepare(world.source, "0.1.1")
            (world.source / "tasker-client" / "tests" / "answer.json").symlink_to("recorded/answer.json")
            (world.source / "workers" / "ruby" / "lib" / "hosts.rb").symlink_to("/etc/hosts")
            worlds.mutate(world.source, MUTATIONS)
            git(world.source, "tag", "v0.1.1")
            root = world.registries
            for name in set(worlds.CRATES) - {"tasker-cli"}:
                worlds.crate(root, name, "0.1.0")
            worlds.crate(root, "tasker-cli", "2.2.1")
            seed_owner(root, RegistryName.CRATES_IO, "tasker-cli", "somebody")
            worlds.wheel(root, "0.1.0")
            worlds.wheel(root, "0.1.1.0")
            worlds.npm(root, "0.1.0", alpha="0.1.0")
            worlds.npm(root, "0.1.1", alpha="0.1.1")
            worlds.gem(root, "0.1.0")
            for fault in parse_faults("rubygems:index:503:always"):
                order(root, fault)
            before = world.published()
            own = worlds.manifest(
                world.folder,
                {
                    '"cargo", "package", "{packages}", "--locked"': (
                        '"cargo", "package", "{packages}", "--locked", "--allow-dirty"'
                    ),
                    'zero = "alpha"': 'zero = "latest"',
                },
            )
            ended = world.execute("release", BROKEN, manifest=own, on_duplicate="skip")
            (world.folder / "ended.txt").write_text(ended.output)
            assert ended.status == 1, ended.output[-6000:]
            (world.folder / "before.json").write_text(json.dumps(before))
    return world


def found(world: Pipeline, release: str, check: str) -> list[tuple[str, str]]:
    """Severity and message of all that a check (`asset.name`) found, which the gate has to have heard of."""
    result = world.read(release, f"checks/{check}.json")
    said = [(finding["severity"], finding["message"]) for finding in result["findings"]]
    heard = [finding["message"] for finding in world.read(release, "gate.json")["findings"]]
    asset, name = check.split(".")
    for _, message in said:
        assert f"{asset}: {name}: {message}" in heard
    return said


def refused(world: Pipeline, check: str, *words: str, severity: str = "error") -> None:
    """One finding of this check has this severity and all these words."""
    said = found(world, BROKEN, check)
    assert [message for kind, message in said if kind == severity and all(word in message for word in words)], said


def test_a_broken_release_is_refused_and_its_registries_receive_nothing(broken: Pipeline) -> None:
    assert broken.read(BROKEN, "gate.json")["verdict"] == "no-go"
    assert broken.published() == json.loads((broken.folder / "before.json").read_text())
    summary = broken.summary(BROKEN)
    for file in ("tasker-pgmq/src/lib.rs", "workers/ruby/tasker-rb.gemspec", "Cargo.lock", "workers/python/uv.lock"):
        assert file in summary


def test_2_a_gem_that_takes_its_version_from_elsewhere(broken: Pipeline) -> None:
    refused(broken, "source_tree.versions_as_planned", "workers/ruby/tasker-rb.gemspec", "0.1.0", "expected 0.1.1")


def test_3_a_build_command_that_takes_a_changed_tree(broken: Pipeline) -> None:
    refused(broken, "source_tree.nothing_but_commits", "registries.crates_io.build", "--allow-dirty", "take it out")


@pytest.mark.parametrize(
    ("file", "needs"),
    [
        ("Cargo.lock", "`cargo update --workspace`"),
        ("workers/ruby/Gemfile.lock", "json (>= 2)"),
        ("workers/python/uv.lock", "`uv lock`"),
    ],
)
def test_4_a_lockfile_that_is_out_of_date(broken: Pipeline, file: str, needs: str) -> None:
    refused(broken, "source_tree.lockfiles_current", f"{file}: a frozen install fails", needs)


def test_5_a_link_that_dangles_and_one_that_leads_outside(broken: Pipeline) -> None:
    refused(broken, "source_tree.links_lead_inside", "tasker-client/tests/answer.json", "tasker-client stops at it")
    refused(
        broken, "source_tree.links_lead_inside", "workers/ruby/lib/hosts.rb", "/etc/hosts", "outside of the checkout"
    )


def test_7_a_crates_name_that_belongs_to_a_stranger(broken: Pipeline) -> None:
    refused(broken, "release_plan.names_are_ours", "crates_io/tasker-cli", "belongs to somebody", "owners = [...]")
    messages = [message for _, message in found(broken, BROKEN, "release_plan.names_are_ours")]
    assert not any("tasker-pgmq" in message for message in messages)


def test_8_a_version_that_a_registry_takes_for_a_published_one(broken: Pipeline) -> None:
    refused(broken, "release_plan.versions_are_free", "pypi/tasker-py", "0.1.1.0", "raise the version of python")


def test_12_a_version_before_1_0_0_that_goes_to_latest(broken: Pipeline) -> None:
    words = ("npm/tasker", "`latest` would move from 0.1.0 to 0.1.1", "dist_tags")
    refused(broken, "release_plan.dist_tags_are_kept", *words, severity="warning")


def test_14_a_version_that_is_taken_by_other_content_even_where_duplicates_are_skipped(broken: Pipeline) -> None:
    against = [f["message"] for f in broken.read(BROKEN, "gate.json")["findings"] if f["severity"] == "error"]
    (taken,) = [message for message in against if "other content is published on npm" in message]
    assert "@tasker-systems/tasker 0.1.1" in taken
    assert taken.count("sha512-") == 2
    assert "raise the version" in taken


def test_16_a_registry_that_does_not_answer_is_unknown_and_said_once(broken: Pipeline) -> None:
    refused(broken, "release_plan.registries_answered", "rubygems/tasker-rb: unknown what is published", "503")
    against = [finding["message"] for finding in broken.read(BROKEN, "gate.json")["findings"]]
    assert len([message for message in against if "unknown what is published" in message]) == 1


def test_19_a_crate_that_the_manifest_does_not_know(broken: Pipeline) -> None:
    words = ("tasker-extra/Cargo.toml", "publish = false")
    refused(broken, "source_tree.manifest_matches_cargo", *words, severity="warning")


def test_code_that_is_not_formatted(broken: Pipeline) -> None:
    refused(broken, "source_tree.formatted", "tasker-pgmq/src/lib.rs", "cargo fmt --all")


def test_a_toolchain_that_is_pinned_and_not_at_hand(broken: Pipeline) -> None:
    words = ("workers/ruby/.ruby-version", "9.9.9", "this machine builds with")
    refused(broken, "source_tree.toolchains_are_known", *words, severity="warning")


@pytest.mark.slow
def test_a_dry_run_refuses_the_same_and_takes_a_silent_registry_for_a_warning(broken: Pipeline) -> None:
    before = broken.published()
    dry = "rehearsal-broken-dry"
    ended = broken.execute("release", dry, manifest=str(broken.folder / "mine.toml"), on_duplicate="skip", dry_run=True)
    assert ended.status == 1
    assert broken.read(dry, "gate.json")["verdict"] == "no-go"
    assert broken.published() == before
    for path in sorted((broken.store / BROKEN / "checks").glob("*.json")):
        check = path.stem
        if check.startswith(("release_plan.", "source_tree.")) and check != "release_plan.registries_answered":
            assert found(broken, dry, check) == found(broken, BROKEN, check)
    ((severity, message),) = found(broken, dry, "release_plan.registries_answered")
    assert severity == "warning"
    assert "rubygems/tasker-rb: unknown what is published" in message


# --- the healthy neighbours -------------------------------------------------------------------------------------------

NEIGHBOURS = {
    # 4: a third party more, and the lockfile with it
    "workers/ruby/Gemfile": ("", "# The gems that are needed here come with the system.\n"),
    # 5: a link that dangles, and is not packed
    "tasker-client/Cargo.toml": ("[package]\n", '[package]\nexclude = ["tests/answer.json"]\n'),
    # 19: a crate more that nobody publishes
    "Cargo.toml": ('  "tasker-cli",\n', '  "tasker-cli",\n  "tasker-extra",\n'),
    "tasker-extra/Cargo.toml": (
        "",
        '[package]\nname = "tasker-extra"\nversion = "0.0.0"\nedition = "2021"\npublish = false\n',
    ),
    "tasker-extra/src/lib.rs": ("", "//! Nobody publishes this.\n"),
}


@pytest.fixture(scope="session")
def healthy(shared: Path) -> Pipeline:
    """Everything is out at 0.1.0; since then it changed in healthy ways, and was tagged. A dry run, to the gate."""
    world = Pipeline(shared / "healthy-plan", shared / "healthy-plan-source")
    with once(shared, "healthy-plan") as needed:
        if needed:
            example(world.source)
            (world.source / "tasker-client" / "tests" / "answer.json").symlink_to("recorded/answer.json")
            (world.source / "tasker-client" / "tests" / "again.rs").symlink_to("requests.rs")
            ruby = subprocess.run(["ruby", "-e", "print RUBY_VERSION"], check=True, capture_output=True, text=True)
            worlds.mutate(world.source, {**NEIGHBOURS, "workers/ruby/.ruby-version": ("", f"{ruby.stdout}\n")})
            subprocess.run(
                ["cargo", "metadata", "--format-version=1", "--offline"],
                cwd=world.source,
                check=True,
                capture_output=True,
            )
            git(world.source, "commit", "--quiet", "--all", "--message", "Lock")
            git(world.source, "tag", "release-20260301-0300")
            worlds.everything(world.registries, "0.1.0")
            for fault in parse_faults("npm:index:503"):
                order(world.registries, fault)
            before = world.published()
            # What cargo compiled of third parties is kept there: the same as in the other releases of this session.
            warm = {"TASKER_RELEASE_WORK": str(shared / "first" / "work")}
            ended = world.execute("release", HEALTHY, warm, dry_run=True)
            (world.folder / "ended.txt").write_text(ended.output)
            assert ended.status == 0, ended.output[-6000:]
            assert world.published() == before
    return world


@pytest.mark.slow
def test_the_healthy_neighbours_pass_every_check_of_plan_and_source(healthy: Pipeline) -> None:
    assert healthy.read(HEALTHY, "gate.json")["verdict"] == "go"
    checks = sorted((healthy.store / HEALTHY / "checks").glob("*.json"))
    mine = [path.stem for path in checks if path.stem.startswith(("release_plan.", "source_tree."))]
    assert len(mine) == len(checks_of("release_plan")) + len(checks_of("source_tree"))
    assert {check: found(healthy, HEALTHY, check) for check in mine} == {check: [] for check in mine}


@pytest.mark.slow
def test_20_a_release_that_was_tagged_before_it_is_counted_from_the_release_before(healthy: Pipeline) -> None:
    plan = healthy.read(HEALTHY, "plan.json")
    assert {component["base"]["ref"] for component in plan["components"].values()} <= {
        "v0.1.0",
        "release-20260101-0900",
    }
    assert [package["version"] for package in plan["packages"] if package["publish"]] == ["0.1.1"] * 9


@pytest.mark.slow
def test_12_the_dist_tag_is_shown_and_stays_what_it_was(healthy: Pipeline) -> None:
    assert "| @tasker-systems/tasker |" in plan_table(Plan.model_validate(healthy.read(HEALTHY, "plan.json")))
    shown = healthy.read(HEALTHY, "checks/release_plan.dist_tags_are_kept.json")["evidence"]
    assert shown == {"npm/tasker": "0.1.1 goes to 'alpha'; now alpha is 0.1.0, latest is 0.1.0"}


@pytest.mark.slow
def test_every_warning_of_a_healthy_release_names_what_this_machine_lacks_or_a_person_decides(
    healthy: Pipeline,
) -> None:
    said = [finding["message"] for finding in healthy.read(HEALTHY, "gate.json")["findings"]]
    expected = (
        "is not at hand",
        "Cargo.toml changed: no package counts it as a change",
        "Cargo.lock changed: no package",
    )
    assert [message for message in said if not any(words in message for words in expected)] == []
