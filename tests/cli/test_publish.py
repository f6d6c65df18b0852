"""`run`, `status` and `publish-*` on a release that is built and proven, to registries on loopback."""

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tasker_release_pipeline.cli.run import JOBS
from tests.pipeline.conftest import CRATES, FIRST, NINE, Pipeline, git
from tests.pipeline.test_definitions import JOBS as GRAPH

from .conftest import World, entry_point

pytestmark = pytest.mark.toolchain

RELEASE = FIRST
SECRET = "never-to-be-written-anywhere"


@pytest.fixture
def ready(first_release: Pipeline, tmp_path: Path) -> World:
    """A rehearsal that has the gate's go, of which nothing is published, and another clone of its source."""
    world = World(tmp_path)
    git(tmp_path, "clone", "--quiet", str(first_release.source), str(world.source))
    shutil.copytree(first_release.store / RELEASE, world.store / RELEASE)
    for recorded in ("outcomes", "records", "summary.md"):
        path = world.store / RELEASE / recorded
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    return world


def act(world: World, *command: str) -> str:
    """What a command prints that has to succeed."""
    ended = world.run(*command, TASKER_RELEASE_SOURCE=str(world.source))
    assert ended.status == 0, ended.output[-3000:] + ended.errors[-3000:]
    return ended.output


def refused(world: World, *command: str, status: int = 1, **environment: str) -> str:
    """What a command says that has to fail."""
    ended = world.run(*command, TASKER_RELEASE_SOURCE=str(world.source), **environment)
    assert ended.status == status, ended.output[-3000:] + ended.errors[-3000:]
    assert "Traceback" not in ended.errors
    return ended.errors


def presence(world: World) -> dict[str, str]:
    """What `status` says that the registries hold."""
    said = json.loads(act(world, "tasker-release", "status", RELEASE, "--json"))
    return {package["package"]: package["presence"] for package in said["packages"]}


def test_run_prints_what_is_done_and_where_the_summary_lies_and_writes_no_secret_anywhere(world: World) -> None:
    ended = world.release("run", "rehearsal-cli", "--no-dry-run", "--job", "detect_and_calculate", NPM_TOKEN=SECRET)
    assert (ended.status, ended.errors) == (0, "")
    lines = ended.output.splitlines()
    assert lines[0] == f"rehearsal-cli: rehearsal, from {world.source}"
    assert any("release_plan" in line and "npm/tasker: nothing published" in line for line in lines)
    assert lines[-1] == f"Summary: {world.store / 'rehearsal-cli' / 'summary.md'}"
    assert "\x1b" not in ended.output
    plan = json.loads((world.store / "rehearsal-cli" / "plan.json").read_text())
    assert (plan["settings"]["dry_run"], plan["settings"]["source"]) == (False, str(world.source))
    files = [path for path in world.folder.rglob("*") if path.is_file()]
    assert (world.folder / "dagster" / "dagster.yaml") in files
    assert SECRET not in ended.output
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]


def test_the_jobs_are_those_of_the_graph() -> None:
    assert set(JOBS) == GRAPH


def test_status_compares_what_is_planned_with_what_the_registries_hold(ready: World) -> None:
    assert presence(ready) == dict.fromkeys(NINE, "missing")
    assert not ready.registries.exists()
    ready.publish("0.1.1", "tasker-rb", text="a stranger's")
    shown = act(ready, "tasker-release", "status", RELEASE)
    assert "gate: go for a rehearsal" in shown
    (gem,) = [line for line in shown.splitlines() if line.startswith("tasker-rb ")]
    assert "other content" in gem
    assert "raise the version" in gem
    assert ready.release("faults", "--root", str(ready.registries), "pypi:read:503:always").status == 0
    assert presence(ready) == {
        **dict.fromkeys(NINE, "missing"),
        "rubygems/tasker-rb": "other content",
        "pypi/tasker-py": "unknown",
    }
    refusal = refused(ready, "publish-ruby", "0.1.1", "--dry-run")
    assert "it would be refused" in refusal
    assert "other content is published on RubyGems" in refusal


