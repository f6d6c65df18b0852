"""What only CI may publish: the release workflow is started on GitHub, followed, and its end taken over."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

import dagster as dg
import pytest
import yaml

from tasker_release_pipeline.loopback.github_artifacts import keep_artifact
from tasker_release_pipeline.loopback.github_state import Row
from tasker_release_pipeline.orchestration.io_manager import StoreIOManager
from tasker_release_pipeline.orchestration.publishing import publish_assets
from tasker_release_pipeline.orchestration.resources import SettingsResource
from tasker_release_pipeline.release.artifact import ReleaseManifest
from tasker_release_pipeline.release.errors import InputError, ReleaseError, UnavailableError
from tasker_release_pipeline.release.gate import Gate, Verdict
from tasker_release_pipeline.release.outcome import Outcome, OutcomeKind
from tasker_release_pipeline.release.publish_from import PublishFrom, exposed, publish_from
from tasker_release_pipeline.release.record import Record, RecordState
from tasker_release_pipeline.release.settings import Mode, Settings
from tasker_release_pipeline.steps import dispatch
from tasker_release_pipeline.steps.dispatch import Dispatched, is_githubs, publish_on_github
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.summary import write_summary
from tests.release.building import PGMQ, TASKER, outcome

from ..pipeline.test_kills import until
from .released import Released

ROOT = Path(__file__).parents[2]
WORKFLOW = (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
NPM = "npm/tasker"
LIVE = {"dry_run": False}


# --- from where


@pytest.mark.parametrize(
    ("config", "environment", "named", "expected"),
    [
        (LIVE, {}, None, "github"),
        (LIVE, {"RELEASE_DRY_RUN": "true"}, None, "github"),
        (LIVE, {"RELEASE_DRY_RUN": "false"}, None, "here"),
        (LIVE, {"RELEASE_DRY_RUN": "false"}, "github", "github"),
        (LIVE, {"RELEASE_DRY_RUN": "false", "TASKER_RELEASE_PUBLISH_FROM": "github"}, "here", "here"),
        (LIVE, {"TASKER_RELEASE_PUBLISH_FROM": "github"}, None, "github"),
        (LIVE, {"GITHUB_ACTIONS": "true"}, "github", "here"),
        ({"dry_run": True}, {}, "github", "here"),
        ({}, {}, None, "here"),
        (LIVE | {"registries": "rehearsal"}, {}, "github", "here"),
    ],
)
def test_an_open_latch_means_here_a_closed_one_github_unless_it_is_said(
    config: Mapping[str, Any], environment: Mapping[str, str], named: str | None, expected: str
) -> None:
    assert publish_from(config, environment, None, named) == expected


def test_here_with_a_closed_latch_names_both_ways_out() -> None:
    with pytest.raises(InputError, match=r"set RELEASE_DRY_RUN=false .* or TASKER_RELEASE_PUBLISH_FROM=github"):
        publish_from(LIVE, {}, None, "here")
    with pytest.raises(InputError, match="publish_from: 'gitlab' is none of github, here"):
        publish_from(LIVE, {}, None, "gitlab")


def test_what_the_release_was_run_with_counts_without_a_word_of_the_run() -> None:
    assert publish_from({}, {}, Settings(dry_run=False)) is PublishFrom.GITHUB


@pytest.mark.parametrize(
    ("environment", "warns"),
    [
        ({"RELEASE_DRY_RUN": "false", "DAGSTER_WEBSERVER_HOST": "192.0.2.7"}, True),
        ({"RELEASE_DRY_RUN": "false", "DAGSTER_WEBSERVER_HOST": "127.0.0.1"}, False),
        ({"RELEASE_DRY_RUN": "false"}, False),
        ({"DAGSTER_WEBSERVER_HOST": "192.0.2.7"}, False),
        (
            {"RELEASE_DRY_RUN": "false", "DAGSTER_WEBSERVER_HOST": "::", "TASKER_RELEASE_PUBLISH_FROM": "github"},
            False,
        ),
    ],
)
def test_a_server_that_publishes_for_whoever_reaches_it_is_warned_of(environment: dict[str, str], warns: bool) -> None:
    assert (exposed(environment) is not None) == warns


# --- one registry of a live release


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(dispatch, "MOST_SECONDS", 10.0)


@pytest.fixture
def source(world: Released) -> int:
    """The run of the tag that built and proved the release, and in which npm failed; it was imported."""
    world.repository.commit("v0.1.9", files={".github/workflows/release.yml": WORKFLOW})
    world.prepare(PGMQ)
    world.publish()
    failed = outcome(NPM, OutcomeKind.FAILED, after=1, version="0.1.9", detail="npm said 403", attempt=2)
    world.store.write_outcome(failed)
    manifest = world.store.demand("manifest.json", ReleaseManifest, "")
    gate = Gate(
        release=world.release, manifest=manifest.digest, mode=Mode.LIVE, verdict=Verdict.GO, checks=(), findings=()
    )
    world.store.write("gate.json", gate)
    world.store.write("settings.json", Settings(dry_run=False))
    row = {"path": ".github/workflows/release.yml", "event": "push", "head_branch": world.release}
    number: int = world.server.state.add("runs", lambda _: {**row, "status": "completed", "conclusion": "failure"})[
        "id"
    ]
    keep_artifact(world.server.state, number, "store-gate", {"v0.1.9/gate.json": gate.model_dump_json().encode()})
    return number


Step = Callable[[Row], None]


def actions(world: Released, *steps: Step) -> tuple[ReleaseRun, list[str]]:
    """A run on a machine with a closed latch, and what it logs; with each line GitHub goes one step on."""
    said: list[str] = []
    left = list(steps)

    def log(line: str) -> None:
        said.append(line)
        if left and (row := newest(world)) is not None:
            left.pop(0)(row)

    return replace(world.run(RELEASE_DRY_RUN="true"), log=log), said


def newest(world: Released) -> Row | None:
    """The last run that was started by hand."""
    return next((row for row in world.server.state.rows("runs") if row["event"] == "workflow_dispatch"), None)


def goes_on(world: Released, status: str, conclusion: str | None = None, **jobs: str) -> Step:
    """The run, and by name its jobs, are in this state."""

    def step(row: Row) -> None:
        listed = [{"name": name.replace("_", "-"), "status": state} for name, state in jobs.items()]
        world.server.state.update("runs", {**row, "status": status, "conclusion": conclusion, "jobs": listed})

    return step


def ends(world: Released, *outcomes: Outcome, conclusion: str = "success") -> Step:
    """The run has handed on these outcomes, and is over."""

    def step(row: Row) -> None:
        files = {
            f"v0.1.9/outcomes/{o.package}/{o.run}-{o.attempt}.json": o.model_dump_json().encode() for o in outcomes
        }
        if files:
            keep_artifact(world.server.state, row["id"], "store-publish", files)
        goes_on(world, "completed", conclusion)(row)

    return step


def of_ci(kind: OutcomeKind, key: str = NPM, **rest: Any) -> Outcome:
    return outcome(key, kind, after=60, version="0.1.9", run="ci", **rest)


def test_the_workflow_publishes_and_the_step_ends_as_it_ended(world: Released, source: int) -> None:
    page = "https://www.npmjs.com/package/@tasker-systems/tasker"
    run, said = actions(
        world,
        goes_on(world, "waiting"),
        goes_on(world, "in_progress", publish_typescript="in_progress"),
        ends(world, of_ci(OutcomeKind.PUBLISHED, page=page)),
    )
    assert is_githubs(run, {}, None)
    done = publish_on_github(run, NPM)
    assert (done.kind, done.page, done.mode) == (OutcomeKind.PUBLISHED, page, Mode.LIVE)
    assert world.store.outcome(NPM) == done
    assert write_summary(run, {}).startswith("# Release v0.1.9: 9 of 9 packages published (live)")
    row = newest(world)
    assert row is not None
    expected = {"release": "v0.1.9", "only": "npm", "source_run_id": str(source), "dry_run": "false"}
    assert (row["inputs"], row["head_branch"]) == (expected, "main")
    started, waits, job, *rest = said
    assert started.startswith("started release.yml for v0.1.9, npm: http")
    assert waits.startswith("waits for a reviewer's approval: http")
    assert (job, rest[0]) == ("publish-typescript: in_progress", f"run {row['id']} ended: success")


@pytest.mark.usefixtures("source")
def test_the_workflow_has_every_input_that_is_given(world: Released) -> None:
    run, _ = actions(world, ends(world, of_ci(OutcomeKind.PUBLISHED)))
    publish_on_github(run, NPM)
    row = newest(world)
    assert row is not None
    inputs = yaml.safe_load(WORKFLOW)[True]["workflow_dispatch"]["inputs"]  # YAML reads `on` as true
    assert set(row["inputs"]) <= set(inputs)
    assert row["inputs"]["only"] in inputs["only"]["options"]


@pytest.mark.usefixtures("source")
def test_a_failure_there_is_a_failure_here_with_its_words(world: Released) -> None:
    failed = of_ci(OutcomeKind.FAILED, detail="npm said 402, pay first")
    run, _ = actions(world, ends(world, failed, conclusion="failure"))
    with pytest.raises(ReleaseError, match=r"npm/tasker: failed; release.yml ended with failure: http.*402, pay first"):
        publish_on_github(run, NPM)
    assert world.store.outcome(NPM) == failed


@pytest.mark.usefixtures("source")
def test_a_run_that_a_reviewer_refused_is_no_outcome(world: Released) -> None:
    run, _ = actions(world, ends(world, conclusion="failure"))
    with pytest.raises(ReleaseError, match=r"npm/tasker: was not attempted; release.yml ended with failure: http"):
        publish_on_github(run, NPM)


@pytest.mark.usefixtures("source")
def test_a_run_that_is_on_its_way_is_joined_and_none_started_besides(
    world: Released, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "MOST_SECONDS", 0.0)
    run, _ = actions(world)
    with pytest.raises(UnavailableError, match=r"is still queued .* run this again to wait on"):
        publish_on_github(run, NPM)
    monkeypatch.undo()
    again, said = actions(world, ends(world, of_ci(OutcomeKind.PUBLISHED)))
    assert publish_on_github(replace(again, run="another"), NPM).kind is OutcomeKind.PUBLISHED
    assert said[0].startswith("joins run ")
    assert len([row for row in world.server.state.rows("runs") if row["event"] == "workflow_dispatch"]) == 1


@pytest.mark.usefixtures("source")
def test_all_packages_of_a_registry_share_one_workflow_run(world: Released) -> None:
    crates = [package.key for package in world.plan.packages if package.registry == "crates_io"]
    run, _ = actions(world, ends(world, *(of_ci(OutcomeKind.ALREADY_PUBLISHED, key) for key in crates)))
    assert {publish_on_github(run, key).kind for key in crates} == {OutcomeKind.ALREADY_PUBLISHED}
    assert len([row for row in world.server.state.rows("runs") if row["event"] == "workflow_dispatch"]) == 1
    # The next press is another wish.
    run, _ = actions(world, ends(world, *(of_ci(OutcomeKind.ALREADY_PUBLISHED, key, attempt=2) for key in crates)))
    publish_on_github(replace(run, run="another"), crates[0])
    assert len([row for row in world.server.state.rows("runs") if row["event"] == "workflow_dispatch"]) == 2


@pytest.mark.usefixtures("source")
def test_packages_that_ask_in_the_same_moment_start_one_workflow_run(world: Released) -> None:
    crates = [package.key for package in world.plan.packages if package.registry == "crates_io"]
    run, _ = actions(world, ends(world, *(of_ci(OutcomeKind.PUBLISHED, key) for key in crates)))
    with ThreadPoolExecutor(max_workers=len(crates)) as pool:
        done = list(pool.map(lambda key: publish_on_github(run, key), crates))
    assert {outcome.kind for outcome in done} == {OutcomeKind.PUBLISHED}
    assert len([row for row in world.server.state.rows("runs") if row["event"] == "workflow_dispatch"]) == 1


@pytest.mark.usefixtures("source")
def test_a_github_that_does_not_name_the_run_it_started_is_asked_for_it(world: Released) -> None:
    world.server.state.set_up(names_started_runs=False)
    older = {"path": ".github/workflows/release.yml", "event": "workflow_dispatch", "head_branch": "main"}
    world.server.state.add("runs", lambda _: {**older, "status": "completed", "conclusion": "success"})
    run, _ = actions(world, ends(world, of_ci(OutcomeKind.PUBLISHED)))
    assert publish_on_github(run, NPM).kind is OutcomeKind.PUBLISHED


def test_the_files_are_those_of_the_run_that_was_imported_last(world: Released, source: int) -> None:
    run, _ = actions(world, ends(world, of_ci(OutcomeKind.PUBLISHED)))
    world.store.write_bytes("fetched/901.json", f'{{"run": {source}, "name": "store-gate", "digest": ""}}'.encode())
    world.store.write_bytes("fetched/902.json", b'{"run": 99, "name": "store-publish-crates", "digest": ""}')
    publish_on_github(run, NPM)
    row = newest(world)
    assert row is not None
    assert row["inputs"]["source_run_id"] == str(source)


def test_without_a_run_that_proved_the_files_nothing_is_started(world: Released, source: int) -> None:
    world.server.state.remove("runs", source)
    run, _ = actions(world)
    with pytest.raises(InputError, match=r"tasker-release import v0\.1\.9 --from-run ID"):
        publish_on_github(run, NPM)
    assert newest(world) is None
    assert world.store.read("dispatched/npm.json", Dispatched) is None


@pytest.mark.usefixtures("source")
def test_without_a_token_the_message_says_which(world: Released) -> None:
    run = replace(world.run(RELEASE_DRY_RUN="true", GITHUB_TOKEN=""), log=lambda _: None)
    with pytest.raises(InputError, match=r"set GITHUB_TOKEN, with `actions: write`"):
        publish_on_github(run, NPM)


@pytest.mark.usefixtures("source")
def test_what_is_not_part_of_the_release_starts_nothing(world: Released) -> None:
    plan = world.plan
    packages = [p.model_copy(update={"publish": False}) if p.key == NPM else p for p in plan.packages]
    world.store.write("plan.json", plan.model_copy(update={"packages": tuple(packages)}))
    run, _ = actions(world)
    assert publish_on_github(run, NPM).kind is OutcomeKind.UNCHANGED
    assert newest(world) is None


@pytest.mark.parametrize("changes", [{"mode": Mode.DRY_RUN}, {"mode": Mode.REHEARSAL}, {"verdict": Verdict.NO_GO}])
@pytest.mark.usefixtures("source")
def test_what_no_gate_let_through_for_real_is_never_handed_to_github(world: Released, changes: dict[str, Any]) -> None:
    run, _ = actions(world)
    gate = world.store.demand("gate.json", Gate, "")
    world.store.write("gate.json", gate.model_copy(update=changes))
    assert not is_githubs(run, LIVE, "github")


# --- in the graph

dagsters_own = pytest.mark.filterwarnings("ignore:The `__fields__` attribute is deprecated")


def materialize(world: Released, instance: dg.DagsterInstance, *steps: Step) -> dg.ExecuteInProcessResult:
    """*Materialize* on npm/tasker for the release, with no config, while GitHub does these steps."""

    resources = {"settings": SettingsResource(), "io_manager": StoreIOManager()}
    asset = next(asset for asset in publish_assets(TASKER) if asset.key.to_user_string() == NPM)
    over = Event()
    instance.add_dynamic_partitions("releases", [world.release])

    def github() -> None:
        for step in steps:
            until(lambda: newest(world) or over.is_set(), 60)
            if (row := newest(world)) is not None:
                step(row)

    player = Thread(target=github)
    player.start()
    try:
        return dg.materialize(
            [asset], partition_key=world.release, instance=instance, resources=resources, raise_on_error=False
        )
    finally:
        over.set()
        player.join()


@pytest.fixture
def web_host(world: Released, monkeypatch: pytest.MonkeyPatch) -> Released:
    """The machine of the web UI: a closed latch, no registry's token, one that may start workflows."""
    for name, value in world.run(TASKER_RELEASE_SOURCE=str(world.repository.path)).environment.items():
        monkeypatch.setenv(name, value)
    for name in ("RELEASE_DRY_RUN", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    return world


@dagsters_own
@pytest.mark.usefixtures("source")
def test_materialize_turns_green_with_what_github_published_and_recorded(web_host: Released) -> None:
    tag = Record(
        subject="tags/typescript", state=RecordState.MADE, name="typescript-v0.1.9", commit=web_host.commit,
        mode=Mode.LIVE, run="ci", at=datetime.now(UTC),
    )  # fmt: skip

    def tagged(row: Row) -> None:
        files = {"v0.1.9/records/tags/typescript/ci-1.json": tag.model_dump_json().encode()}
        keep_artifact(web_host.server.state, row["id"], "store-tag", files)

    with dg.instance_for_test() as instance:
        result = materialize(web_host, instance, tagged, ends(web_host, of_ci(OutcomeKind.PUBLISHED)))
        assert result.success
        (event,) = result.asset_materializations_for_node("npm__tasker")
        assert (event.metadata["outcome"].value, event.metadata["mode"].value[:4]) == ("published", "LIVE")
        assert instance.get_materialized_partitions(dg.AssetKey(["tags", "typescript"])) == {web_host.release}


@dagsters_own
@pytest.mark.usefixtures("source")
def test_materialize_turns_red_with_the_words_of_github_on_the_assets_page(web_host: Released) -> None:
    failed = of_ci(OutcomeKind.FAILED, detail="npm said 402, pay first")
    with dg.instance_for_test() as instance:
        assert not materialize(web_host, instance, ends(web_host, failed, conclusion="failure")).success
        records = dg.AssetRecordsFilter(asset_key=dg.AssetKey(["npm", "tasker"]))
        (found,) = instance.fetch_observations(records, limit=5).records
        assert found.event_log_entry.asset_observation is not None
        assert found.event_log_entry.asset_observation.metadata["detail"].value == "npm said 402, pay first"
