import re

import pytest

from tasker_release_pipeline.release.bases import Base, BaseKind
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.facts import gather_facts
from tasker_release_pipeline.release.plan import Plan, Severity
from tasker_release_pipeline.release.settings import OnDuplicate
from tasker_release_pipeline.release.stamping import Tree, rewrites
from tasker_release_pipeline.steps.run import ReleaseRun

from .building import CLI, CRATES, RUBY, SHARED, TASKER, Repository, begun, facts, planned, published, released, version
from .building import decided as decided_on

UNREACHABLE = {"crates_io/tasker-cli": "crates.io: no answer within 20 s"}


def test_crates_come_first_by_phase_then_bindings() -> None:
    assert tuple(package.key for package in planned(SHARED).packages) == TASKER.keys
    assert [package.phase for package in planned(SHARED).packages][:7] == [1, 2, 3, 3, 4, 4, None]


def test_a_plan_says_what_each_registry_gets() -> None:
    plan = planned(RUBY)
    assert [p.key for p in plan.packages if p.publish] == ["rubygems/tasker-rb"]
    assert [p.key for p in plan.of_registry(RegistryName.RUBYGEMS)] == ["rubygems/tasker-rb"]
    assert plan.of_registry(RegistryName.CRATES_IO) == ()
    assert plan.publishes
    assert plan.versions == {"core": version("0.1.8"), "ruby": version("0.1.9")} | dict.fromkeys(
        ("python", "typescript"), version("0.1.8")
    )
    assert not planned().publishes


def test_a_pre_release_is_written_as_each_registry_does_and_goes_to_its_dist_tag() -> None:
    known = {name: facts(name, tree="0.2.0-rc.1", changed=[SHARED]) for name in TASKER.components}
    plan = planned(release="v0.2.0-rc.1", **known)
    assert {p.registry.value: p.version for p in plan.packages} == {
        "crates_io": "0.2.0-rc.1",
        "rubygems": "0.2.0.rc.1",
        "pypi": "0.2.0rc1",
        "npm": "0.2.0-rc.1",
    }
    assert plan.package("npm/tasker").dist_tag == "alpha"
    assert plan.package("crates_io/tasker-cli").dist_tag is None


def test_a_pre_release_that_a_registry_can_not_express_is_refused() -> None:
    with pytest.raises(InputError, match=r"PyPI has no equal of the pre-release 'nightly'"):
        planned(python=facts("python", tree="0.2.0-nightly", changed=[SHARED]))


# --- tags -------------------------------------------------------------------------------------------------------------


def test_a_tag_that_names_the_core_version_is_planned() -> None:
    core = facts("core", tree="0.1.9", changed=[CLI])
    assert planned(release="v0.1.9", core=core).package("crates_io/tasker-cli").version == "0.1.9"


def test_a_tag_may_name_the_version_that_an_unprepared_tree_will_get() -> None:
    assert planned(CLI, release="v0.1.9").package("crates_io/tasker-cli").version == "0.1.9"


def test_a_tag_on_a_tree_of_another_version_stops_with_the_way_out() -> None:
    said = (
        "tag v0.2.0 on a tree of 0.1.9: VERSION says 0.1.9; tag v0.1.9, or set VERSION and the other carriers to 0.2.0"
    )
    with pytest.raises(InputError, match=re.escape(said)):
        planned(release="v0.2.0", core=facts("core", tree="0.1.9", changed=[CLI]))


def test_a_tag_that_names_an_unchanged_core_is_planned_and_one_that_names_another_stops() -> None:
    assert released(planned(RUBY, release="v0.1.8").components) == {"ruby": "0.1.9"}
    with pytest.raises(InputError, match=r"tag v0\.1\.9 on a tree of 0\.1\.8"):
        planned(RUBY, release="v0.1.9")


def test_a_tag_that_names_a_published_version_of_a_core_that_changed_since_stops() -> None:
    with pytest.raises(InputError, match=r"tag v0\.1\.8: 0\.1\.8 was published before.* prepare 0\.1\.9 in a commit"):
        planned(CLI, release="v0.1.8")


def test_a_tag_that_names_a_version_before_the_published_one_of_an_unchanged_core_stops_with_the_truth() -> None:
    said = (
        "tag v0.1.8: the core did not change since v0.1.8, and stays at 0.1.9, which is published: 0.1.8 would not be; "
        "tag v0.1.9 or release-YYYYMMDD, or raise the core's version past 0.1.9"
    )
    with pytest.raises(InputError, match=re.escape(said)):
        planned(RUBY, release="v0.1.8", core=facts("core", held="0.1.7 0.1.9"))


def test_a_tag_whose_core_a_named_base_leaves_unchanged_stops_with_another_base_as_the_way_out() -> None:
    base = Base(kind=BaseKind.FROM_REF, ref="HEAD~1", commit="7" * 40)
    core = facts("core", tree="0.1.9", held="0.1.8", base=base)
    with pytest.raises(InputError, match=r"did not change since HEAD~1.* leave from_ref empty, or name an older base"):
        planned(RUBY, release="v0.1.9", core=core)


