"""Who is told how a release ended, and what happens to a release whose message does not arrive: nothing."""

import fcntl
import logging
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tasker_release_pipeline.orchestration.notifying import tell_end
from tasker_release_pipeline.release.manifest import load
from tasker_release_pipeline.release.outcome import OutcomeKind
from tasker_release_pipeline.release.record import Record, RecordState
from tasker_release_pipeline.release.settings import Mode, Settings
from tasker_release_pipeline.steps import notify
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.store import ReleaseStore
from tests.operate.conftest import World
from tests.operate.receiving import CHANNEL, HOOK, TOKEN, Receiver, receiving
from tests.pipeline.conftest import Pipeline
from tests.release.building import PGMQ, outcome, planned

ACTIONS = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "tasker-systems/tasker-core",
    "GITHUB_RUN_ID": "77",
}
LOG = logging.getLogger("told")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


class Ending:
    """A live release of everything, and how its runs end."""

    def __init__(self, folder: Path) -> None:
        self.store = ReleaseStore.of("v0.1.9", {"TASKER_RELEASE_STORE": str(folder / "store")})
        self.work = folder / "work" / "v0.1.9"
        self.plan = planned(PGMQ, release="v0.1.9")
        self.store.write("plan.json", self.plan)

    def published(self, **otherwise: OutcomeKind) -> "Ending":
        for package in self.plan.packages:
            kind = otherwise.get(package.registry.value, OutcomeKind.PUBLISHED)
            bad = {"detail": f"{package.key}: HTTP 403"} if not kind.good else {}
            self.store.write_outcome(outcome(package.key, kind, version=package.version, **bad))
        return self

    def recorded(self, state: RecordState = RecordState.MADE) -> "Ending":
        at = outcome("npm/tasker", OutcomeKind.PUBLISHED).at
        page = "https://github.example/releases/v0.1.9"
        self.store.write_record(
            Record(
                subject="github_release", state=state, name="v0.1.9", commit="c" * 40, mode=Mode.LIVE, url=page, at=at
            )
        )
        return self

    def ends(
        self,
        environment: Mapping[str, str],
        *,
        job: str = "release",
        failures: Mapping[str, str] | None = None,
        publishes: bool = True,
        dry_run: bool = False,
    ) -> None:
        run = ReleaseRun(
            release="v0.1.9",
            settings=Settings(dry_run=dry_run),
            manifest=load("tasker"),
            store=self.store,
            work=self.work,
            log=print,
            run="r1",
            environment=environment,
        )
        tell_end(run, failures or {}, job=job, publishes=publishes, log=LOG)


@pytest.fixture
def ending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ending:
    monkeypatch.setattr(notify, "PAUSE_SECONDS", 0.01)
    return Ending(tmp_path)


def test_a_release_that_went_well_is_told_with_each_packages_outcome(ending: Ending, receiver: Receiver) -> None:
    ending.published().recorded().ends(receiver.webhook)
    (body,) = receiver.hooked
    assert body.pop("at")
    assert body.pop("packages") == [
        {"package": p.key, "version": "0.1.9", "outcome": "published"} for p in ending.plan.packages
    ]
    assert body == {
        "release": "v0.1.9",
        "mode": "live",
        "result": "success",
        "summary": "9 of 9 packages published (live)",
        "problems": [],
        "link": "https://github.example/releases/v0.1.9",
        "run": "r1",
        "job": "release",
    }


def test_a_failure_is_told_with_what_stopped_the_run(ending: Ending, receiver: Receiver) -> None:
    ending.published(npm=OutcomeKind.FAILED).ends(receiver.webhook, failures={"npm__tasker": "HTTP 403:\n  not yours"})
    (body,) = receiver.hooked
    assert (body["result"], body["summary"]) == ("failure", "failed (live)")
    assert body["problems"] == ["npm__tasker: HTTP 403: not yours"]
    assert {row["package"]: row["outcome"] for row in body["packages"]}["npm/tasker"] == "failed"


def test_slices_say_nothing_and_their_summary_speaks_for_all_of_them(ending: Ending, receiver: Receiver) -> None:
    for job in ("detect_and_calculate", "build_ruby", "gate", "publish_crates", "publish_typescript", "github_release"):
        ending.ends(receiver.webhook, job=job, failures={"gate": "no-go"})
    assert receiver.hooked == []
    ending.published(npm=OutcomeKind.FAILED).ends(receiver.webhook, job="release_summary", publishes=False)
    (body,) = receiver.hooked
    assert (body["result"], body["summary"]) == ("failure", "8 of 9 packages published (live)")
    assert body["problems"] == ["npm/tasker: npm/tasker: HTTP 403"]
    ending.published().recorded().ends(receiver.webhook, job="release_summary", publishes=False)
    assert receiver.hooked[1]["result"] == "success"


