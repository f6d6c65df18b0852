"""The main job: from a workspace to four registries, on loopback, with the real tools."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from tests.pipeline.conftest import CRATES, FIRST, NINE, Pipeline, change, git

pytestmark = pytest.mark.toolchain


def test_a_first_release_publishes_all_nine_packages(first_release: Pipeline) -> None:
    assert first_release.outcomes(FIRST) == dict.fromkeys(NINE, "published")
    assert "9 of 9 packages published (rehearsal)" in first_release.summary(FIRST)
    assert "9 of 9 packages published (rehearsal)" in (first_release.folder / "ended.txt").read_text()


def test_the_registries_hold_exactly_the_files_of_the_release_manifest(first_release: Pipeline) -> None:
    artifacts = first_release.artifacts(FIRST)
    assert len(artifacts) == 9
    # npm keeps the tarball under a name of its own.
    assert sorted(first_release.published().values()) == sorted(artifacts.values())


@pytest.mark.parametrize("stage", ["staged_install.installs_and_loads", *(
    f"{asset.replace('/', '_')}.installs_from_{asset.split('/', 1)[0]}"
    for asset in ("crates_io/tasker-cli", "rubygems/tasker-rb", "pypi/tasker-py", "npm/tasker")
)])  # fmt: skip
def test_what_is_installed_reports_the_planned_version(first_release: Pipeline, stage: str) -> None:
    check = first_release.read(FIRST, f"checks/{stage}.json")
    assert check["findings"] == []
    wanted = {key for key in NINE if stage.startswith(("staged", key.split("/", 1)[0]))}
    assert check["evidence"] == dict.fromkeys(wanted, "0.1.1")


def test_every_crate_is_compiled_from_its_archive(first_release: Pipeline) -> None:
    log = (first_release.store / FIRST / "logs" / "crate_archives.log").read_text()
    for crate in CRATES:
        assert f"Verifying {crate.removeprefix('crates_io/')} v0.1.1" in log


def test_the_checkout_is_untouched_and_its_uncommitted_changes_do_not_enter(first_release: Pipeline) -> None:
    assert (first_release.source / "VERSION").read_text() == "uncommitted\n"
    assert git(first_release.source, "status", "--porcelain").split() == ["M", "VERSION"]
    assert git(first_release.source, "branch", "--show-current").strip() == "main"


def test_dagster_knows_the_release_package_by_package(first_release: Pipeline) -> None:
    with dg.DagsterInstance.from_config(str(first_release.home)) as instance:
        for key in NINE:
            asset = dg.AssetKey(key.split("/"))
            assert instance.get_materialized_partitions(asset) == {FIRST}
            event = instance.get_latest_materialization_event(asset)
            assert event is not None
            assert event.asset_materialization is not None
            assert (event.asset_materialization.tags or {})["dagster/data_version"] == "0.1.1"
            shown = event.asset_materialization.metadata
            assert {"outcome", "version", "files", "seconds_upload", "mode"} <= set(shown)


def test_tools_lines_reach_dagsters_log_and_the_store(first_release: Pipeline) -> None:
    printed = (first_release.folder / "ended.txt").read_text()
    kept = (first_release.store / FIRST / "logs" / "wheels.log").read_text()
    assert "Built wheel" in kept
    assert any("wheels" in line and "Built wheel" in line for line in printed.splitlines())


@pytest.mark.slow
def test_only_the_gem_is_published_where_only_workers_ruby_changed(second: Pipeline) -> None:
    change(second.source, "workers/ruby/README.md", "\nMore.\n")
    before = second.published()
    ended = second.execute("release", "rehearsal-gem")
    assert ended.status == 0, ended.output[-6000:]
    expected = {**dict.fromkeys(NINE, "unchanged"), "rubygems/tasker-rb": "published"}
    assert second.outcomes("rehearsal-gem") == expected
    assert set(second.published()) - set(before) == {"tasker-rb-0.1.2.gem"}
    assert second.read("rehearsal-gem", "checks/rubygems_tasker-rb.installs_from_rubygems.json")["findings"] == []


@pytest.mark.slow
def test_six_crates_and_no_binding_are_published_where_only_the_cli_changed(second: Pipeline) -> None:
    change(second.source, "tasker-cli/README.md", "\nMore.\n")
    ended = second.execute("release", "rehearsal-cli")
    assert ended.status == 0, ended.output[-6000:]
    expected = {key: "published" if key in CRATES else "unchanged" for key in NINE}
    assert second.outcomes("rehearsal-cli") == expected
    assert "6 of 6 packages published" in second.summary("rehearsal-cli")


@pytest.mark.slow
def test_nothing_is_published_where_nothing_changed(second: Pipeline) -> None:
    before = second.published()
    ended = second.execute("release", "rehearsal-nothing")
    assert ended.status == 0, ended.output[-6000:]
    assert second.outcomes("rehearsal-nothing") == dict.fromkeys(NINE, "unchanged")
    assert second.published() == before
    assert "nothing to publish" in ended.output


@pytest.mark.slow
def test_a_finished_release_run_again_is_green_and_uploads_nothing(second: Pipeline) -> None:
    before = second.published()
    ended = second.execute("release", FIRST)
    assert ended.status == 0, ended.output[-6000:]
    assert second.outcomes(FIRST) == dict.fromkeys(NINE, "already_published")
    assert second.published() == before
    # And once more: that the last outcomes are no uploads of this release's does not make it another one.
    assert second.execute("detect_and_calculate", FIRST).status == 0
    assert second.read(FIRST, "plan.json")["packages"][0]["version"] == "0.1.1"


@pytest.mark.slow
def test_a_dry_run_ends_at_the_gate_and_says_what_would_be_uploaded(fresh: Pipeline) -> None:
    ended = fresh.execute("release", "rehearsal-dry", dry_run=True)
    assert ended.status == 0, ended.output[-6000:]
    assert ended.output.count("would be uploaded") == 9
    assert fresh.read("rehearsal-dry", "gate.json")["verdict"] == "go"
    assert fresh.published() == {}
    with dg.DagsterInstance.from_config(str(fresh.home)) as instance:
        assert instance.get_materialized_partitions(dg.AssetKey("gate")) == {"rehearsal-dry"}
        for key in NINE:
            assert instance.get_materialized_partitions(dg.AssetKey(key.split("/"))) == set()
    # A dry run's verdict lets nothing pass, though it is a go.
    refused = fresh.execute("publish_typescript", "rehearsal-dry")
    assert refused.status == 1
    assert "the gate spoke for a dry run, this is rehearsal" in refused.output
    assert fresh.published() == {}


@pytest.mark.slow
def test_slices_in_processes_of_their_own_do_what_release_does(first_release: Pipeline, fresh: Pipeline) -> None:
    builds = ["detect_and_calculate", "pre_flight_check", "build_ruby", "build_python", "build_typescript"]
    tries = ["probe_pypi", "probe_npm", "gate"]
    publishes = ["publish_crates", "publish_ruby", "publish_python", "publish_typescript", "release_summary"]
    for job in builds + tries + publishes:
        # Another machine: its own Dagster database and working folder, the same store.
        own = {"DAGSTER_HOME": str(fresh.folder / job), "TASKER_RELEASE_WORK": str(fresh.folder / f"work-{job}")}
        Path(own["DAGSTER_HOME"]).mkdir(parents=True)
        ended = fresh.execute(job, FIRST, own)
        assert ended.status == 0, f"{job}\n{ended.output[-6000:]}"
    assert fresh.outcomes(FIRST) == first_release.outcomes(FIRST)
    assert fresh.artifacts(FIRST) == first_release.artifacts(FIRST)
    assert sorted(fresh.published().items()) == sorted(first_release.published().items())
    assert fresh.read(FIRST, "plan.json") == {
        **first_release.read(FIRST, "plan.json"),
        "settings": fresh.read(FIRST, "plan.json")["settings"],
    }


@pytest.mark.slow
def test_a_package_that_reports_another_version_stops_at_the_gate(second: Pipeline) -> None:
    change(
        second.source,
        "workers/typescript/src/index.ts",
        'export const VERSION: string = "9.9.9";',
        replaced="export const VERSION: string = version;",
    )
    before = second.published()
    ended = second.execute("release", "rehearsal-wrong")
    assert ended.status == 1
    assert "reports version 9.9.9 once loaded, the plan has 0.1.2" in ended.output
    assert second.published() == before
    assert "failed (rehearsal)" in second.summary("rehearsal-wrong")


def test_a_stored_file_that_was_changed_is_not_uploaded(second: Pipeline) -> None:
    shutil.rmtree(second.registries)
    gem = second.store / FIRST / "artifacts" / "tasker-rb-0.1.1.gem"
    gem.write_bytes(gem.read_bytes() + b"\0")
    ended = second.execute("publish_ruby", FIRST)
    assert ended.status == 1
    assert f"{gem}: has SHA-256" in ended.output
    assert second.published() == {}
    assert second.outcomes(FIRST)["rubygems/tasker-rb"] == "failed"
    assert "dagster asset materialize -m tasker_release_pipeline --select" in second.summary(FIRST)


def test_a_go_is_for_its_own_manifest_alone(second: Pipeline) -> None:
    path = second.store / FIRST / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["artifacts"].pop()
    path.write_text(json.dumps(manifest))
    ended = second.execute("publish_ruby", FIRST)
    assert ended.status == 1
    assert "the gate spoke of another manifest" in ended.output


def test_a_failed_registry_is_materialised_again_for_its_release_alone(second: Pipeline) -> None:
    shutil.rmtree(second.registries / "records" / "npm")
    second.execute("release_summary", FIRST)  # makes the release known to this database
    ended = second.tool(
        *("dagster", "asset", "materialize", "-m", "tasker_release_pipeline"),
        *("--select", 'key:"npm/tasker"', "--partition", FIRST),
        TASKER_RELEASE_SOURCE=str(second.source),
    )
    assert ended.status == 0, ended.output[-6000:]
    assert second.outcomes(FIRST)["npm/tasker"] == "published"
    assert second.artifacts(FIRST)["tasker-systems-tasker-0.1.1.tgz"] in second.published().values()
    assert "bun" not in ended.output


@pytest.mark.slow
def test_a_dry_run_reads_the_public_registries_and_a_silent_one_is_a_warning(fresh: Pipeline) -> None:
    ended = fresh.execute("detect_and_calculate", "release-20260301-0300", registries="live", dry_run=False)
    assert ended.status == 0, ended.output[-6000:]
    plan = fresh.read("release-20260301-0300", "plan.json")
    assert plan["settings"]["dry_run"] is True  # the latch: unset counts as true
    answered = fresh.read("release-20260301-0300", "checks/release_plan.registries_answered.json")
    unknown = [finding for finding in answered["findings"] if "unknown what is published" in finding["message"]]
    assert all(finding["severity"] == "warning" for finding in unknown)
    assert {finding["message"].split(":")[0] for finding in unknown} >= set(plan["unreachable"])
    assert all(finding["message"] in fresh.summary("release-20260301-0300") for finding in unknown)
    # Either a registry said which versions it holds, or the plan says that it is unknown.
    for key in NINE:
        lines = [line for line in ended.output.splitlines() if f" {key}: " in line]
        assert lines
        assert ("unknown" in lines[0]) == any(finding["message"].startswith(f"{key}:") for finding in unknown)


def test_registries_can_be_served_alone_to_look_at(first_release: Pipeline) -> None:
    command = [str(Path(sys.executable).with_name("tasker-release")), "registries"]
    with subprocess.Popen(
        [*command, "--root", str(first_release.registries), "--offline"], stdout=subprocess.PIPE, text=True
    ) as served:
        assert served.stdout is not None
        addresses = dict(line.split() for line, _ in zip(served.stdout, range(7), strict=False))
        page = subprocess.run(
            ["curl", "-sf", f"{addresses['npm']}/@tasker-systems%2ftasker"], capture_output=True, check=True
        ).stdout
        assert json.loads(page)["dist-tags"]["alpha"] == "0.1.1"
        served.terminate()
        assert served.wait(timeout=20) == 0


def test_faults_can_be_ordered_for_a_rehearsal_by_the_command_line(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("tasker-release")), "faults", "--root", str(tmp_path)]
    done = subprocess.run(
        [*command, "npm:upload:drop-after; pypi:upload:500x2"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("2 ordered in ")
    wrong = subprocess.run([*command, "nmp:upload:drop-after"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 1
    assert "nmp" in wrong.stderr
    assert "Traceback" not in wrong.stderr
