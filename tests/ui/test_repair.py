"""A failed registry is found, understood and repaired in the web UI, in a real browser."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tasker_release_pipeline.loopback.fault_words import parse_faults
from tasker_release_pipeline.loopback.orders import order, withdraw
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.run_lock import sole_run
from tests.pipeline.conftest import FIRST, ROOT, Pipeline, change
from tests.pipeline.test_kills import until
from tests.ui.conftest import ask, served

pytestmark = [pytest.mark.toolchain, pytest.mark.service]
RELEASE = "rehearsal-20260301-0300"
KEPT_BELOW = 300_000  # bytes of a picture
_IS_RED = """name => {
    let node = [...document.querySelectorAll("div")].find(div => div.childElementCount == 0 && div.textContent == name);
    for (; node; node = node.parentElement) {
        const [red, green, blue] = getComputedStyle(node).borderTopColor.match(/[0-9]+/g).map(Number);
        if (red > 150 && green < 100 && blue < 100) return true;
    }
}"""


@pytest.fixture
def npm_refuses(first_release: Pipeline, second: Pipeline) -> Pipeline:
    """A world with a release that is out, and one that npm alone refused; one instance knows both."""
    shutil.copytree(first_release.home, second.home)
    (fault,) = parse_faults("npm:upload:403:always")
    order(second.registries, fault)
    change(second.source, "tasker-pgmq/src/lib.rs", "\n// more\n")
    ended = second.execute("release", RELEASE)
    assert ended.status == 1, ended.output[-6000:]
    return second


def test_the_person_finds_the_failed_asset_reads_why_and_materialises_it(
    npm_refuses: Pipeline, page: Page, keep: Callable[[str], Path]
) -> None:
    held = npm_refuses.published()
    (digest,) = (digest for file, digest in npm_refuses.artifacts(RELEASE).items() if file.endswith(".tgz"))
    assert digest not in held.values()
    with served(npm_refuses) as web:
        pictures = [_the_graph(page, web, keep), _the_release(page, web, keep)]

        # Why it failed: what npm said, and that it is a rehearsal.
        page.goto(f"{web}/assets/npm/tasker")
        page.get_by_role("tab", name="Events").click()
        expect(page.get_by_text(f"Partition {RELEASE} observed in run")).to_be_visible()
        expect(page.get_by_text("REHEARSAL: to registries on loopback, nothing is public")).to_be_visible()
        expect(page.get_by_text("the upload failed; npm has nothing of it")).to_be_visible()
        expect(page.get_by_text("403 Forbidden")).to_be_visible()
        pictures.append(keep("failure"))

        withdraw(npm_refuses.registries)
        page.get_by_role("tab", name="Partitions").click()
        page.get_by_text(RELEASE).first.click()
        expect(page.get_by_text("failed, and did not materialize this asset")).to_be_visible()
        page.get_by_role("button", name="Materialize…").click()
        expect(page.get_by_role("button", name="Launch 1 run")).to_be_visible()
        pictures.append(keep("materialize"))
        page.get_by_role("button", name="Launch 1 run").click()
        expect(page.get_by_text("Materialized (2)")).to_be_visible()
        page.reload()  # Dagster's page keeps the last failure in view
        expect(page.get_by_text("published", exact=True)).to_be_visible()
        expect(page.get_by_text("Materialized", exact=True)).to_be_visible()
        expect(page.get_by_text(digest)).to_be_visible()
        expect(page.get_by_role("dialog")).to_have_count(0)
        pictures.append(keep("outcome"))
    assert {*npm_refuses.published().values()} == {*held.values(), digest}
    assert npm_refuses.outcomes(RELEASE)["npm/tasker"] == "published"
    assert {path.name: path.stat().st_size for path in pictures if path.stat().st_size > KEPT_BELOW} == {}


def _the_graph(page: Page, web: str, keep: Callable[[str], Path]) -> Path:
    """All assets in their groups; the failed one is among them."""
    page.set_viewport_size({"width": 2000, "height": 1300})
    page.goto(f"{web}/asset-groups")
    page.get_by_text("Hide navigation").click()
    page.get_by_text("publish").last.wait_for()
    page.mouse.click(1000, 900, button="right")
    page.get_by_role("menuitem", name="Expand all groups").click()
    expect(page.get_by_text("staged_install")).to_be_visible()
    expect(page.get_by_text("tasker", exact=True)).to_be_visible()
    page.wait_for_function(_IS_RED, arg="tasker")  # the colours come later than the names, one after another
    page.wait_for_load_state("networkidle")
    picture = keep("graph")
    page.set_viewport_size({"width": 1400, "height": 900})
    return picture


def _the_release(page: Page, web: str, keep: Callable[[str], Path]) -> Path:
    """Releases side by side, each with the state of every asset."""
    page.set_viewport_size({"width": 1400, "height": 1350})
    page.goto(f"{web}/locations/tasker_release_pipeline/jobs/release/partitions")
    page.get_by_role("button", name="Show per-asset status").click()
    expect(page.get_by_text("npm/tasker").first).to_be_visible()
    expect(page.get_by_text(RELEASE).first).to_be_visible()
    expect(page.get_by_text("tags/typescript").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    picture = keep("release")
    page.set_viewport_size({"width": 1400, "height": 900})
    return picture


def test_a_release_that_another_run_works_on_is_left_alone_and_the_run_says_whose_it_is(second: Pipeline) -> None:
    environment = second.environment()
    second.home.mkdir(parents=True)
    command = [sys.executable, "-m", "tasker_release_pipeline.orchestration.bring_in", FIRST]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    holder = ReleaseRun.of(FIRST, {}, log=print, run="the-other", environment=environment)
    with served(second) as web, sole_run(holder):
        run = launch(web, FIRST, ["npm", "tasker"])
        assert until(lambda: ended(web, run), 120)
        assert ended(web, run) == "FAILURE"
        (said,) = messages(web, run, "ExecutionStepFailureEvent")
        assert f"release {FIRST}: run the-other (process " in said
        assert "wait for its end, or end it, and run again" in said


def launch(web: str, release: str, asset: list[str]) -> str:
    """What *Launch 1 run* sends, without any config; the run's id."""
    where = {"repositoryName": "__repository__", "repositoryLocationName": "tasker_release_pipeline"}
    parameters = {
        "selector": {
            **where,
            "pipelineName": "__ASSET_JOB",
            "assetSelection": [{"path": asset}],
            "assetCheckSelection": [],
        },
        "mode": "default",
        "runConfigData": "{}",
        "executionMetadata": {"tags": [{"key": "dagster/partition", "value": release}]},
    }
    said = ask(
        web,
        "mutation($p: ExecutionParams!) {launchPipelineExecution(executionParams: $p) "
        "{__typename ... on LaunchRunSuccess {run {runId}} ... on PythonError {message}}}",
        p=parameters,
    )["launchPipelineExecution"]
    assert said["__typename"] == "LaunchRunSuccess", said
    return str(said["run"]["runId"])


def ended(web: str, run: str) -> str | None:
    """How a run ended; None while it has not."""
    found = ask(web, "query($r: ID!) {runOrError(runId: $r) {... on Run {status}}}", r=run)["runOrError"]["status"]
    return str(found) if found in ("SUCCESS", "FAILURE", "CANCELED") else None


def messages(web: str, run: str, kind: str) -> list[str]:
    """What the run's events of a kind say."""
    query = (
        "query($r: ID!) {logsForRun(runId: $r) {... on EventConnection "
        "{events {__typename ... on MessageEvent {message}}}}}"
    )
    events = ask(web, query, r=run)["logsForRun"]["events"]
    return [event["message"] for event in events if event["__typename"] == kind]
