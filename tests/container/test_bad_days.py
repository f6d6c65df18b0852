"""Services that go away in the middle of something, or do not come up."""

import os
import shutil
import signal
import time
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tasker_release_pipeline.loopback.fault_words import parse_faults
from tasker_release_pipeline.loopback.orders import order
from tasker_release_pipeline.store import ReleaseStore
from tests.container.processes import RELEASE, ROOT, Stack

pytestmark = pytest.mark.service

_TERMINATE = """
mutation ($run: String!) {
  terminateRun(runId: $run, terminatePolicy: MARK_AS_CANCELED_IMMEDIATELY) {
    __typename
    ... on TerminateRunFailure { message }
  }
}
"""


def start(services: Stack, *names: str) -> None:
    for name in names:
        services.start(name)
        services.become_healthy(name)


@pytest.mark.toolchain
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=["restarted", "killed"])
def test_a_run_ends_well_though_the_web_server_is_gone_in_its_middle(services: Stack, number: signal.Signals) -> None:
    start(services, "code", "daemon", "webserver")
    store = ReleaseStore.of(RELEASE, services.environment("code"))
    # A web server takes a while to end, and this run would not.
    order(store.folder / "registries", *parse_faults("npm:index:delay=10x1"))
    run = services.launch("detect_and_calculate")
    services.become(run, "STARTED")
    services.kill("webserver", number)
    gone_at = time.time()
    start(services, "webserver")
    services.become(run, "SUCCESS")
    assert services.ended(run) > gone_at
    assert (store.folder / "plan.json").exists()


@pytest.mark.toolchain
def test_the_queue_goes_on_when_a_killed_daemon_is_started_again(services: Stack) -> None:
    start(services, "code", "webserver", "daemon")
    going = services.launch("detect_and_calculate")
    services.become(going, "STARTED")
    services.kill("daemon")
    waiting = [services.launch("release_summary", f"{RELEASE}{number}") for number in range(2)]
    # What was going on needs no daemon; what waits does.
    services.become(going, "SUCCESS")
    assert [services.status(run) for run in waiting] == ["QUEUED"] * 2
    start(services, "daemon")
    for run in waiting:
        services.become(run, "SUCCESS")


@pytest.mark.toolchain
def test_a_run_that_died_with_its_container_is_ended_by_force_and_continued(services: Stack) -> None:
    start(services, "code", "webserver", "daemon")
    run = services.launch("detect_and_calculate")
    services.become(run, "STARTED")
    os.killpg(services.running["code"].pid, signal.SIGKILL)
    services.kill("code")
    start(services, "code")
    assert services.status(run) == "STARTED"
    ended = services.ask(_TERMINATE, run=run)["terminateRun"]
    assert ended["__typename"] == "TerminateRunSuccess", ended
    assert services.status(run) == "CANCELED"
    services.become(services.launch("detect_and_calculate"), "SUCCESS")


def test_a_code_location_that_cannot_be_imported_says_why_in_the_web_ui(
    services: Stack, tmp_path: Path, page: Page
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(ROOT / "tasker_release_pipeline", broken / "tasker_release_pipeline")
    definitions = broken / "tasker_release_pipeline" / "definitions.py"
    whole = definitions.read_text()
    definitions.write_text("import a_library_that_is_not_installed\n" + whole)
    services.start("code", cwd=broken, PYTHONPATH=str(broken))
    services.become_healthy("code")  # without that Compose would not start the web server
    services.start("webserver")
    services.become_healthy("webserver")

    page.goto(f"http://127.0.0.1:{services.web_port}/deployment/locations")
    expect(page.get_by_text("Failed", exact=True)).to_be_visible()
    page.get_by_text("View error").click()
    why = page.get_by_role("dialog")
    expect(why).to_contain_text("ModuleNotFoundError: No module named 'a_library_that_is_not_installed'")
    expect(why).to_contain_text("while importing module tasker_release_pipeline.definitions")

    # Mended, it is loaded again by the button of that page, with nothing restarted.
    definitions.write_text(whole)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Reload", exact=True).click()
    expect(page.get_by_text("Loaded", exact=True)).to_be_visible()
