"""Tags and the GitHub Release: recorded apart from publishing, and repaired by running again."""

import json
from pathlib import Path

import dagster as dg
import pytest

from tasker_release_pipeline.loopback.github_state import GitHubState
from tests.pipeline.conftest import FIRST, NINE, Pipeline

pytestmark = pytest.mark.toolchain
TAGS = {"core-v0.1.1", "ruby-v0.1.1", "python-v0.1.1", "typescript-v0.1.1"}


def github(pipeline: Pipeline) -> GitHubState:
    """What the rehearsal's GitHub holds."""
    return GitHubState(pipeline.registries / "github", pipeline.source)


def held(pipeline: Pipeline) -> tuple[object, ...]:
    state = github(pipeline)
    return state.tags(), state.rows("releases"), state.rows("assets")


def state_of(pipeline: Pipeline, subject: str) -> str:
    records = [json.loads(path.read_text()) for path in (pipeline.store / FIRST / "records" / subject).glob("*.json")]
    return str(max(records, key=lambda record: record["at"])["state"])


def test_a_rehearsal_ends_with_tags_and_a_published_release(first_release: Pipeline) -> None:
    commit = first_release.read(FIRST, "manifest.json")["commit"]
    assert github(first_release).tags() == dict.fromkeys(TAGS | {"v0.1.1"}, commit)
    (release,) = github(first_release).rows("releases")
    assert (release["tag_name"], release["draft"], release["latest"]) == ("v0.1.1", False, True)
    digests = {row["name"]: row["sha256"] for row in github(first_release).rows("assets")}
    artifacts = first_release.artifacts(FIRST)
    assert digests.items() >= artifacts.items()
    assert set(digests) - set(artifacts) == {"SHA256SUMS", "sbom.cdx.json"}
    assert all(digest in release["body"] for digest in artifacts.values())


def test_dagster_knows_what_is_recorded(first_release: Pipeline) -> None:
    with dg.DagsterInstance.from_config(str(first_release.home)) as instance:
        for key in ("tags/core", "tags/ruby", "tags/python", "tags/typescript", "github_release"):
            assert instance.get_materialized_partitions(dg.AssetKey(key.split("/"))) == {FIRST}
    assert "| github_release | v0.1.1 | made |" in first_release.summary(FIRST)


def test_a_refused_tag_leaves_what_is_published_and_is_repaired_by_the_next_job(
    second: Pipeline, tmp_path: Path
) -> None:
    before = held(second)
    (second.registries / "github" / "tags" / "typescript-v0.1.1").unlink()
    github(second).order("refused", method="POST", path="/git/refs")
    # In a publish job what waits for it goes on; the error is told.
    published = second.execute("publish_typescript", FIRST)
    assert published.status == 0, published.output[-6000:]
    assert "ERROR tag typescript-v0.1.1: " in published.output
    assert "give the job `contents: write`" in published.output
    assert second.outcomes(FIRST) == {**dict.fromkeys(NINE, "published"), "npm/tasker": "already_published"}
    assert state_of(second, "tags/typescript") == "failed"
    # Materialised alone (as within `release`) it is red, and the summary says what that does not touch.
    github(second).order("refused", method="POST", path="/git/refs")
    job = {name: str(tmp_path / name) for name in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT")}
    alone = second.tool(
        *("dagster", "asset", "materialize", "-m", "tasker_release_pipeline"),
        *("--select", 'key:"tags/typescript"', "--partition", FIRST),
        TASKER_RELEASE_SOURCE=str(second.source),
        GITHUB_ACTIONS="true",
        **job,
    )
    assert alone.status == 1
    assert "9 of 9 packages published (rehearsal), recording failed" in second.summary(FIRST)
    assert "Everything is published, and stays so." in second.summary(FIRST)
    assert second.summary(FIRST) in Path(job["GITHUB_STEP_SUMMARY"]).read_text()
    assert "\n::error title=tags__typescript::tag typescript-v0.1.1: " in alone.output
    assert not Path(job["GITHUB_OUTPUT"]).exists()
    # The release's job makes it, and leaves everything else as it is.
    repaired = second.execute("github_release", FIRST, {"GITHUB_ACTIONS": "true", **job})
    assert repaired.status == 0, repaired.output[-6000:]
    assert held(second) == before
    assert state_of(second, "tags/typescript") == "made"
    assert state_of(second, "github_release") == "already there"
    assert "NEXT_TYPESCRIPT_VERSION<<" in Path(job["GITHUB_OUTPUT"]).read_text()
