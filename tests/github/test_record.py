"""Recording a release that is published, through the steps that the assets call."""

import hashlib
import json
import subprocess
from dataclasses import replace

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tasker_release_pipeline.release.errors import ConflictError, InputError, RegistryError
from tasker_release_pipeline.release.outcome import OutcomeKind
from tasker_release_pipeline.release.record import RecordState
from tasker_release_pipeline.steps.record import record_release, tag_component
from tests.release.building import CRATES, PGMQ, RUBY, facts

from .released import BINDINGS, Released, everything, gem_alone

COMPONENTS = ("core", "ruby", "python", "typescript")
ALL_TAGS = {f"{component}-v0.1.9" for component in COMPONENTS}


def test_each_component_gets_its_tag_on_the_released_commit_and_keeps_it(world: Released) -> None:
    everything(world)
    made = [tag_component(world.run(), component) for component in COMPONENTS]
    again = [tag_component(world.run(), component) for component in COMPONENTS]
    assert [record.state for record in made if record] == [RecordState.MADE] * 4
    assert [record.state for record in again if record] == [RecordState.THERE] * 4
    assert world.server.state.tags() == dict.fromkeys(ALL_TAGS, world.commit)


def test_a_component_that_the_release_does_not_publish_gets_no_tag(world: Released) -> None:
    alone = gem_alone(replace(world, release="release-20260301"))
    states = {component: record.state for component in COMPONENTS if (record := tag_component(alone.run(), component))}
    assert states.pop("ruby") is RecordState.MADE
    assert set(states.values()) == {RecordState.UNCHANGED}
    assert set(world.server.state.tags()) == {"ruby-v0.1.9"}


@pytest.mark.parametrize("kind", [OutcomeKind.FAILED, OutcomeKind.UNKNOWN, OutcomeKind.CONFLICT])
def test_what_is_not_published_is_not_tagged(world: Released, kind: OutcomeKind) -> None:
    world.prepare(PGMQ)
    world.publish()
    world.publish([CRATES[-1]], kind, after=1)
    with pytest.raises(InputError, match=rf"core-v0\.1\.9: not published yet: {CRATES[-1]} \({kind.value}\)"):
        tag_component(world.run(), "core")
    assert world.server.state.tags() == {}
    assert world.record("tags/core").state is RecordState.FAILED


def test_a_dry_run_records_nothing(world: Released) -> None:
    everything(world)
    assert tag_component(world.run(RELEASE_DRY_RUN="true"), "core") is None
    assert record_release(world.run(RELEASE_DRY_RUN="true")) is None
    assert world.server.state.tags() == {}
    assert world.server.state.rows("releases") == []
    assert not (world.folder / "store" / "v0.1.9" / "records").exists()


def test_a_refused_tag_is_kept_as_a_failure_and_mended_by_the_release(world: Released) -> None:
    everything(world)
    world.server.state.order("refused", method="POST")
    with pytest.raises(RegistryError, match="contents: write"):
        tag_component(world.run(), "core")
    assert world.record("tags/core").state is RecordState.FAILED
    record_release(world.run())
    assert world.record("tags/core").state is RecordState.MADE
    assert set(world.server.state.tags()) == ALL_TAGS | {"v0.1.9"}


def test_the_release_has_notes_files_sums_and_a_bill_of_materials(world: Released) -> None:
    everything(world)
    record = record_release(world.run())
    assert record is not None
    (row,) = world.server.state.rows("releases")
    assert (row["tag_name"], row["name"], row["draft"], row["prerelease"]) == ("v0.1.9", "v0.1.9", False, False)
    for said in (
        "## Changes since v0.1.8",
        "### Features",
        "**core**: Queues wait",
        "### Other changes",
        "no longer lost",
    ):
        assert said.lower() in row["body"].lower()
    assert "[tasker-rb](https://registry.invalid/tasker-rb) | rubygems | 0.1.9" in row["body"]
    assert world.commit in row["body"]
    names = {asset["name"] for asset in world.server.state.rows("assets")}
    assert names == {*(f"{key.replace('/', '_')}-0.1.9" for key in (*CRATES, *BINDINGS)), "SHA256SUMS", "sbom.cdx.json"}


def test_sha256sum_agrees_with_the_sums(world: Released) -> None:
    everything(world)
    record_release(world.run())
    for asset in world.server.state.rows("assets"):
        (world.folder / "got").mkdir(exist_ok=True)
        (world.folder / "got" / asset["name"]).write_bytes(world.server.state.content(asset["sha256"]))
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=world.folder / "got",
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout
    assert checked.stdout.count(": OK") == len(CRATES) + len(BINDINGS) + 1


def test_run_again_nothing_changes(world: Released) -> None:
    everything(world)
    record_release(world.run())
    before = world.server.state.rows("releases"), world.server.state.rows("assets"), world.server.state.tags()
    world.publish(kind=OutcomeKind.ALREADY_PUBLISHED, after=5)
    record = record_release(world.run())
    assert record is not None
    assert record.state is RecordState.THERE
    assert before == (world.server.state.rows("releases"), world.server.state.rows("assets"), world.server.state.tags())


