import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tasker_release_pipeline.release.bases import BEGINNING, Base, BaseKind
from tasker_release_pipeline.release.decisions import Facts, Published, decide
from tasker_release_pipeline.release.manifest import Manifest, load

from .building import (
    CLI,
    CLIENT,
    CRATES,
    ORCHESTRATION,
    PGMQ,
    PYTHON,
    RUBY,
    SHARED,
    TASKER,
    TYPESCRIPT,
    WORKER,
    all_facts,
    begun,
    decided,
    facts,
    published,
    released,
    version,
)

# --- the decisions that were made in real life ------------------------------------------------------------------------

REAL = Path(__file__).parents[3] / "shared" / "data" / "release-decisions.json"
NEW_LAYOUT = re.compile(r"crates/tasker-(rb|py|ts|shared|pgmq)/")


def _real_decisions() -> Iterable[Any]:
    if not REAL.is_file():
        reason = f"{REAL} is not there: it comes with the issue, not with the repository"
        return [pytest.param({}, "tasker", id="absent", marks=pytest.mark.skip(reason=reason))]
    cases = []
    for event in json.loads(REAL.read_text(encoding="utf-8"))["decisions"]:
        # The release that moved everything below crates/ shows both sides of each rename: both layouts see the change.
        moved = any(NEW_LAYOUT.match(path) for path in event["changed_paths"])
        cases += [
            pytest.param(event, name, id=f"{event['event']}-{event['date']}-{name}")
            for name in (("tasker", "tasker-ctl") if moved else ("tasker",))
        ]
    return cases


@pytest.mark.parametrize(("event", "name"), _real_decisions())
def test_a_decision_of_real_life_is_reproduced(event: dict[str, Any], name: str) -> None:
    manifest, paths, now = load(name), event["changed_paths"], event["current"]
    if event["base_ref"] is None:
        known = {component: begun(component, tree, paths, manifest=manifest) for component, tree in now.items()}
    else:
        base = Base(kind=BaseKind.RELEASE_TAG, ref=event["base_ref"], commit="b" * 40)
        known = {
            component: facts(component, tree=tree, at_base=tree, held=tree, changed=paths, base=base, manifest=manifest)
            for component, tree in now.items()
        }
    decisions = decide(manifest, known, f"release-{event['date']}")
    expected = dict(event["independent_policy"])
    if expected["core"] == now["core"]:
        expected["core"] = "unchanged"
    assert {name: d.version if d.publish else "unchanged" for name, d in decisions.items()} == expected
    assert {name: d.version for name, d in decisions.items() if not d.publish} == {
        component: now[component] for component, said in expected.items() if said == "unchanged"
    }


# --- which components -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [CLIENT, ORCHESTRATION, CLI])
def test_a_change_of_the_server_core_releases_all_crates_and_no_binding(path: str) -> None:
    assert released(decided(path)) == {"core": "0.1.9"}


@pytest.mark.parametrize("path", [PGMQ, SHARED, WORKER])
def test_a_change_of_the_ffi_core_releases_all_crates_and_every_binding(path: str) -> None:
    assert released(decided(path)) == dict.fromkeys(("core", "ruby", "python", "typescript"), "0.1.9")


@pytest.mark.parametrize(("path", "component"), [(RUBY, "ruby"), (PYTHON, "python"), (TYPESCRIPT, "typescript")])
def test_a_change_of_one_binding_releases_it_alone_at_its_own_next_patch(path: str, component: str) -> None:
    known = facts(component, tree="0.1.12", at_base="0.1.12", held="0.1.12", changed=[path])
    assert released(decided(path, **{component: known})) == {component: "0.1.13"}


def test_without_a_change_nothing_is_released_and_versions_stay() -> None:
    decisions = decided("README.md", "Cargo.lock")
    assert released(decisions) == {}
    assert {d.version for d in decisions.values()} == {"0.1.8"}
    assert {d.reasons for d in decisions.values()} == {("no change since v0.1.8",)}


def test_reasons_name_what_changed() -> None:
    decisions = decided(SHARED, CLI, RUBY, "workers/ruby/b.rb")
    assert decisions["core"].reasons == ("the FFI core changed", "the server core changed")
    assert decisions["ruby"].reasons == (f"rubygems/tasker-rb changed ({RUBY} and 1 more)", "the FFI core changed")


def test_each_component_is_judged_by_the_changes_since_its_own_base() -> None:
    # The FFI core changed since the last gem, and is published since: only the gem lacks it.
    ruby = facts("ruby", tree="0.1.7", at_base="0.1.7", held="0.1.7", changed=[SHARED])
    assert released(decided(ruby=ruby)) == {"ruby": "0.1.8"}