@pytest.mark.parametrize("state", [RecordState.FAILED, None])
def test_what_is_published_and_not_recorded_is_no_success_of_the_whole(
    ending: Ending, receiver: Receiver, state: RecordState | None
) -> None:
    ending.published()
    if state is not None:
        ending.recorded(state)
    ending.ends(receiver.webhook, job="release_summary", publishes=False)
    assert receiver.hooked[0]["result"] == "failure"


def test_a_slice_that_left_nothing_behind_makes_the_summary_a_failure(ending: Ending, receiver: Receiver) -> None:
    ending.ends(receiver.webhook, job="release_summary", publishes=False)
    assert (receiver.hooked[0]["result"], receiver.hooked[0]["summary"]) == (
        "failure",
        "0 of 9 packages published (live)",
    )


def test_single_assets_are_told_of_where_they_publish_so_that_a_repair_is_heard_of(
    ending: Ending, receiver: Receiver
) -> None:
    ending.published(npm=OutcomeKind.FAILED)
    ending.ends(receiver.webhook, job="__ASSET_JOB", publishes=False)
    ending.ends(receiver.webhook, job="__ASSET_JOB", dry_run=True)
    assert receiver.hooked == []
    ending.published().ends(receiver.webhook, job="__ASSET_JOB")
    assert (receiver.hooked[0]["result"], receiver.hooked[0]["summary"]) == (
        "success",
        "9 of 9 packages published (live)",
    )


def test_a_run_that_another_one_refused_tells_nothing(ending: Ending, receiver: Receiver) -> None:
    lock = ending.store.folder / ".run.lock"
    lock.write_text('{"run": "r0", "pid": 1, "since": "now"}')
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        ending.ends(receiver.webhook, failures={"input": "release v0.1.9: run r0 is working on it"})
    assert receiver.hooked == []


@pytest.mark.parametrize(
    ("environment", "link"),
    [
        ({}, ""),
        ({"TASKER_RELEASE_UI_URL": "https://releases.example/"}, "https://releases.example/runs/r1"),
        (ACTIONS, "https://github.example/tasker-systems/tasker-core/actions/runs/77"),
    ],
)
def test_the_link_leads_to_the_run(ending: Ending, receiver: Receiver, environment: dict[str, str], link: str) -> None:
    ending.ends({**receiver.webhook, **environment})
    assert receiver.hooked[0]["link"] == link


def test_slack_is_told_in_its_channel_what_is_open_and_why(ending: Ending, receiver: Receiver) -> None:
    ending.published(npm=OutcomeKind.CONFLICT)
    ending.ends({**receiver.chat, **ACTIONS}, failures={"npm__tasker": "<!channel> & other bytes"})
    (message,) = receiver.posted
    assert message["channel"] == CHANNEL
    assert message["text"].split("\n") == [
        ":x: *v0.1.9*: failed (live)",
        "• npm/tasker 0.1.9: conflict",
        "> npm__tasker: &lt;!channel&gt; &amp; other bytes",
        "<https://github.example/tasker-systems/tasker-core/actions/runs/77|Read on>",
    ]
    assert receiver.hooked == []


def test_slack_hears_of_a_success_in_one_line(ending: Ending, receiver: Receiver) -> None:
    ending.published().recorded().ends(receiver.chat)
    assert receiver.posted[0]["text"].split("\n")[0] == ":white_check_mark: *v0.1.9*: 9 of 9 packages published (live)"


def test_nobody_is_told_unless_it_is_set(ending: Ending, caplog: pytest.LogCaptureFixture) -> None:
    ending.published().recorded().ends({"TASKER_RELEASE_WEBHOOK_URL": " "})
    assert caplog.records == []


def warned(caplog: pytest.LogCaptureFixture) -> str:
    (record,) = [record for record in caplog.records if record.name == LOG.name]
    assert record.levelno == logging.WARNING
    return record.getMessage()


def test_a_webhook_that_is_down_for_a_moment_is_told_the_second_time(ending: Ending, receiver: Receiver) -> None:
    receiver.statuses = [503]
    ending.ends(receiver.webhook)
    assert len(receiver.hooked) == 1