def test_a_tag_with_the_other_prefix_names_no_version() -> None:
    assert released(planned(CLI, release="release-20260208-1828").components) == {"core": "0.1.9"}


# --- what a person has to know ----------------------------------------------------------------------------------------


def test_a_plan_remembers_what_it_could_not_ask_and_takes_it_for_nothing() -> None:
    core = facts("core", held=published("core", "0.1.8", tasker_cli=None))
    plan = planned(unreachable=UNREACHABLE, core=core)
    assert plan.unreachable == UNREACHABLE
    assert not plan.publishes, "unknown is never: nothing published"


def test_files_that_packages_ship_without_owning_them_are_a_warning_each() -> None:
    plan = planned("proto/a.proto", "Cargo.toml", "README.md")
    assert [(f.severity, f.message.split(" changed:")[0]) for f in plan.findings] == [
        (Severity.WARNING, "Cargo.toml"),
        (Severity.WARNING, "proto/a.proto"),
    ]
    assert "from_ref" in plan.findings[0].message


def test_from_the_beginning_everything_is_released_and_nothing_is_unclassified() -> None:
    known = {name: begun(name, "0.1.0", [SHARED, "proto/a.proto"]) for name in TASKER.components}
    assert planned(**known).findings == ()


# --- the same plan, or another ----------------------------------------------------------------------------------------


def test_plans_of_the_same_doing_have_the_same_digest_whatever_was_set_and_found() -> None:
    one = planned(RUBY)
    other = one.model_copy(
        update={"settings": one.settings.model_copy(update={"on_duplicate": OnDuplicate.FAIL}), "findings": ()}
    )
    assert planned(RUBY, "Cargo.lock").digest == one.digest == other.digest
    for update in ({"commit": "d" * 40}, {"manifest_digest": "x"}):
        assert one.model_copy(update=update).digest != one.digest
    assert planned(CLI).digest != one.digest


def test_a_plan_outlives_json() -> None:
    plan = planned(SHARED, "Cargo.lock", unreachable=UNREACHABLE)
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


# --- on a repository --------------------------------------------------------------------------------------------------


def decided(repository: Repository, release: str, **held: str) -> dict[str, str]:
    """What `release` publishes of the repository's HEAD, where each component is published at 0.1.8 or at `held`."""
    environment = {"TASKER_RELEASE_STORE": str(repository.path.parent / "store"), "PATH": ""}
    run = ReleaseRun.of(release, {"source": str(repository.path)}, log=lambda _: None, environment=environment)
    packages = {}
    for component in TASKER.components:
        packages |= published(component, held.get(component, "0.1.8"))
    tree = run.checkout.show(run.commit, "VERSION") or ""
    gem = run.checkout.show(run.commit, "workers/ruby/lib/tasker_core/version.rb") or ""
    versions = {name: version("0.1.8") for name in TASKER.components} | {"core": version(tree.strip())}
    versions["ruby"] = version(re.findall(r'VERSION = "(.*)"', gem)[0])
    known = gather_facts(run.checkout, run.manifest, run.commit, versions, packages, own=[release])
    return released(decided_on(release=release, **known))


@pytest.fixture
def out(tasker: Repository) -> Repository:
    """Everything is published at 0.1.8, by the release v0.1.8."""
    tasker.git("tag", "v0.1.8")
    return tasker


def test_on_a_repository_a_change_is_planned_from_the_last_release(out: Repository) -> None:
    out.commit("release-1", files={RUBY: "2\n"})
    assert decided(out, "release-1") == {"ruby": "0.1.9"}


def test_on_a_repository_a_prepared_gem_is_published_as_it_is_and_run_again_with_its_tag_is_done(
    out: Repository,
) -> None:
    gem = 'module TaskerCore\n  VERSION = "0.1.9"\n  RUST_CORE_VERSION = "0.1.8"\nend\n'
    out.commit("release-1", files={RUBY: "2\n", "workers/ruby/lib/tasker_core/version.rb": gem})
    assert decided(out, "release-1") == {"ruby": "0.1.9"}
    out.git("tag", "ruby-v0.1.9")
    assert decided(out, "release-1", ruby="0.1.8 0.1.9") == {}


def test_on_a_repository_a_component_tag_without_publication_loses_no_change(out: Repository) -> None:
    out.commit("ruby-v0.1.9", files={RUBY: "2\n"})
    out.commit("release-2")
    assert decided(out, "release-2", ruby="0.1.8") == {"ruby": "0.1.9"}
    assert decided(out, "release-2", ruby="0.1.8 0.1.9") == {}


def test_on_a_repository_a_prepared_release_of_a_server_crate_releases_no_binding(out: Repository) -> None:
    others = dict.fromkeys(("ruby", "python", "typescript"), version("0.1.8"))
    stamps = rewrites(Tree.of(out.checkout, "HEAD"), TASKER, {"core": version("0.1.9"), **others})
    out.commit("v0.1.9", files={**stamps, CLI: "2\n"})
    assert decided(out, "v0.1.9") == {"core": "0.1.9"}


def test_the_crates_are_those_of_the_manifest() -> None:
    assert {p.key for p in planned(CLI).packages if p.publish} == set(CRATES)
