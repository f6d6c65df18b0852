"""The web server on loopback, asked by GraphQL as its own pages do, and the daemon that starts what it queues."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from .postgres import free_port

_LAUNCH = """
mutation ($params: ExecutionParams!) {
  launchPipelineExecution(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
  }
}"""
_STATUS = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
LOCATION = "tasker_release_pipeline"
ENDED = ("SUCCESS", "FAILURE", "CANCELED")


@dataclass(frozen=True)
class Web:
    """A running web server."""

    url: str

    def ask(self, query: str, **variables: Any) -> Any:
        answer = httpx.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=60)
        body = answer.raise_for_status().json()
        assert "errors" not in body, body
        return body["data"]

    def materialize(self, asset: str, release: str) -> str:
        """Press the button: no config is typed. How the run ended."""
        params = {
            "mode": "default",
            "selector": {
                "repositoryLocationName": LOCATION,
                "repositoryName": "__repository__",
                "jobName": "__ASSET_JOB",
                "assetSelection": [{"path": asset.split("/")}],
                "assetCheckSelection": [],
            },
            "runConfigData": "{}",
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": release}]},
        }
        launched = self.ask(_LAUNCH, params=params)["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run = launched["run"]["runId"]
        limit = time.monotonic() + 300
        while (status := self.ask(_STATUS, id=run)["runOrError"]["status"]) not in ENDED:
            assert time.monotonic() < limit, status
            time.sleep(0.3)
        return str(status)


@contextmanager
def web_server(machine: Any) -> Iterator[Web]:
    """A web server on that machine, which loads the pipeline itself."""
    port = free_port()
    command = ("-m", LOCATION, "-h", "127.0.0.1", "-p", str(port))
    process = machine.start("dagster-webserver", *command, kept=False)
    web = Web(f"http://127.0.0.1:{port}")
    try:
        limit = time.monotonic() + 120
        while not _answers(web):
            assert process.poll() is None
            assert time.monotonic() < limit
            time.sleep(0.2)
        yield web
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def daemon(machine: Any) -> Iterator[None]:
    """What takes runs off the queue."""
    process = machine.start("dagster-daemon", "run", "-m", LOCATION, kept=False)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)


def _answers(web: Web) -> bool:
    try:
        return httpx.get(f"{web.url}/server_info", timeout=10).is_success
    except httpx.TransportError:
        return False