# --- which versions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("own", "expected"), [("0.1.5", "0.1.9"), ("0.1.8", "0.1.9"), ("0.1.12", "0.1.13")])
def test_with_the_ffi_core_a_binding_takes_the_larger_of_its_next_and_the_cores(own: str, expected: str) -> None:
    ruby = facts("ruby", tree=own, at_base=own, held=own, changed=[SHARED])
    assert decided(SHARED, ruby=ruby)["ruby"].version == expected


def test_without_the_ffi_core_a_binding_takes_its_own_next_patch_however_far_behind() -> None:
    ruby = facts("ruby", tree="0.1.5", at_base="0.1.5", held="0.1.5", changed=[RUBY, CLI])
    assert released(decided(RUBY, CLI, ruby=ruby)) == {"core": "0.1.9", "ruby": "0.1.6"}


def test_a_pre_release_of_the_core_is_larger_than_a_bindings_next_patch() -> None:
    core = facts("core", tree="0.2.0-rc.1", at_base="0.1.8", changed=[SHARED])
    assert decided(SHARED, core=core)["ruby"].version == "0.2.0-rc.1"


def test_the_next_version_is_after_the_published_one_where_the_tree_lags_behind() -> None:
    core = facts("core", tree="0.1.7", at_base="0.1.7", held="0.1.7 0.1.8", changed=[CLI])
    assert decided(CLI, core=core)["core"].version == "0.1.9"


def test_a_version_that_only_some_packages_have_is_used_up_for_an_unprepared_tree() -> None:
    core = facts("core", held=published("core", "0.1.8", tasker_pgmq="0.1.8 0.1.9"), changed=[CLI])
    assert decided(CLI, core=core)["core"].version == "0.1.10"


def test_a_published_pre_release_does_not_lift_the_next_patch() -> None:
    core = facts("core", held="0.1.8 0.2.0-rc.1", changed=[CLI])
    assert decided(CLI, core=core)["core"].version == "0.1.9"


def test_an_unchanged_component_stays_at_its_tree_though_a_pre_release_is_out() -> None:
    decision = decided(RUBY, core=facts("core", held="0.1.8 0.2.0-rc.1", changed=[RUBY]))["core"]
    assert (decision.publish, decision.version, decision.prepared) == (False, "0.1.8", True)


def test_an_unchanged_component_whose_tree_lags_behind_stays_at_what_is_published() -> None:
    decision = decided(core=facts("core", tree="0.1.7", at_base="0.1.7", held="0.1.8"))["core"]
    assert (decision.publish, decision.version, decision.prepared) == (False, "0.1.8", False)


# --- prepared trees ---------------------------------------------------------------------------------------------------


def test_a_prepared_tree_is_not_bumped_again() -> None:
    decision = decided(core=facts("core", tree="0.1.9", changed=[CLI]))["core"]
    assert (decision.publish, decision.version, decision.prepared) == (True, "0.1.9", True)


def test_a_tree_whose_version_is_that_of_its_base_is_bumped() -> None:
    decision = decided(CLI)["core"]
    assert (decision.version, decision.prepared, decision.tree) == ("0.1.9", False, "0.1.8")


def test_a_tree_whose_newer_version_is_all_out_is_bumped() -> None:
    core = facts("core", tree="0.1.9", held="0.1.8 0.1.9", changed=[CLI])
    assert decided(core=core)["core"].version == "0.1.10"


def test_prepared_is_decided_per_component() -> None:
    core = facts("core", tree="0.1.9", changed=[SHARED])
    ruby = facts("ruby", tree="0.3.0", changed=[SHARED])
    decisions = decided(SHARED, core=core, ruby=ruby)
    assert released(decisions) == {"core": "0.1.9", "ruby": "0.3.0", "python": "0.1.9", "typescript": "0.1.9"}
    assert {name: d.prepared for name, d in decisions.items()} == {
        "core": True, "ruby": True, "python": False, "typescript": False
    }  # fmt: skip


def test_without_a_base_a_tree_is_not_prepared() -> None:
    assert released(decided(core=begun("core", "0.1.0", [CLI]))) == {"core": "0.1.1"}


def test_a_first_release_whose_tag_names_the_trees_version_is_prepared() -> None:
    known = {name: begun(name, "0.1.0", [SHARED]) for name in TASKER.components}
    assert released(decided(release="v0.1.0", **known)) == dict.fromkeys(TASKER.components, "0.1.0")


def test_a_first_release_run_again_without_any_record_plans_the_same_again() -> None:
    base = begun("core", "0.1.0", []).base
    core = facts("core", tree="0.1.0", at_base=None, held="0.1.0", base=base, changed=[SHARED])
    assert released(decided(core=core, release="v0.1.0"))["core"] == "0.1.0"


