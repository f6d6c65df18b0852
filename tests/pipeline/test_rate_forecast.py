"""What a registry's rate limits will make a release wait for, as the gate tells it."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from upath import UPath

from tasker_release_pipeline.loopback.fault_words import parse_faults
from tasker_release_pipeline.loopback.orders import order, orders
from tasker_release_pipeline.loopback.server import LoopbackRegistries, serve
from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.manifest import Manifest, Rate, Registry, load
from tasker_release_pipeline.release.plan import Plan, Severity
from tasker_release_pipeline.release.settings import Registries, Settings
from tasker_release_pipeline.steps.rate_forecast import rate_forecast
from tasker_release_pipeline.steps.registry_sets import RegistrySet
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.store import ReleaseStore

from ..loopback import packages
from ..release.building import PGMQ, RUBY, TASKER, planned

CRATES_IO = RegistryName.CRATES_IO
CORE = planned(PGMQ)  # six crates at 0.1.9


@pytest.fixture
def registries(tmp_path: Path) -> Iterator[LoopbackRegistries]:
    with serve(tmp_path / "registries", reserved={}) as running:
        yield running


def hold(registries: LoopbackRegistries, *crates: str) -> None:
    with httpx.Client(trust_env=False) as client:
        for crate in crates:
            packages.put_crate(client, registries, packages.crate_body(*crate.split())).raise_for_status()


def fault(registries: LoopbackRegistries, words: str) -> None:
    for ordered in parse_faults(words):
        order(registries.root, ordered)


def changed(manifest: Manifest = TASKER, **limits: object) -> Manifest:
    """The manifest with other limits of crates.io."""
    row: Registry = manifest.registries[CRATES_IO].model_copy(update=limits)
    return manifest.model_copy(update={"registries": {**manifest.registries, CRATES_IO: row}})


def told(
    registries: LoopbackRegistries, plan: Plan = CORE, manifest: Manifest = TASKER, *, rehearsal: bool = False
) -> list[str]:
    """The findings, all of which are warnings."""
    settings = Settings(dry_run=not rehearsal, registries=Registries.REHEARSAL if rehearsal else Registries.LIVE)
    folder = registries.root.parent
    run = ReleaseRun("v0.1.9", settings, manifest, ReleaseStore(UPath(folder), "v0.1.9"), folder, print)
    found = list(rate_forecast(run, plan, RegistrySet(registries.endpoints, Credentials({}))))
    assert {finding.severity for finding in found} <= {Severity.WARNING}
    return [finding.message for finding in found]


def test_a_first_release_of_six_crates_waits_ten_minutes(registries: LoopbackRegistries) -> None:
    said = (
        "crates_io: 6 new names; it lets 5 through at once, then one every 10 min: expect about 10 min of waiting, "
        "which the run does by itself"
    )
    assert told(registries) == [said]
    assert told(registries, rehearsal=True) == [f"{said}; in a rehearsal only where it is ordered as a fault"]


def test_one_name_that_is_known_already_makes_it_fit(registries: LoopbackRegistries) -> None:
    hold(registries, "tasker-shared 0.0.1")
    assert told(registries) == []


def test_what_is_out_already_waits_for_nothing(registries: LoopbackRegistries) -> None:
    few = changed(new_names=None, new_versions=Rate(burst=2, seconds=60))
    hold(registries, "tasker-pgmq 0.1.8", "tasker-shared 0.1.8", "tasker-client 0.1.8")
    (said,) = told(registries, manifest=few)
    assert said.startswith("crates_io: 3 new versions of known names; it lets 2 through at once, then one every 60 s")
    hold(registries, "tasker-client 0.1.9")
    assert told(registries, manifest=few) == []


def test_more_than_a_run_waits_for_is_told_as_such(registries: LoopbackRegistries) -> None:
    (said,) = told(registries, manifest=changed(wait_seconds=599))
    assert "expect about 10 min of waiting; that is more than a run waits for a package (10 min, attempts: 5)" in said
    assert said.endswith("it will end, say when to go on, and has to be run again")
    (said,) = told(registries, manifest=changed(attempts=1))
    assert "(32 min, attempts: 1): it will end" in said


def test_packages_of_one_phase_are_sent_away_for_each_other(registries: LoopbackRegistries) -> None:
    newer = load("tasker-ctl")
    plan = planned(*newer.package("crates_io/tasker-pgmq").changes, manifest=newer)
    assert "8 new names" in told(registries, plan, newer)[0]
    # Two of the last phase: the slower one is sent away twice.
    assert "expect about 30 min of waiting, which the run does by itself" in told(registries, plan, newer)[0]
    assert "by itself" in told(registries, plan, changed(newer, wait_seconds=1200, attempts=3))[0]
    assert "run again" in told(registries, plan, changed(newer, wait_seconds=1199))[0]
    assert "run again" in told(registries, plan, changed(newer, attempts=2))[0]


def test_without_an_answer_it_is_unknown_and_nothing_is_asked_where_all_fits(registries: LoopbackRegistries) -> None:
    fault(registries, "crates_io:index:503:retry-after=60:always")
    (said,) = told(registries)
    assert said.startswith("crates_io: unknown whether its rate limits make 6 packages wait: http")
    (placed,) = orders(registries.root)
    assert told(registries, planned(RUBY)) == []
    assert told(registries, manifest=changed(new_names=Rate(burst=6, seconds=600))) == []
    assert orders(registries.root) == [placed]