def test_status_lists_the_releases_and_names_them_where_one_is_not_there(ready: World) -> None:
    shown = act(ready, "tasker-release", "status").splitlines()
    assert shown[1].split()[:6] == [RELEASE, "rehearsal", "0", "of", "9", "go"]
    (listed,) = json.loads(act(ready, "tasker-release", "status", "--json"))
    assert (listed["release"], listed["packages"], listed["published"]) == (RELEASE, 9, 0)
    assert f"the store has {RELEASE}" in refused(ready, "tasker-release", "status", "rehearsal-other")


def test_a_target_is_published_in_order_stops_at_a_failure_and_is_finished_by_running_again(ready: World) -> None:
    assert "follows the crates, of which tasker-pgmq 0.1.1 is missing" in refused(ready, "publish-ruby", "0.1.1")
    dry = act(ready, "publish-crates", "0.1.1", "--dry-run")
    assert "tasker-cli-0.1.1.crate" in dry
    assert set(presence(ready).values()) == {"missing"}

    order = "crates_io:upload:403:package=tasker-client"
    assert ready.release("faults", "--root", str(ready.registries), order).status == 0
    failed = refused(ready, "publish-crates", "0.1.1")
    assert "tasker-client" in failed
    assert failed.rstrip().endswith("Out so far: crates_io/tasker-pgmq 0.1.1, crates_io/tasker-shared 0.1.1")
    out = {key for key, said in presence(ready).items() if said == "published"}
    assert out == {"crates_io/tasker-pgmq", "crates_io/tasker-shared"}
    assert "tasker-client" in (ready.store / RELEASE / "summary.md").read_text()

    failed = refused(ready, "publish-crates", "0.1.1", "--on-duplicate=fail")
    assert "tasker-pgmq 0.1.1, tasker-shared 0.1.1; on_duplicate is fail" in failed
    assert {key for key, said in presence(ready).items() if said == "published"} == out

    again = act(ready, "publish-crates", "0.1.1").splitlines()
    assert again[:3] == [
        "crates_io/tasker-pgmq 0.1.1: already_published",
        "crates_io/tasker-shared 0.1.1: already_published",
        "crates_io/tasker-client 0.1.1: published",
    ]
    assert {key for key, said in presence(ready).items() if said == "published"} == CRATES
    assert act(ready, "publish-typescript", "0.1.1") == "npm/tasker 0.1.1: published\n"
    assert act(ready, "publish-python", "0.1.1") == "pypi/tasker-py 0.1.1: published\n"
    assert act(ready, "publish-ruby", "0.1.1") == "rubygems/tasker-rb 0.1.1: published\n"
    assert presence(ready) == dict.fromkeys(NINE, "published")
    records = {path.parent.name for path in (ready.store / RELEASE / "records" / "tags").glob("*/*.json")}
    assert records == {"core", "ruby", "python", "typescript"}
    assert "9 of 9 packages published" in (ready.store / RELEASE / "summary.md").read_text()


def test_a_version_that_is_not_the_releases_is_wrong_usage(ready: World) -> None:
    assert "tasker-rb" not in refused(ready, "publish-ruby", "0.1.2", status=2).splitlines()[0]
    assert "has ruby 0.1.0, and no release in the store has 0.1.2" in refused(ready, "publish-ruby", "0.1.2", status=2)
    assert f"{RELEASE} has 0.1.1" in refused(ready, "publish-ruby", "0.1.2", "--release", RELEASE, status=2)
    assert "three parts" in refused(ready, "publish-ruby", "0.1.1.0", status=2)


def test_without_a_release_in_the_store_it_says_what_to_run(ready: World) -> None:
    said = refused(ready, "publish-ruby", "0.1.0")
    assert "tasker-release run" in said
    assert "--job gate" in said
    live = refused(ready, "publish-ruby", "0.1.1", status=2, TASKER_RELEASE_REGISTRIES="live")
    assert "no release in the store has 0.1.1" in live