# --- releases that ended half-way -------------------------------------------------------------------------------------

HALF_OUT = published("core", "0.1.8 0.1.9", tasker_cli="0.1.8")


@pytest.mark.parametrize("release", ["v0.1.9", "release-20260301"])
def test_where_one_crate_is_still_missing_the_same_version_is_continued(release: str) -> None:
    core = facts("core", tree="0.1.9", held=HALF_OUT, changed=[CLI])
    assert released(decided(core=core, release=release)) == {"core": "0.1.9"}


def test_a_tag_continues_where_a_crate_is_missing_though_its_base_had_the_same_version() -> None:
    # The base was tagged with the prepared tree, and never published.
    core = facts("core", tree="0.1.9", at_base="0.1.9", held=HALF_OUT, changed=[CLI])
    assert released(decided(core=core, release="v0.1.9")) == {"core": "0.1.9"}


def test_a_tag_publishes_its_trees_version_though_its_base_had_the_same() -> None:
    core = facts("core", tree="0.1.9", at_base="0.1.9", held="0.1.8", changed=[CLI])
    assert released(decided(core=core, release="v0.1.9")) == {"core": "0.1.9"}


def test_a_tagged_release_run_again_without_any_record_plans_the_same_again() -> None:
    known = {
        "core": facts("core", tree="0.1.9", held="0.1.8 0.1.9", changed=[SHARED]),
        "ruby": facts("ruby", tree="0.1.12", at_base="0.1.11", held="0.1.11 0.1.12", changed=[SHARED]),
        "python": facts("python", tree="0.1.9", held="0.1.8 0.1.9", changed=[SHARED]),
        "typescript": facts("typescript", tree="0.1.9", held="0.1.8", changed=[SHARED]),
    }
    assert released(decided(release="v0.1.9", **known)) == {
        "core": "0.1.9", "ruby": "0.1.12", "python": "0.1.9", "typescript": "0.1.9"
    }  # fmt: skip


def test_a_release_run_again_with_its_component_tags_publishes_what_is_missing_alone() -> None:
    own = Base(kind=BaseKind.COMPONENT_TAG, ref="core-v0.1.9", commit="9" * 40)
    known = {
        "core": facts("core", tree="0.1.9", at_base="0.1.9", held="0.1.9", base=own),
        "ruby": facts("ruby", tree="0.1.9", held="0.1.8", changed=[SHARED]),
        "python": facts("python", tree="0.1.9", at_base="0.1.9", held="0.1.9", base=own),
        "typescript": facts("typescript", tree="0.1.9", at_base="0.1.9", held="0.1.9", base=own),
    }
    assert released(decided(release="v0.1.9", **known)) == {"ruby": "0.1.9"}


def test_an_old_release_run_again_is_not_lifted_to_what_came_after() -> None:
    known = {
        "core": facts("core", tree="0.1.8", at_base="0.1.7", held="0.1.8 0.1.9", changed=[CLI]),
        "python": facts("python", tree="0.1.6", at_base="0.1.6", held="0.1.6 0.1.7", changed=[CLI]),
    }
    decisions = decided(release="v0.1.8", **known)
    assert released(decisions) == {"core": "0.1.8"}
    assert decisions["python"].version == "0.1.6"


@pytest.mark.parametrize("release", ["v0.1.9", "release-20260301"])
def test_a_version_that_was_tagged_and_never_published_is_not_lost(release: str) -> None:
    core = facts("core", tree="0.1.9", at_base="0.1.9", held="0.1.8")
    decision = decided(core=core, release=release)["core"]
    assert (decision.publish, decision.version, decision.prepared) == (True, "0.1.9", True)
    assert decision.reasons == (f"0.1.9 is not published yet ({', '.join(CRATES)})",)


def test_a_crate_that_a_release_left_behind_is_not_lost() -> None:
    decision = decided(core=facts("core", tree="0.1.9", at_base="0.1.9", held=HALF_OUT))["core"]
    assert (decision.publish, decision.version) == (True, "0.1.9")
    assert decision.reasons == ("0.1.9 is not published yet (crates_io/tasker-cli)",)


def test_a_named_base_without_changes_releases_nothing_whatever_was_left_behind() -> None:
    named = Base(kind=BaseKind.FROM_REF, ref="HEAD", commit="b" * 40)
    assert released(decided(core=facts("core", tree="0.1.9", at_base="0.1.9", held="0.1.8", base=named))) == {}


