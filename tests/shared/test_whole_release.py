"""CI's jobs on machines of their own share a database and a bucket; the web UI repairs what they left."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import s3fs
from upath import UPath

from tasker_release_pipeline.loopback.fault_words import parse_faults
from tasker_release_pipeline.loopback.holdings import holdings
from tasker_release_pipeline.loopback.orders import order
from tests.pipeline.conftest import NINE, example

from .conftest import Bucket
from .machine import Machine, ended
from .postgres import PASSWORD, Postgres
from .web import daemon, web_server

RELEASE = "rehearsal-20260301-0300"
NPM = "npm/tasker"
BUILDS = ("build_ruby", "build_python", "build_typescript")
PUBLISH = ("publish_ruby", "publish_python", "publish_typescript")


class Team:
    """What CI's machines and that of the web UI have in common."""

    def __init__(self, folder: Path, database: str, bucket: Bucket) -> None:
        self.folder, self.database, self.bucket = folder, database, bucket
        self.source, self.registries = example(folder / "source"), folder / "registries"
        (folder / "cache").mkdir()

    def machine(self, name: str, **more: str) -> Machine:
        work = self.folder / name / "work"
        work.mkdir(parents=True)
        (work / "cache").symlink_to(self.folder / "cache")
        common = {
            "TASKER_RELEASE_REHEARSAL_REGISTRIES": str(self.registries),
            "TASKER_RELEASE_STORE": self.bucket.store,
        }
        return Machine(self.folder / name, self.database, {**common, **self.bucket.environment, **more})

    def job(self, name: str) -> Any:
        """One of CI's, on a machine of its own, with what the workflow sets in the environment."""
        ci = {"TASKER_RELEASE_SOURCE": str(self.source), "TASKER_RELEASE_DRY_RUN": "false"}
        machine = self.machine(name, TASKER_RELEASE_REGISTRIES="rehearsal", **ci)
        return machine.execute(name, RELEASE)

    def jobs(self, names: Iterable[str]) -> list[tuple[int, str]]:
        """Several at once; how each ended."""
        started = [self.job(name) for name in names]
        outputs = [process.communicate(timeout=500)[0] for process in started]
        return [(process.returncode, output) for process, output in zip(started, outputs, strict=True)]


def events(instance: dg.DagsterInstance) -> dict[str, tuple[Any, str | None]]:
    """By asset the metadata and data version that the instance has of the release."""
    found = {}
    for key in instance.all_asset_keys():
        records = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[RELEASE])
        for record in instance.fetch_materializations(records, limit=1).records:
            event = record.asset_materialization
            assert event is not None
            tags = event.tags or {}
            is_ours = tags.get("dagster/data_version_is_user_provided") == "true"  # else it is made of code and inputs
            found[key.to_user_string()] = (event.metadata, tags["dagster/data_version"] if is_ours else None)
    return found


@pytest.mark.service
@pytest.mark.toolchain
@pytest.mark.timeout(1500)
def test_the_web_ui_repairs_what_jobs_on_other_machines_left(
    tmp_path: Path, postgres: Postgres, database: str, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    team = Team(tmp_path, database, bucket)
    for name in ("detect_and_calculate", "pre_flight_check"):
        ended(team.job(name))
    for status, output in team.jobs(BUILDS):
        assert status == 0, output
    for name in ("probe_pypi", "probe_npm", "gate", "publish_crates"):
        ended(team.job(name))
    (refused,) = parse_faults("npm:upload:refuse")
    order(team.registries, refused)
    outputs = team.jobs(PUBLISH)
    assert [status for status, _ in outputs] == [0, 0, 1], outputs

    # One history of all of them, on a server; nothing of it on the machines.
    rows = dict(postgres.query("SELECT pipeline_name, status FROM runs", database))
    assert rows == {
        **dict.fromkeys(("detect_and_calculate", "pre_flight_check", *BUILDS, "gate", *PUBLISH), "SUCCESS"),
        **dict.fromkeys(("probe_pypi", "probe_npm", "publish_crates"), "SUCCESS"),
        "publish_typescript": "FAILURE",
    }
    assert not list(tmp_path.rglob("*.db"))
    assert NPM not in held(team.registries)
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", database)
    with dg.DagsterInstance.from_config(str(tmp_path / "gate" / "dagster")) as shared:
        real = events(shared)
    assert NPM not in real

    # Elsewhere, without that database: the store is copied, imported, and the release repaired from it.
    away = elsewhere(team)
    imported = ended(away.start("tasker-release", "import", RELEASE))
    assert f"{NPM}: missing, with the reason" in imported
    monkeypatch.delenv("DAGSTER_POSTGRES_URL")
    with dg.DagsterInstance.from_config(str(away.folder / "dagster")) as instance:
        assert events(instance) == real
    module = ("-m", "tasker_release_pipeline.definitions")
    ended(away.start("dagster", "asset", "materialize", "--select", f'key:"{NPM}"', "--partition", RELEASE, *module))
    assert set(held(away.folder / "registries")) == NINE

    # The web UI, with the database and the bucket.
    assert NPM not in held(team.registries)
    desk = team.machine("web")
    with daemon(desk), web_server(desk) as web:
        assert web.materialize(NPM, RELEASE) == "SUCCESS"
    assert set(held(team.registries)) == NINE
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", database)
    with dg.DagsterInstance.from_config(str(tmp_path / "gate" / "dagster")) as shared:
        assert NPM in events(shared)

    assert all(PASSWORD not in output and "testing-secret" not in output for _, output in outputs)
    for path in UPath(bucket.store).rglob("*.json"):
        assert b"testing-secret" not in path.read_bytes()


def held(registries: Path) -> list[str]:
    """The packages that are on their registries."""
    names = {"@tasker-systems/tasker": "tasker"}
    found = holdings(registries)
    return [
        f"{registry}/{names.get(name, name)}" for registry, known in found.items() for name, v in known.items() if v
    ]


def elsewhere(team: Team) -> Machine:
    """A machine that was never heard of, with copies of store and registries, and SQLite."""
    folder = team.folder / "away"
    s3fs.S3FileSystem(skip_instance_cache=True).get(team.bucket.store, f"{folder}/store", recursive=True)
    shutil.copytree(team.registries, folder / "registries")
    away = team.machine(
        "away/here",
        TASKER_RELEASE_STORE=str(folder / "store"),
        TASKER_RELEASE_REHEARSAL_REGISTRIES=str(folder / "registries"),
    )
    return Machine(folder, "", {name: v for name, v in away.more.items() if not name.startswith("AWS_")})