def test_of_several_releases_one_has_to_be_named(ready: World) -> None:
    shutil.copytree(ready.store / RELEASE, ready.store / "rehearsal-other")
    said = refused(ready, "publish-ruby", "0.1.1", "--dry-run")
    assert f"{RELEASE}, rehearsal-other publish it to rubygems; say which with --release" in said


def test_without_the_gates_go_nothing_is_published(ready: World) -> None:
    gate = ready.store / RELEASE / "gate.json"
    go = gate.read_text()
    gate.write_text(go.replace('"mode": "rehearsal"', '"mode": "dry run"'))
    assert "the gate spoke for a dry run, this is rehearsal" in refused(ready, "publish-crates", "0.1.1")
    assert "the gate spoke for a dry run" in refused(ready, "publish-crates", "0.1.1", "--dry-run")
    gate.write_text(go.replace('"verdict": "go"', '"verdict": "no-go"'))
    assert "the gate says no-go" in refused(ready, "publish-crates", "0.1.1")
    assert "the gate says no-go" in refused(ready, "publish-crates", "0.1.1", "--dry-run")
    gate.unlink()
    assert "gate.json: is not there" in refused(ready, "publish-crates", "0.1.1")
    assert set(presence(ready).values()) == {"missing"}


def test_live_registries_take_nothing_while_the_latch_holds(ready: World) -> None:
    """Its settings are read, and the latch turns the call into a dry run before anything is asked."""
    settings = ready.store / RELEASE / "settings.json"
    shutil.copytree(ready.store / RELEASE, ready.store / "v0.1.1")
    for name in ("settings.json", "plan.json"):
        path = settings.with_name(name)
        live = path.read_text().replace('"registries": "rehearsal"', '"registries": "live"')
        (ready.store / "v0.1.1" / name).write_text(live)
    (ready.store / "v0.1.1" / "manifest.json").unlink()
    ended = ready.run("publish-crates", "0.1.1", TASKER_RELEASE_REGISTRIES="live")
    assert ended.status == 1
    assert "RELEASE_DRY_RUN is not false" in ended.output
    assert "manifest.json: is not there" in ended.errors


def test_a_job_that_fails_ends_with_one_and_the_ones_behind_it_do_not_run(world: World) -> None:
    ended = world.release("run", RELEASE, "--no-dry-run", "--job", "publish_typescript", "--job", "gate")
    assert ended.status == 1
    assert "plan.json: is not there" in ended.output
    assert "staged_install" not in ended.output
    assert ended.output.splitlines()[-1].startswith("Summary: ")


def test_wrong_settings_are_refused_before_dagster_starts(world: World) -> None:
    for arguments, said in (
        (["nightly"], "like v0.1.9"),
        (["v0.1.1"], "a release's key with `registries: rehearsal`"),
        ([RELEASE, "--manifest", "taskre"], "tasker, tasker-ctl"),
    ):
        assert said in refused(world, "tasker-release", "run", *arguments)
    assert not (world.folder / "dagster").exists()


@pytest.mark.slow
def test_a_ctrl_c_ends_a_run_in_order(ready: World) -> None:
    process = subprocess.Popen(
        [entry_point("tasker-release"), "run", RELEASE, "--job", "pre_flight_check"],
        cwd=ready.source,
        env=ready.environment(TASKER_RELEASE_SOURCE=str(ready.source)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    before = []
    for line in process.stdout:
        before.append(line)
        if "$ cargo package" in line:
            os.killpg(process.pid, signal.SIGINT)
            break
    rest, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "Interrupted. Run it again to continue.\n"), "".join(before) + rest
    assert "interrupted" in rest
    summary = (ready.store / RELEASE / "summary.md").read_text()
    assert "interrupted; run it again" in summary