def test_a_gem_that_is_out_while_its_crates_are_not_is_not_published_again() -> None:
    core = facts("core", tree="0.1.9", held="0.1.8", changed=[SHARED])
    own = Base(kind=BaseKind.COMPONENT_TAG, ref="ruby-v0.1.9", commit="9" * 40)
    ruby = facts("ruby", tree="0.1.9", at_base="0.1.9", held="0.1.9", base=own)
    assert released(decided(core=core, ruby=ruby, release="v0.1.9")) == {"core": "0.1.9"}


# --- new packages, and what is not known ------------------------------------------------------------------------------

NEWER = load("tasker-ctl")
NEW_CRATES = {"tasker_sdk": "", "tasker_mcp": ""}


def test_a_new_crate_does_not_hide_what_the_others_were_published_at() -> None:
    held = Published(packages=published("core", "0.1.7 0.1.8", manifest=NEWER, **NEW_CRATES))
    assert held.latest == version("0.1.8")
    assert held.complete == set()


def test_a_prepared_tree_with_a_new_crate_is_not_bumped_again() -> None:
    held = published("core", "0.1.8", manifest=NEWER, **NEW_CRATES)
    core = facts("core", tree="0.1.9", held=held, changed=["crates/tasker-sdk/src/lib.rs"], manifest=NEWER)
    assert released(decided(core=core, manifest=NEWER)) == {"core": "0.1.9"}


def test_a_component_of_which_nothing_was_published_has_no_last_version() -> None:
    held = Published(packages=published("core", ""))
    assert (held.latest, held.complete, held.taken, held.asked) == (None, set(), set(), True)


def test_the_last_version_is_the_last_that_every_package_has() -> None:
    held = Published(packages=HALF_OUT)
    assert held.latest == version("0.1.8")
    assert held.taken == {version("0.1.8"), version("0.1.9")}


def test_a_registry_that_could_not_be_asked_is_no_evidence_for_any_version() -> None:
    held = Published(packages=published("core", "0.1.8 0.1.9", tasker_cli=None))
    assert (held.latest, held.complete, held.asked) == (None, set(), False)
    assert held.taken == {version("0.1.8"), version("0.1.9")}


def test_what_is_unknown_is_neither_left_behind_nor_released_for_that() -> None:
    core = facts("core", held=published("core", "0.1.8", tasker_cli=None))
    assert released(decided(core=core)) == {}


def test_a_component_without_packages_has_no_versions() -> None:
    held = Published(packages={})
    assert (held.latest, held.complete, held.taken) == (None, set(), set())


def test_bindings_alone_need_no_core() -> None:
    rows = TASKER.model_dump()
    rows["packages"] = [row for row in rows["packages"] if row["component"] == "ruby"]
    rows["components"] = {"ruby": rows["components"]["ruby"]}
    manifest = Manifest.model_validate(rows)
    known: dict[str, Facts] = {"ruby": facts("ruby", changed=[RUBY], manifest=manifest)}
    assert released(decide(manifest, known, "v9.9.9")) == {"ruby": "0.1.9"}


def test_a_first_release_from_a_tagged_commit_is_published_as_it_is() -> None:
    """Otherwise every prepared first release would be bumped once more, and never go live."""
    first = {
        name: facts(name, tree="0.1.0", at_base=None, held="", base=BEGINNING, changed=[RUBY])
        for name in TASKER.components
    }
    assert decide(TASKER, first, "release-20260208-1828", tagged=True)["ruby"].version == "0.1.0"
    assert decide(TASKER, first, "release-20260208-1828")["ruby"].version == "0.1.1"


def test_a_tag_on_a_tree_of_published_versions_does_not_prepare_it() -> None:
    unprepared = all_facts(changed=[RUBY])
    assert decide(TASKER, unprepared, "release-20260208-1828", tagged=True)["ruby"].version == "0.1.9"


def test_a_strangers_package_of_the_same_name_does_not_lift_the_core() -> None:
    """crates.io's `tasker-cli` is at 2.2.1, and not ours."""
    held = {key: (version("0.1.7"), version("0.1.8")) for key in CRATES} | {"crates_io/tasker-cli": (version("2.2.1"),)}
    known = facts("core", tree="0.1.8", held=held, changed=[CLI])
    assert decide(TASKER, all_facts(core=known), "release-1")["core"].version == "0.1.9"


def test_a_bump_leaves_out_numbers_that_some_package_used_up() -> None:
    held = {key: (version("0.1.8"), version("0.1.9")) for key in CRATES} | {"crates_io/tasker-cli": (version("0.1.8"),)}
    known = facts("core", tree="0.1.8", held=held, changed=[CLI], base=BEGINNING)
    assert decide(TASKER, all_facts(core=known), "release-1")["core"].version == "0.1.10"
