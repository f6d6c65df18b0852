"""`make rehearse FAULTS=...`, as users type it: a bad day ends as docs/faults.md says, and a wrong word is refused."""

import subprocess
from pathlib import Path

import pytest

from tasker_release_pipeline.loopback.orders import orders
from tests.pipeline.conftest import NINE, ROOT, Ended, Pipeline

pytestmark = pytest.mark.toolchain
RELEASE = "rehearsal-20260401-0300"


def make_rehearse(world: Pipeline, faults: str = "") -> Ended:
    world.folder.mkdir(parents=True, exist_ok=True)
    world.share_cache()
    environment = world.environment(FAULTS=faults)
    del environment["TASKER_RELEASE_REHEARSAL_REGISTRIES"]  # the rehearsal's own, as for any user
    done = subprocess.run(
        ["make", "--no-print-directory", "rehearse", f"SOURCE={world.source}", f"RELEASE={RELEASE}"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=500,
        check=False,
    )
    return Ended(done.returncode, done.stdout)


def struck(world: Pipeline) -> dict[str, int]:
    return {str(placed.fault): placed.struck for placed in orders(registries(world))}


def registries(world: Pipeline) -> Path:
    return world.store / RELEASE / "registries"


@pytest.mark.slow
def test_a_bad_day_is_survived_where_it_passes_and_told_where_it_does_not_and_the_next_run_ends_it(
    fresh: Pipeline,
) -> None:
    passing = {"npm:upload:drop-after": 1, "crates_io:upload:500:package=tasker-pgmq": 1, "pypi:upload:408": 1}
    first = make_rehearse(fresh, "; ".join([*passing, "rubygems:upload:refuse"]))
    assert struck(fresh) == {**passing, "rubygems:upload:403": 1}
    assert first.status != 0
    assert fresh.outcomes(RELEASE) == dict.fromkeys(NINE, "published") | {"rubygems/tasker-rb": "failed"}
    for told in (first.output, fresh.summary(RELEASE)):
        assert "fault 4 that was ordered: rubygems:upload:403" in told
        assert "run again: what is there is not sent twice" in told
    held = set((fresh.store / RELEASE).rglob("registries/files/*/*"))
    again = make_rehearse(fresh)
    assert again.status == 0, again.output[-4000:]
    ends = fresh.outcomes(RELEASE)
    assert {ends[key] for key in NINE - {"rubygems/tasker-rb"}} == {"already_published"}
    assert ends["rubygems/tasker-rb"] == "published"
    assert held < set((fresh.store / RELEASE).rglob("registries/files/*/*"))


def test_a_wrong_word_is_refused_before_anything_starts_and_nothing_is_ordered(fresh: Pipeline) -> None:
    ended = make_rehearse(fresh, "npm:upload:500; npm:upload:explode")
    assert ended.status != 0
    assert "fault `npm:upload:explode`: unknown fault `explode`; there are delay, drop-before" in ended.output
    assert "Traceback" not in ended.output
    assert "Rehearsing" not in ended.output
    assert not (fresh.store / RELEASE).exists()
