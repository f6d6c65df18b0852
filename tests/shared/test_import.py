"""A release that ran elsewhere, brought into an instance that knows nothing of it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from tasker_release_pipeline.loopback.github import LoopbackGitHub, serve_github
from tasker_release_pipeline.loopback.github_artifacts import keep_artifact
from tasker_release_pipeline.orchestration import metadata
from tasker_release_pipeline.orchestration.bring_in import bring_in
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.outcome import Outcome, OutcomeKind
from tasker_release_pipeline.release.record import Record, RecordState
from tasker_release_pipeline.release.settings import Mode, Settings
from tasker_release_pipeline.store import ReleaseStore
from tests.github.conftest import NAME
from tests.release.building import PGMQ, outcome, planned

RELEASE = "v0.1.9"
NPM = "npm/tasker"
REASON = "npm said 500; run it again"


@pytest.fixture
def store(tmp_path: Path) -> ReleaseStore:
    return ReleaseStore.of(RELEASE, {"TASKER_RELEASE_STORE": str(tmp_path / "store")})


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as found:
        yield found


def publish(store: ReleaseStore, commit: str = "c" * 40) -> None:
    """All crates and bindings are out, but npm failed."""
    plan = planned(PGMQ, release=RELEASE).model_copy(update={"commit": commit})
    store.write("plan.json", plan)
    store.write("settings.json", Settings(source="/not/here", dry_run=False))
    for package in plan.packages:
        failed = package.key == NPM
        kind = OutcomeKind.FAILED if failed else OutcomeKind.PUBLISHED
        detail = REASON if failed else ""
        store.write_outcome(outcome(package.key, kind, version=package.version, detail=detail))


def last(store: ReleaseStore, package: str) -> Outcome:
    found = store.outcome(package)
    assert found is not None
    return found


def materialized(instance: dg.DagsterInstance, asset: str) -> list[dg.AssetMaterialization]:
    records = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset.split("/")), asset_partitions=[RELEASE])
    found = [r.asset_materialization for r in instance.fetch_materializations(records, limit=10).records]
    return [event for event in found if event is not None]


def observed(instance: dg.DagsterInstance, asset: str) -> list[dg.AssetObservation]:
    records = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset.split("/")), asset_partitions=[RELEASE])
    found = [r.event_log_entry.asset_observation for r in instance.fetch_observations(records, limit=10).records]
    return [event for event in found if event is not None]


def test_the_instance_knows_what_is_out_and_why_the_rest_is_missing(
    store: ReleaseStore, instance: dg.DagsterInstance
) -> None:
    publish(store)
    bring_in(instance, store)
    assert instance.get_dynamic_partitions("releases") == [RELEASE]
    (gem,) = materialized(instance, "rubygems/tasker-rb")
    shown = metadata.of_outcome(last(store, "rubygems/tasker-rb"))
    assert gem.metadata == dg.AssetMaterialization("any", metadata=shown).metadata
    assert (gem.tags or {})["dagster/data_version"] == last(store, "rubygems/tasker-rb").version
    assert materialized(instance, NPM) == []
    (missing,) = observed(instance, NPM)
    assert (missing.metadata["outcome"].value, missing.metadata["detail"].value) == ("failed", REASON)


def test_twice_is_the_same_as_once(store: ReleaseStore, instance: dg.DagsterInstance) -> None:
    publish(store)
    assert bring_in(instance, store)
    assert bring_in(instance, store) == []
    assert len(materialized(instance, "rubygems/tasker-rb")) == len(observed(instance, NPM)) == 1


def test_only_what_has_changed_since_is_told(store: ReleaseStore, instance: dg.DagsterInstance) -> None:
    publish(store)
    bring_in(instance, store)
    version = last(store, NPM).version
    store.write_outcome(outcome(NPM, OutcomeKind.PUBLISHED, after=9, version=version, attempt=2))
    told = bring_in(instance, store)
    assert [event.asset_key.to_user_string() for event in told] == [NPM]
    assert len(materialized(instance, NPM)) == 1


def test_tags_and_the_github_release_are_told(store: ReleaseStore, instance: dg.DagsterInstance) -> None:
    publish(store)
    for subject, state in (("tags/core", RecordState.MADE), ("github_release", RecordState.FAILED)):
        store.write_record(
            Record(subject=subject, state=state, name="x", commit="c" * 40, mode=Mode.LIVE, at=datetime.now(UTC))
        )
    bring_in(instance, store)
    assert len(materialized(instance, "tags/core")) == len(observed(instance, "github_release")) == 1
    assert materialized(instance, "github_release") == []


def test_a_release_that_nobody_knows_is_named_and_leaves_no_partition(
    store: ReleaseStore, instance: dg.DagsterInstance
) -> None:
    with pytest.raises(InputError, match=r"nothing is known of v0\.1\.9"):
        bring_in(instance, store)
    assert instance.get_dynamic_partitions("releases") == []


# --- from a run of GitHub Actions


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LoopbackGitHub]:
    with serve_github(tmp_path / "github", source=tmp_path, repository=NAME) as served:
        yield served


def handed_on(server: LoopbackGitHub, tmp_path: Path, commit: str = "c" * 40) -> int:
    """A run whose jobs left what `publish` makes, in two artifacts."""
    there = ReleaseStore.of(RELEASE, {"TASKER_RELEASE_STORE": str(tmp_path / "ci")})
    publish(there, commit)
    run: int = server.state.add("runs", lambda _: {"path": ".github/workflows/release.yml"})["id"]
    files = {str(p.relative_to(there.root.path)): p.read_bytes() for p in Path(there.root.path).rglob("*.json")}
    first = {name: content for name, content in files.items() if "outcomes" not in name}
    keep_artifact(server.state, run, "store-detect-and-calculate", first)
    keep_artifact(server.state, run, "store-publish", {n: c for n, c in files.items() if n not in first})
    keep_artifact(server.state, run, "coverage", {"../../outside": b"not ours"})
    return run


def import_release(
    tmp_path: Path, server: LoopbackGitHub, *arguments: str, release: str = RELEASE
) -> subprocess.CompletedProcess[str]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("TASKER_", "GITHUB_"))},
        "DAGSTER_HOME": str(tmp_path / "dagster"),
        "TASKER_RELEASE_STORE": str(tmp_path / "store"),
        "GITHUB_API_URL": server.url,
        "GITHUB_REPOSITORY": NAME,
        "GITHUB_TOKEN": server.token,
    }
    command = [str(Path(sys.executable).with_name("tasker-release")), "import", release, *arguments]
    return subprocess.run(
        command, cwd=tmp_path, env=environment, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def test_what_a_run_of_actions_left_is_fetched_and_brought_in(
    tmp_path: Path, server: LoopbackGitHub, store: ReleaseStore
) -> None:
    run = handed_on(server, tmp_path)
    done = import_release(tmp_path, server, "--from-run", str(run))
    assert done.returncode == 0, done.stderr
    assert "npm/tasker: missing, with the reason" in done.stdout
    assert "set TASKER_RELEASE_SOURCE" in done.stdout  # CI's checkout is not here
    assert last(store, NPM).detail == REASON
    with dg.DagsterInstance.from_config(str(tmp_path / "dagster")) as instance:
        assert instance.get_dynamic_partitions("releases") == [RELEASE]
        assert len(materialized(instance, "rubygems/tasker-rb")) == 1


@pytest.mark.service
def test_what_came_after_a_run_is_not_undone_by_fetching_it_again(
    tmp_path: Path, server: LoopbackGitHub, store: ReleaseStore
) -> None:
    run = handed_on(server, tmp_path)
    import_release(tmp_path, server, "--from-run", str(run))
    store.write("settings.json", Settings(source="/changed/since"))
    again = import_release(tmp_path, server, "--from-run", str(run))
    assert "0 assets were news" in again.stdout
    assert store.read("settings.json", Settings) == Settings(source="/changed/since")


def test_a_run_of_another_release_is_refused(tmp_path: Path, server: LoopbackGitHub) -> None:
    run = handed_on(server, tmp_path)
    done = import_release(tmp_path, server, "--from-run", str(run), release="v0.2.0")
    assert done.returncode == 1
    assert "which is no file of v0.2.0; name the run of this release" in done.stderr
    assert not (tmp_path / "store" / "v0.2.0").exists()


def test_a_release_that_was_begun_by_another_plan_is_not_mixed_with_it(
    tmp_path: Path, server: LoopbackGitHub, store: ReleaseStore
) -> None:
    publish(store)
    run = handed_on(server, tmp_path, commit="d" * 40)
    done = import_release(tmp_path, server, "--from-run", str(run))
    assert done.returncode == 1
    assert "were begun by plan" in done.stderr


def test_a_file_that_would_lead_outside_is_refused(tmp_path: Path, server: LoopbackGitHub) -> None:
    run: int = server.state.add("runs", lambda _: {})["id"]
    keep_artifact(server.state, run, "store-gate", {f"{RELEASE}/../../evil.json": b"{}"})
    done = import_release(tmp_path, server, "--from-run", str(run))
    assert "which is no file of v0.1.9" in done.stderr
    assert not list(tmp_path.rglob("evil.json"))
