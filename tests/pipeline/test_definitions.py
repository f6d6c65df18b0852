"""The graph, as Dagster and its users see it."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.conftest import CRATES, NINE, ROOT, Pipeline

pytestmark = pytest.mark.toolchain
JOBS = {
    *("release", "detect_and_calculate", "pre_flight_check", "build_ruby", "build_python", "build_typescript", "gate"),
    *("publish_crates", "publish_ruby", "publish_python", "publish_typescript", "github_release"),
    *("probe_pypi", "probe_npm", "release_summary"),
}


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    return Pipeline(tmp_path, tmp_path / "source")


def test_the_definitions_validate_without_a_warning(pipeline: Pipeline) -> None:
    ended = pipeline.tool("dagster", "definitions", "validate", "-w", "workspace.yaml")
    assert ended.status == 0, ended.output
    # Dagster calls its own command superseded by `dg check defs`; that is the next test.
    assert [line for line in ended.output.splitlines() if "Warning" in line and "SupersessionWarning" not in line] == []


def test_dg_finds_the_definitions(pipeline: Pipeline) -> None:
    ended = pipeline.tool("dg", "check", "defs")
    assert ended.status == 0, ended.output
    assert "All definitions loaded successfully" in ended.output


def test_commands_that_run_no_graph_do_not_import_dagster() -> None:
    code = "import sys, tasker_release_pipeline.cli; sys.exit('dagster' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture
def web(pipeline: Pipeline) -> Iterator[str]:
    """The web UI's address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    pipeline.home.mkdir(parents=True)
    command = [str(Path(sys.executable).with_name("dagster-webserver")), "-w", "workspace.yaml"]
    with subprocess.Popen(
        [*command, "-h", "127.0.0.1", "-p", str(port)],
        cwd=ROOT,
        env=pipeline.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=30)


def ask(address: str, query: str) -> dict:  # type: ignore[type-arg]
    request = urllib.request.Request(  # noqa: S310  # loopback
        f"{address}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return json.loads(answer.read())["data"]
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def test_the_web_ui_shows_the_designs_graph(web: str) -> None:
    nodes = ask(web, "{assetNodes {assetKey {path} groupName kinds description jobNames isPartitioned owners "
                     "{... on TeamAssetOwner {team}} dependencyKeys {path}}}")["assetNodes"]  # fmt: skip
    graph = {"/".join(node["assetKey"]["path"]): node for node in nodes}
    before = {key: {"/".join(dep["path"]) for dep in node["dependencyKeys"]} for key, node in graph.items()}
    builds = {"crate_archives", "gem_archive", "wheels", "npm_tarball"}
    steps = {"release_plan", "source_tree", "lints", "staged_install", "release_manifest", "gate"}
    credentials = {f"credentials/{name}" for name in ("crates_io", "rubygems", "pypi", "npm", "github")}
    tags = {"tags/core", "tags/ruby", "tags/python", "tags/typescript"}
    assert set(graph) == steps | builds | credentials | NINE | tags | {"github_release"}
    assert all(node["description"] and node["owners"] and node["isPartitioned"] for node in nodes)
    assert {key: node["groupName"] for key, node in graph.items()} == {
        **dict.fromkeys({"release_plan", "source_tree"}, "plan"),
        **dict.fromkeys(builds, "build"),
        **dict.fromkeys({"lints", "staged_install", "release_manifest", "gate"} | credentials, "gate"),
        **dict.fromkeys(NINE, "publish"),
        **dict.fromkeys(tags | {"github_release"}, "record"),
    }
    assert all("rust" in graph[key]["kinds"] for key in CRATES)
    assert [before[key] for key in credentials] == [{"release_plan"}] * 5
    assert before["gate"] == {"release_plan", "release_manifest", "lints", *credentials}
    of_jobs = {key: set(graph[key]["jobNames"]) - {"__ASSET_JOB", "release"} for key in credentials}
    assert of_jobs.pop("credentials/pypi") == {"probe_pypi"}
    assert of_jobs.pop("credentials/npm") == {"probe_npm"}
    assert list(of_jobs.values()) == [{"gate"}] * 3
    assert before["crates_io/tasker-pgmq"] == {"gate"}
    assert before["crates_io/tasker-shared"] == {"gate", "crates_io/tasker-pgmq"}
    for key in ("crates_io/tasker-client", "crates_io/tasker-orchestration"):
        assert before[key] == {"gate", "crates_io/tasker-shared"}
    third = {"crates_io/tasker-client", "crates_io/tasker-orchestration"}
    for key in ("crates_io/tasker-worker", "crates_io/tasker-cli"):
        assert before[key] == {"gate", *third}
    for key in NINE - CRATES:
        assert before[key] == {"gate", "crates_io/tasker-worker", "crates_io/tasker-cli"}
    assert before["tags/core"] == CRATES
    assert {before[f"tags/{name}"].pop() for name in ("ruby", "python", "typescript")} == NINE - CRATES
    assert before["github_release"] == NINE | tags
    assert before["staged_install"] == before["lints"] == {"release_plan", "source_tree", *builds}
    jobs = ask(web, "{repositoriesOrError {... on RepositoryConnection {nodes {jobs {name}}}}}")
    (repository,) = jobs["repositoriesOrError"]["nodes"]
    assert {job["name"] for job in repository["jobs"]} >= JOBS
