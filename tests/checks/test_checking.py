"""Checks beside each other."""

import re
from pathlib import Path

from tasker_release_pipeline.release.catalogue import catalogue, checks_of
from tasker_release_pipeline.release.checks import Report
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import ToolError
from tasker_release_pipeline.steps.checking import run_checks
from tasker_release_pipeline.steps.published_install import check_name
from tasker_release_pipeline.steps.run import ReleaseRun

ASSET = "crate_archives"


def healthy() -> Report:
    return Report(seen="all in order")


def unable() -> Report:
    raise ToolError("cargo is missing")


def surprised() -> Report:
    return Report(seen={}["package.json"])


def test_a_check_that_can_not_be_run_is_an_error_and_hides_no_other(tmp_path: Path) -> None:
    environment = {"TASKER_RELEASE_STORE": str(tmp_path / "store"), "TASKER_RELEASE_WORK": str(tmp_path / "work")}
    run = ReleaseRun.of(
        "rehearsal-x", {"registries": "rehearsal"}, log=lambda _: None, run="r", environment=environment
    )
    names = [check.name for check in checks_of(ASSET)]
    looks = dict.fromkeys(names, healthy) | {names[0]: unable, names[1]: surprised}
    results = run_checks(run, ASSET, "digest", looks)
    assert [result.name for result in results] == names
    assert {result.name: result.findings[0].message for result in results if result.findings} == {
        names[0]: "could not be checked: cargo is missing",
        names[1]: "could not be checked: KeyError: 'package.json'",
    }
    assert {name for name, result in run.store.checks().items() if result.stops} == {(ASSET, n) for n in names[:2]}
    assert {name for _, name in run.store.checks()} == set(names)


def test_the_documentation_has_a_row_for_each_check() -> None:
    text = (Path(__file__).parents[2] / "docs" / "checks.md").read_text()
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    documented = [name for row in rows for name in re.findall("`([a-z_]+)`", row)]
    assert sorted(documented) == sorted(
        {*(check.name for check in catalogue()), *(check_name(registry) for registry in RegistryName)}
    )
