"""`v*` and `release-*` tags on one commit: two releases of the same content, the second of which has nothing to do."""

import shutil
from pathlib import Path

import pytest

from tasker_release_pipeline.loopback.fault_words import parse_faults
from tasker_release_pipeline.loopback.orders import order, orders
from tasker_release_pipeline.loopback.server import serve
from tasker_release_pipeline.steps import registry_sets
from tasker_release_pipeline.steps.plan import plan_release
from tasker_release_pipeline.steps.run import ReleaseRun
from tests.pipeline.conftest import FIRST, NINE, Pipeline, git

pytestmark = pytest.mark.toolchain
TAGS = ("v0.1.1", "release-20260208-1828")


@pytest.fixture
def twice_tagged(second: Pipeline) -> Pipeline:
    """A checkout at the commit that the first release published, which bears two tags. Every upload would fail."""
    commit = second.read(FIRST, "manifest.json")["commit"]
    git(second.source, "checkout", "--quiet", commit)
    for tag in TAGS:
        git(second.source, "tag", "--force", tag, commit)
    for fault in parse_faults("any:upload:refuse:always"):
        order(second.registries, fault)
    return second


def has_nothing_to_do(world: Pipeline, release: str) -> None:
    before = world.published()
    ended = world.execute("release", release)
    assert ended.status == 0, ended.output[-6000:]
    assert set(world.outcomes(release)) == NINE
    assert set(world.outcomes(release).values()) <= {"unchanged", "already_published"}
    assert world.published() == before
    assert not [placed for placed in orders(world.registries) if placed.struck]


@pytest.mark.slow
def test_a_second_release_of_a_published_commit_is_green_and_sends_nothing(twice_tagged: Pipeline) -> None:
    has_nothing_to_do(twice_tagged, "rehearsal-twin")


@pytest.mark.slow
def test_a_fresh_runner_with_nothing_but_source_and_registries_comes_to_the_same(
    twice_tagged: Pipeline, tmp_path: Path
) -> None:
    fresh = twice_tagged.elsewhere(tmp_path / "runner")
    shutil.rmtree(fresh.store)
    has_nothing_to_do(fresh, FIRST)


@pytest.mark.parametrize("release", TAGS)
@pytest.mark.slow
def test_either_tag_plans_no_other_version_than_the_public_registries_hold(
    twice_tagged: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: str
) -> None:
    # Live, but that the public registries stand on loopback.
    places = {"TASKER_RELEASE_STORE": str(tmp_path / "store"), "TASKER_RELEASE_WORK": str(tmp_path / "work")}
    settings = {"source": str(twice_tagged.source), "dry_run": False, "registries": "live"}
    with serve(twice_tagged.registries, reserved={}) as public:
        monkeypatch.setattr(registry_sets, "LIVE", public.endpoints)
        run = ReleaseRun.of(release, settings, log=print, environment={**places, "RELEASE_DRY_RUN": "false"})
        plan = plan_release(run)
    # Released under the tag's own number it asks for each package, and finds it; else there is nothing to ask for.
    assert {package.publish for package in plan.packages} == {release == "v0.1.1"}
    assert {package.version for package in plan.packages} == {"0.1.1"}
