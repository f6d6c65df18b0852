"""The plan's checks: each with what it refuses, and the healthy neighbour."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from semver import Version

from tasker_release_pipeline.checks.answers import Answer, ask
from tasker_release_pipeline.checks.dist_tags import dist_tags_are_kept
from tasker_release_pipeline.checks.history import counted_from_an_earlier_release
from tasker_release_pipeline.checks.names import names_are_known, names_are_ours
from tasker_release_pipeline.checks.planned_versions import versions_are_free, versions_are_legal
from tasker_release_pipeline.checks.registries import registries_answered
from tasker_release_pipeline.loopback.seed import seed_crate, seed_gem, seed_npm, seed_owner, seed_wheel
from tasker_release_pipeline.loopback.server import serve
from tasker_release_pipeline.registries.owners import Owners, owners
from tasker_release_pipeline.release.bases import Base, BaseKind, own_tags
from tasker_release_pipeline.release.checks import Report
from tasker_release_pipeline.release.endpoints import Endpoints
from tasker_release_pipeline.release.settings import OnDuplicate
from tests.loopback import packages
from tests.release.building import CLI, facts, planned

from .planned import CRATES, GEMS, NPM, PYPI, answer, package

PGMQ, SHARED, CLI_CRATE = "crates_io/tasker-pgmq", "crates_io/tasker-shared", "crates_io/tasker-cli"
RB, PY, TS = "rubygems/tasker-rb", "pypi/tasker-py", "npm/tasker"
NOWHERE = Endpoints(
    cargo_index="http://127.0.0.1:9/i",
    cargo_api="http://127.0.0.1:9/a",
    rubygems="http://127.0.0.1:9/r",
    pypi="http://127.0.0.1:9/p",
    pypi_upload="http://127.0.0.1:9/u/",
    npm="http://127.0.0.1:9/n",
)


def said(report: Report) -> list[tuple[str, str]]:
    return [(finding.severity.value, finding.message) for finding in report.findings]


# --- registries answered ----------------------------------------------------------------------------------------------


def test_a_registry_that_does_not_answer_is_a_warning_in_a_dry_run_and_an_error_in_a_release() -> None:
    answers = [answer(PGMQ, "0.1.8"), answer(RB, None)]
    message = "rubygems/tasker-rb: unknown what is published: no answer within 20 s"
    assert said(registries_answered(answers, {}, dry_run=True)) == [("warning", message)]
    assert said(registries_answered(answers, {}, dry_run=False)) == [("error", message)]


def test_what_was_unknown_when_the_plan_was_made_stays_unknown_for_that_plan() -> None:
    report = registries_answered([answer(RB, "0.1.8")], {RB: "timed out"}, dry_run=False)
    assert said(report) == [("error", f"{RB}: unknown what is published: timed out")]
    assert report.evidence == {GEMS: "0 of 1 packages answered for"}
    assert registries_answered([answer(RB, "0.1.8")], {}, dry_run=False).findings == ()


def test_registries_that_are_not_there_are_asked_and_their_silence_is_told() -> None:
    (told,) = ask([package(PGMQ)], NOWHERE)
    assert told.holdings is None
    assert "127.0.0.1:9" in told.problem


# --- names ------------------------------------------------------------------------------------------------------------

SIBLINGS = [answer(PGMQ, "0.1.7 0.1.8"), answer(SHARED, "0.1.7 0.1.8")]
KNOWN = {"core": [Version(0, 1, 8), Version(0, 1, 9)], "tasker-rb": [Version(0, 1, 8)]}


def names(
    answers: Iterable[Answer], told: Mapping[str, str] | None = None, *, expected: str = ""
) -> list[tuple[str, str]]:
    """`told`: owners by key, `expected`: those of crates.io; several with a blank between."""
    known = {key: Owners(frozenset(text.split())) for key, text in (told or {}).items()}
    return said(names_are_ours(list(answers), known, {CRATES: expected.split()}, KNOWN))


def test_a_crate_of_another_owner_than_its_siblings_is_a_strangers() -> None:
    told = {PGMQ: "us", SHARED: "us bot", CLI_CRATE: "somebody"}
    ((severity, message),) = names([*SIBLINGS, answer(CLI_CRATE, "0.1.8")], told)
    assert severity == "error"
    assert "crates_io/tasker-cli: the name is a stranger's" in message
    assert "belongs to somebody, while its sibling packages belong to bot, us" in message
    assert "rename the package" in message
    assert names([*SIBLINGS, answer(CLI_CRATE, "2.2.1")], {**told, CLI_CRATE: "bot"}) == []


def test_the_owners_that_the_manifest_expects_decide_whatever_the_versions() -> None:
    ((severity, message),) = names([answer(CLI_CRATE, "0.1.8")], {CLI_CRATE: "somebody"}, expected="us")
    assert severity == "error"
    assert "while the manifest expects us" in message
    assert names([answer(CLI_CRATE, "7.0.0")], {CLI_CRATE: "us"}, expected="us") == []


def test_where_owners_are_not_told_a_crate_ahead_by_versions_that_nobody_had_is_a_strangers() -> None:
    # crates.io's tasker-cli, which is not Tasker's: some of its numbers are, by accident, its siblings' as well.
    ((severity, message),) = names([*SIBLINGS, answer(CLI_CRATE, "0.1.0 0.1.7 2.2.0 2.2.1")])
    assert severity == "error"
    assert "2.2.1" in message
    assert "owners unproven (not asked)" in message
    for ours in ("0.1.8", "0.1.7", "0.1.7 0.1.8 0.1.9", "0.0.1 0.1.8"):
        assert names([*SIBLINGS, answer(CLI_CRATE, ours)]) == []


def test_a_first_release_that_stopped_after_one_crate_makes_that_crate_no_strangers() -> None:
    assert names([answer(PGMQ, "0.1.9"), answer(SHARED), answer(CLI_CRATE)]) == []


def test_the_one_of_two_crates_that_has_our_versions_is_ours() -> None:
    told = {PGMQ: "us", CLI_CRATE: "somebody"}
    ((_, message),) = names([SIBLINGS[0], answer(CLI_CRATE, "2.2.1")], told)
    assert message.startswith(CLI_CRATE)


def test_what_nothing_tells_is_unproven_and_never_no() -> None:
    ((severity, message),) = names([answer(RB, "0.0.3")])
    assert severity == "warning"
    assert "unproven whether the name is ours" in message
    assert names([answer(RB, None)])[0][0] == "warning"
    assert names([answer(RB, "0.1.8")]) == []
    assert names([answer(RB)]) == []


def test_owners_that_are_expected_and_can_not_be_asked_are_unproven() -> None:
    ((severity, message),) = names(SIBLINGS, {PGMQ: "us"}, expected="us")
    assert severity == "warning"
    assert message.startswith(f"{SHARED}: unproven")


def test_each_registry_tells_the_owners_of_a_package(tmp_path: Path) -> None:
    root = tmp_path / "registries"
    crate, tarball = packages.crate("one", "1.0.0"), packages.npm_tarball("@x/one", "1.0.0")
    cksum = hashlib.sha256(crate).hexdigest()
    seed_crate(root, {"name": "one", "vers": "1.0.0", "deps": [], "cksum": cksum, "features": {}}, crate)
    seed_gem(root, packages.gem("one", "1.0.0"))
    seed_wheel(root, packages.wheel_name("one", "1.0.0"), packages.wheel("one", "1.0.0"))
    seed_npm(root, packages.npm_document("@x/one", "1.0.0", tarball)["versions"]["1.0.0"], tarball, {})
    kinds = {CRATES: "one", GEMS: "one", PYPI: "one", NPM: "@x/one"}
    with serve(root, reserved={registry: frozenset([name]) for registry, name in kinds.items()}) as running:
        for registry, name in kinds.items():
            assert owners(registry, running.endpoints, [name]) == {name: Owners(frozenset(["loopback"]))}
            seed_owner(root, registry, name, "somebody")
            assert owners(registry, running.endpoints, [name]) == {name: Owners(frozenset(["somebody"]))}
        untold = owners(CRATES, running.endpoints, ["never-published"])["never-published"]
        assert not untold.names
        assert "crates.io does not tell" in untold.problem


def test_owners_that_can_not_be_asked_are_unknown_with_the_reason_for_all_of_them() -> None:
    told = owners(CRATES, NOWHERE, ["one", "two"])
    assert [found.names for found in told.values()] == [frozenset(), frozenset()]
    assert all("could not ask" in found.problem for found in told.values())


# --- first publishes --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "step"),
    [
        (PGMQ, "lets no trusted publisher create a crate"),
        (RB, "pending_trusted_publishers"),
        (PY, "manage/account/publishing"),
        (TS, "lets no trusted publisher create a package"),
    ],
)
def test_a_first_publish_is_announced_with_its_steps(key: str, step: str) -> None:
    ((severity, message),) = said(names_are_known([answer(key)], live=True))
    assert severity == "warning"
    assert message.startswith(f"{key}: ")
    assert step in message


def test_a_first_publish_on_loopback_is_evidence_and_a_known_name_is_neither() -> None:
    report = names_are_known([answer(PGMQ)], live=False)
    assert report.findings == ()
    assert list(report.evidence) == [PGMQ]
    assert names_are_known([answer(PGMQ, "0.1.8"), answer(RB, None)], live=True).findings == ()


# --- versions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "version"),
    [
        (TS, "0.1.1.0"),
        (PGMQ, "0.1"),
        (TS, "01.2.3"),
        (TS, f"0.1.{2**53}"),
        (PGMQ, f"0.1.{2**64}"),
        (PY, "0.2.0-nightly"),
        (PY, "0.2.0+local"),
        (RB, "0.2.0_rc"),
    ],
)
def test_a_version_that_its_registry_refuses_is_named(key: str, version: str) -> None:
    ((severity, message),) = said(versions_are_legal([package(key, version)]))
    assert severity == "error"
    assert message.startswith(f"{key}: ")
    assert repr(version) in message


@pytest.mark.parametrize(
    ("key", "version"),
    [(TS, "0.2.0-rc.1"), (PGMQ, "0.2.0-rc.1"), (PY, "0.2.0rc1"), (RB, "0.2.0.rc.1"), (PGMQ, f"0.1.{2**53}")],
)
def test_a_version_that_its_registry_takes_is_no_finding(key: str, version: str) -> None:
    assert versions_are_legal([package(key, version)]).findings == ()


def free(told: Answer, *begun: str, on_duplicate: OnDuplicate = OnDuplicate.WARN) -> list[tuple[str, str]]:
    return said(versions_are_free([told], begun, on_duplicate))


@pytest.mark.parametrize(
    ("key", "held", "version"),
    [
        (PY, "0.1.1.0", "0.1.1"),
        (PY, "0.2.0-rc1", "0.2.0rc1"),
        (RB, "0.1.9.0", "0.1.9"),
        (RB, "0.2.0.rc1", "0.2.0.rc.1"),
    ],
)
def test_a_version_that_a_registry_takes_for_a_published_one_is_refused(key: str, held: str, version: str) -> None:
    ((severity, message),) = free(answer(key, held, version=version))
    assert severity == "error"
    assert f"holds {held}, which it takes for the same version as {version}" in message


def test_a_version_that_is_yanked_or_taken_back_is_used_up() -> None:
    assert "was yanked" in free(answer(PGMQ, "0.1.9", yanked=True))[0][1]
    assert "was taken back" in free(answer(TS, "0.1.9", files=False))[0][1]
    # PyPI takes new files for it.
    assert free(answer(PY, "0.1.9", files=False)) == []


def test_the_same_version_is_left_to_the_gate_with_a_warning_unless_duplicates_are_skipped() -> None:
    ((severity, message),) = free(answer(RB, "0.1.9"))
    assert severity == "warning"
    assert "this release has it as changed (it changed)" in message
    assert free(answer(RB, "0.1.9"), on_duplicate=OnDuplicate.SKIP) == []


def test_what_this_release_uploaded_itself_takes_nothing_from_it() -> None:
    assert free(answer(PY, "0.1.9"), PY) == []
    assert free(answer(PGMQ, "0.1.8 0.1.10")) == []
    # Unless somebody had a reason to take it away.
    ((severity, message),) = free(answer(PGMQ, "0.1.9", yanked=True), PGMQ)
    assert (severity, "was yanked on crates.io since this release sent it" in message) == ("error", True)
    assert free(answer(PGMQ, None)) == []


# --- dist-tags --------------------------------------------------------------------------------------------------------


def tagged(version: str, dist_tag: str, held: str = "", **tags: str) -> list[tuple[str, str]]:
    return said(dist_tags_are_kept([answer(TS, held, version=version, dist_tag=dist_tag, **tags)]))


def test_latest_moving_to_where_no_version_went_before_is_a_warning() -> None:
    ((severity, message),) = tagged("0.1.9", "latest", "0.1.0 0.1.8", latest="0.1.0", alpha="0.1.8")
    assert severity == "warning"
    assert "npm/tasker: `latest` would move from 0.1.0 to 0.1.9, though 0.1.8 did not go there" in message
    assert "before 1.0.0" in tagged("0.1.9", "latest")[0][1]
    assert "pre-release" in tagged("1.1.0-rc.1", "latest", "1.0.0", latest="1.0.0")[0][1]


def test_latest_left_behind_or_going_back_is_a_warning() -> None:
    ((_, message),) = tagged("0.1.9", "alpha", "0.1.7 0.1.8", latest="0.1.8")
    assert "`latest` is left behind at 0.1.8" in message
    assert "go back" in tagged("1.0.5", "latest", "1.0.4 1.1.0", latest="1.1.0")[0][1]


def test_a_dist_tag_that_reads_as_a_version_is_refused() -> None:
    for tag in ("1.x", "v2", "0.1.9", "*", "", "1.0.0-rc.1"):
        assert tagged("0.1.9", tag)[0][0] == "error"


def test_a_dist_tag_that_the_last_version_had_is_no_finding() -> None:
    assert tagged("0.1.9", "alpha", "0.1.7 0.1.8", latest="0.1.7", alpha="0.1.8") == []
    # The first version of a package is `latest` as well, whatever its dist-tag.
    assert tagged("0.1.9", "alpha", "0.1.8", latest="0.1.8", alpha="0.1.8") == []
    assert tagged("1.0.1", "latest", "0.9.0 1.0.0", latest="1.0.0", alpha="0.9.0") == []
    assert tagged("0.1.9", "alpha") == []
    assert said(dist_tags_are_kept([answer(PGMQ, "0.1.8")])) == []


# --- what changes are counted from ------------------------------------------------------------------------------------


def test_a_base_that_is_the_release_itself_is_refused() -> None:
    plan = planned(release="release-1", core=facts("core", base=_tag("release-1")))
    ((severity, message),) = said(counted_from_an_earlier_release(plan, {"release-1"}, tagged=False))
    assert severity == "error"
    assert message.startswith("core: its changes are counted from release-1")


def test_a_tag_that_publishes_nothing_says_so() -> None:
    ((severity, message),) = said(counted_from_an_earlier_release(planned(), {"release-1"}, tagged=True))
    assert severity == "warning"
    assert "publishes nothing, as nothing changed (core since v0.1.8" in message
    assert said(counted_from_an_earlier_release(planned(), {"release-1"}, tagged=False)) == []
    assert said(counted_from_an_earlier_release(planned(CLI), {"release-1"}, tagged=True)) == []


def test_tags_on_the_released_commit_are_its_own_unless_their_version_is_out() -> None:
    tags = {"v0.1.9": "c", "release-2": "c", "v0.1.8": "b", "core-v0.1.9": "c", "vendor-1": "c"}
    assert own_tags("release-1", "c", tags, [Version(0, 1, 8)]) == {"release-1", "v0.1.9", "release-2"}
    assert own_tags("release-1", "c", tags, [Version(0, 1, 9)]) == {"release-1", "release-2"}


def _tag(ref: str) -> Base:
    return Base(kind=BaseKind.RELEASE_TAG, ref=ref, commit="c" * 40)
