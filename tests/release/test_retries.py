"""Whether and when a package that failed for the moment is tried again: attempts, waits, the time to run again."""

from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest

from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.manifest import load
from tasker_release_pipeline.release.retries import Again, GiveUp, after_failure, in_words

from .building import TASKER

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
LIMITS = TASKER.registries[RegistryName.NPM].model_copy(update={"attempts": 4, "wait_seconds": 900})


def decided(
    attempt: int = 1, *, waited: float = 0, named: float | None = None, jitter: float = 0.5, **limits: int
) -> Again | GiveUp:
    known = LIMITS.model_copy(update=limits)
    return after_failure(known, attempt=attempt, waited=waited, named=named, now=NOW, jitter=jitter)


def seconds(of: Again | GiveUp) -> int:
    assert isinstance(of, Again)
    return of.seconds


def test_the_time_that_the_registry_names_is_waited_out_and_a_second_more() -> None:
    assert decided(named=12.2) == Again(14, "again in 14 s (attempt 2 of 4)")
    assert seconds(decided(3, named=12.2, jitter=0.9)) == 14
    assert seconds(decided(named=900)) == 901


@pytest.mark.parametrize("named", [None, 0.0])
def test_without_a_named_time_the_pause_is_random_below_a_bound_that_doubles(named: float | None) -> None:
    def bounds(jitter: float) -> list[int]:
        known = [decided(n, named=named, jitter=jitter, attempts=9, wait_seconds=9000) for n in range(1, 7)]
        return [seconds(one) for one in known]

    assert bounds(1) == [60, 120, 240, 480, 600, 600]
    assert bounds(0.5) == [30, 60, 120, 240, 300, 300]
    assert bounds(0) == [1] * 6


def test_a_random_pause_stays_within_what_is_left_of_the_total() -> None:
    assert seconds(decided(3, waited=885, jitter=1)) == 15


def test_a_named_time_past_what_is_left_of_the_total_is_not_waited_for_but_told_to_the_minute() -> None:
    given_up = decided(2, waited=300, named=3600)
    assert given_up == GiveUp(
        datetime(2026, 3, 1, 13, 1, tzinfo=UTC),
        "run again from 2026-03-01 13:01 UTC on (in 61 min): "
        "this run waits 15 min in all, and has 10 min of it left after attempt 2 of 4",
    )
    assert isinstance(decided(2, waited=300, named=600.1), GiveUp)
    assert isinstance(decided(2, waited=300, named=600), Again)


def test_the_last_attempt_is_followed_by_none_and_the_named_time_is_told() -> None:
    given_up = decided(4, named=30)
    assert given_up == GiveUp(
        datetime(2026, 3, 1, 12, 1, tzinfo=UTC),
        "run again from 2026-03-01 12:01 UTC on (in 1 min): that was attempt 4 of 4",
    )


def test_where_no_time_was_named_ten_minutes_later_is_worth_another_run() -> None:
    for given_up in (decided(4), decided(2, waited=900), decided(wait_seconds=0)):
        assert isinstance(given_up, GiveUp)
        assert given_up.when == datetime(2026, 3, 1, 12, 11, tzinfo=UTC)


def test_a_registry_that_names_the_end_of_time_is_not_waited_for() -> None:
    given_up = decided(named=1e15)
    assert isinstance(given_up, GiveUp)
    assert given_up.when - NOW < timedelta(days=366)


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 s"), (59.2, "60 s"), (119, "119 s"), (120, "2 min"), (601, "11 min"), (3600, "1 h"), (5400, "1 h 30 min")],
)
def test_a_length_of_time_reads_as_people_say_it(number: float, words: str) -> None:
    assert in_words(number) == words


@pytest.mark.parametrize("name", ["tasker", "tasker-ctl"])
def test_a_first_release_of_either_layout_gets_through_crates_ios_limit_within_one_run(name: str) -> None:
    """Each crate of a phase past the burst is sent away once for itself, and once for each that was faster."""
    manifest = load(name)
    limits = manifest.registries[RegistryName.CRATES_IO]
    assert limits.new_names is not None
    late = manifest.crates[limits.new_names.burst :]
    for phase in {crate.phase for crate in late}:
        waited, attempt = 0.0, 1
        for _ in [crate for crate in late if crate.phase == phase]:
            again = after_failure(
                limits, attempt=attempt, waited=waited, named=limits.new_names.seconds, now=NOW, jitter=0
            )
            waited, attempt = waited + seconds(again), attempt + 1


def test_more_patience_does_not_make_it_another_release(tmp_path: Path) -> None:
    text = (files("tasker_release_pipeline") / "manifests" / "tasker.toml").read_text(encoding="utf-8")
    patient = tmp_path / "patient.toml"
    patient.write_text(text.replace("wait_seconds = 1900", "wait_seconds = 86400\nattempts = 99"))
    assert load(str(patient)).registries[RegistryName.CRATES_IO].attempts == 99
    assert load(str(patient)).digest == TASKER.digest
    patient.write_text(text.replace("tasker_cli::VERSION", "tasker_cli::NAME"))
    assert load(str(patient)).digest != TASKER.digest