def test_until_everything_is_published_it_is_a_draft_that_says_what_it_waits_for(world: Released) -> None:
    everything(world)
    world.publish(["npm/tasker"], OutcomeKind.FAILED, after=1)
    with pytest.raises(InputError, match=r"a draft until everything of the plan is published; missing: npm/tasker"):
        record_release(world.run())
    (row,) = world.server.state.rows("releases")
    assert row["draft"]
    assert set(world.server.state.tags()) == ALL_TAGS - {"typescript-v0.1.9"}
    assert world.record("github_release").state is RecordState.WAITS
    world.publish(["npm/tasker"], after=2)
    record_release(world.run())
    assert [(row["id"], row["draft"]) for row in world.server.state.rows("releases")] == [(1, False)]


def test_a_release_of_a_binding_alone_is_named_by_its_key_and_is_not_the_latest(world: Released) -> None:
    alone = gem_alone(replace(world, release="release-20260301"))
    record_release(alone.run())
    (row,) = world.server.state.rows("releases")
    assert (row["tag_name"], row["name"]) == ("release-20260301", "tasker-rb 0.1.9")
    assert "latest" not in row
    assert "Unchanged: tasker-pgmq 0.1.8" in row["body"]


def test_a_pre_release_is_flagged(world: Released) -> None:
    rc = facts("ruby", tree="0.2.0-rc.1", changed=[RUBY])
    alone = replace(world, release="release-20260301")
    alone.prepare(RUBY, ruby=rc)
    alone.publish()
    record_release(alone.run())
    (row,) = world.server.state.rows("releases")
    assert row["prerelease"]
    assert "tasker-rb 0.2.0.rc.1" in row["name"]


def test_a_tag_elsewhere_stops_the_release_with_both_commits(world: Released) -> None:
    everything(world)
    world.server.state.create_tag("python-v0.1.9", world.base)
    with pytest.raises(ConflictError, match=f"{world.base}.*{world.commit}"):
        record_release(world.run())
    assert world.record("github_release").state is RecordState.FAILED


def test_a_token_is_asked_for_by_name_where_there_is_none(world: Released) -> None:
    everything(world)
    with pytest.raises(InputError, match=f"GITHUB_TOKEN.*git push origin {world.commit}:refs/tags/core-v0.1.9"):
        tag_component(world.run(GITHUB_TOKEN=""), "core")


def test_the_repository_is_that_of_origin_where_the_environment_names_none(world: Released) -> None:
    everything(world)
    world.repository.git("remote", "add", "origin", f"git@github.com:{world.server.repository}.git")
    assert tag_component(world.run(GITHUB_REPOSITORY=""), "core") is not None
    world.repository.git("remote", "set-url", "origin", str(world.folder))
    with pytest.raises(InputError, match="set GITHUB_REPOSITORY=owner/name"):
        tag_component(world.run(GITHUB_REPOSITORY=""), "core")


def test_the_bill_of_materials_stays_as_it_was_first_written(world: Released) -> None:
    everything(world)
    world.publish(["npm/tasker"], OutcomeKind.FAILED, after=1)
    with pytest.raises(InputError, match="draft"):
        record_release(world.run())
    kept = world.folder / "store" / "v0.1.9" / "github" / "sbom.cdx.json"
    kept.write_text(kept.read_text().replace("  ", " "))  # as another version of the library would write it
    world.publish(["npm/tasker"], after=2)
    record_release(world.run())
    (asset,) = (row for row in world.server.state.rows("assets") if row["name"] == "sbom.cdx.json")
    assert world.server.state.content(asset["sha256"]) == kept.read_bytes()


def test_the_bill_of_materials_has_the_files_and_what_the_lockfiles_pin(world: Released) -> None:
    everything(world)
    record_release(world.run())
    kept = (world.folder / "store" / "v0.1.9" / "github" / "sbom.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(kept) is None
    bom = json.loads(kept)
    components = {component["purl"]: component for component in bom["components"]}
    gem = components["pkg:gem/tasker-rb@0.1.9"]["components"][0]
    assert gem["hashes"][0]["content"] == hashlib.sha256(b"the bytes of rubygems/tasker-rb").hexdigest()
    assert components["pkg:cargo/heck@0.5.0"]["hashes"][0]["content"] == "ab" * 32
    assert components["pkg:npm/ms@2.1.3"]["hashes"][0]["alg"] == "SHA-512"
    needs = {row["ref"]: row.get("dependsOn", []) for row in bom["dependencies"]}
    assert needs["pkg:cargo/tasker-pgmq@0.1.9"] == ["pkg:cargo/heck@0.5.0"]
    assert {p["value"] for p in bom["metadata"]["properties"] if p["name"] == "tasker:lockfile"} >= {"Cargo.lock"}