@pytest.mark.parametrize(
    ("statuses", "said"),
    [
        ([503, 503], "TASKER_RELEASE_WEBHOOK_URL: ***: HTTP 503"),
        ([302, 302], "TASKER_RELEASE_WEBHOOK_URL: ***: HTTP 302"),
        ([404], "TASKER_RELEASE_WEBHOOK_URL: 127.0.0.1 answered HTTP 404; correct the address"),
    ],
)
def test_a_refused_message_is_a_warning_without_the_address(
    ending: Ending,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
    statuses: list[int],
    said: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    receiver.statuses = statuses
    ending.ends(receiver.webhook)
    assert f"not told how the release ended: {said}" in warned(caplog)
    assert HOOK not in caplog.text
    assert "secret-part" not in caplog.text


def test_an_address_is_in_no_log_when_all_goes_well_either(
    ending: Ending, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    ending.ends({**receiver.webhook, **receiver.chat})
    assert len(receiver.hooked) == len(receiver.posted) == 1
    assert "secret-part" not in caplog.text
    assert TOKEN not in caplog.text


def test_nobody_listening_is_a_warning_and_the_other_channel_is_told(
    ending: Ending, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    ending.ends({**receiver.chat, "TASKER_RELEASE_WEBHOOK_URL": f"http://127.0.0.1:9{HOOK}"})
    assert "TASKER_RELEASE_WEBHOOK_URL: ***: could not ask" in warned(caplog)
    assert len(receiver.posted) == 1


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"TASKER_RELEASE_WEBHOOK_URL": "hooks.example/secret-part"}, "is no address that starts with https://"),
        ({"TASKER_RELEASE_SLACK_TOKEN": TOKEN}, "TASKER_RELEASE_SLACK_CHANNEL is not: name the channel"),
    ],
)
def test_a_setting_that_cannot_work_is_a_warning_that_says_so(
    ending: Ending, caplog: pytest.LogCaptureFixture, environment: dict[str, str], said: str
) -> None:
    ending.ends(environment)
    assert said in warned(caplog)
    assert "secret" not in caplog.text


def test_what_slack_answers_is_in_the_warning(
    ending: Ending, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.slack = {"ok": False, "error": "channel_not_found"}
    ending.ends(receiver.chat)
    assert "channel_not_found" in warned(caplog)
    assert TOKEN not in caplog.text


def test_an_installation_without_slack_says_which_extra_to_install(
    ending: Ending, receiver: Receiver, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dagster_slack", None)
    ending.ends(receiver.chat)
    assert "pip install 'tasker-release-pipeline[slack]'" in warned(caplog)


def test_a_store_that_cannot_be_read_is_a_warning(
    ending: Ending, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    ending.store.write_bytes("plan.json", b"{half")
    ending.ends(receiver.webhook)
    assert "nobody was told how the release ended" in warned(caplog)


def test_many_long_problems_are_cut(ending: Ending, receiver: Receiver) -> None:
    ending.ends({**receiver.webhook, **receiver.chat}, failures={f"step{n}": "x" * 5000 for n in range(30)})
    problems = receiver.hooked[0]["problems"]
    assert (len(problems), max(map(len, problems))) == (10, 300)
    assert len(receiver.posted[0]["text"]) < 4000  # Slack takes no more


def everything_below(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def in_the_open(pipeline: Pipeline, printed: str) -> list[str]:
    """The places that hold a secret: of the instance, the store and the terminal."""
    left = {**everything_below(pipeline.home), **everything_below(pipeline.store), "terminal": printed.encode()}
    secrets = (b"secret-part-of-the-address", TOKEN.encode())
    return [place for place, content in left.items() if any(secret in content for secret in secrets)]


@pytest.mark.toolchain
def test_a_run_tells_from_within_and_a_message_that_does_not_arrive_is_no_failure(
    world: World, receiver: Receiver
) -> None:
    pipeline = Pipeline(world.folder, world.source.path)
    receiver.statuses = [500, 500]
    ended = pipeline.execute("release_summary", "rehearsal-1", {**receiver.webhook, **receiver.chat})
    assert ended.status == 0, ended.output
    assert "WARNING not told how the release ended: TASKER_RELEASE_WEBHOOK_URL: ***: HTTP 500" in ended.output
    assert [message["text"] for message in receiver.posted] == [":x: *rehearsal-1*: not planned (rehearsal)"]
    assert in_the_open(pipeline, ended.output) == []


@pytest.mark.service
@pytest.mark.toolchain
def test_a_run_that_is_refused_is_told_with_the_reason(world: World, receiver: Receiver) -> None:
    pipeline = Pipeline(world.folder, world.source.path)
    ended = pipeline.execute("release", "rehearsal-1", {**receiver.webhook, **receiver.chat}, from_ref="nowhere")
    assert ended.status == 1
    (body,) = receiver.hooked
    assert (body["release"], body["mode"], body["result"]) == ("rehearsal-1", "rehearsal", "failure")
    assert body["problems"][0].startswith("input: from_ref 'nowhere'"), body["problems"]
    assert receiver.posted[0]["text"].startswith(":x: *rehearsal-1*: failed (rehearsal)")
    assert in_the_open(pipeline, ended.output) == []
