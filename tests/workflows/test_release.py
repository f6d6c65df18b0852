"""The release workflow, rehearsed: each job runs its own steps in a clean folder, with what others handed on."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasker_release_pipeline.loopback.fault_words import parse_faults
from tasker_release_pipeline.loopback.orders import order, withdraw
from tasker_release_pipeline.toolchains.tools import search_path

from ..pipeline.conftest import NINE, ROOT, Pipeline, change, git
from .runner import Run

pytestmark = pytest.mark.toolchain

IN_THE_REPOSITORY = "release-pipeline"
BUILDS = ("build-ruby", "build-python", "build-typescript")
Start = Callable[..., Run]


@pytest.fixture
def start(second: Pipeline, shared: Path, tmp_path: Path) -> Start:
    """A run of the workflow on what `second.source` has, with the pipeline in a folder of that repository.

    A first release is out; `changed`: the file that changed since. `package`: install that instead of a folder.
    """

    def begin(
        changed: str,
        *,
        number: int = 1,
        vars: dict[str, str] | None = None,  # noqa: A002  # GitHub's name
        package: str = "",
        **rest: Any,
    ) -> Run:
        source = second.source
        if not (source / ".github").exists():
            change(source, changed)
            shutil.copytree(ROOT / ".github", source / ".github")
            if package:
                file = source / ".github" / "workflows" / "release.yml"
                pinned = re.compile(r"(?<=PIPELINE_PACKAGE: )tasker-release-pipeline\[.*\]==.*")
                text, found = pinned.subn(package, file.read_text())
                assert found == 1
                file.write_text(text)
            else:
                (source / IN_THE_REPOSITORY).mkdir()
                for part in ("pyproject.toml", "README.md", "config", "tasker_release_pipeline"):
                    copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy
                    copy(ROOT / part, source / IN_THE_REPOSITORY / part)
            git(source, "add", "--all")
            git(source, "commit", "--quiet", "--message", "Add the release pipeline")
            git(source, "tag", "v0.1.2")
        github = {
            "event_name": "push",
            "ref": "refs/tags/v0.1.2",
            "ref_name": "v0.1.2",
            "ref_type": "tag",
            "sha": git(source, "rev-parse", "HEAD").strip(),
            "run_id": str(number),
            "run_attempt": "1",
            "repository": "tasker-systems/tasker-core",
            "token": "",
            # Nobody answers there: what only GitHub could tell stays unproven.
            "api_url": "http://127.0.0.1:9",
            **rest.pop("github", {}),
        }
        environment = {"TASKER_RELEASE_REHEARSAL_REGISTRIES": str(second.registries), "PYTHONDONTWRITEBYTECODE": ""}
        return Run(
            workflow=source / ".github" / "workflows" / "release.yml",
            folder=tmp_path / "runs" / str(number),
            shared=rest.pop("shared", shared),
            cache=shared / "cache",
            repository=source,
            github=github,
            vars={"PIPELINE_FOLDER": IN_THE_REPOSITORY, "TASKER_RELEASE_REGISTRIES": "rehearsal"} | (vars or {}),
            environment=environment,
            **rest,
        )

    return begin


def outcomes(run: Run) -> dict[str, str]:
    """What became of each package last, by the store that the jobs handed on."""
    found: dict[str, tuple[str, str]] = {}
    for path in run.artifacts.glob("store-*/*/outcomes/*/*/*.json"):
        outcome = json.loads(path.read_text())
        found[outcome["package"]] = max(found.get(outcome["package"], ("", "")), (outcome["at"], outcome["kind"]))
    return {package: kind for package, (_, kind) in found.items()}


def test_a_tag_with_a_core_change_is_released_and_a_failed_npm_job_is_run_again(start: Start, second: Pipeline) -> None:
    run = start("tasker-shared/README.md")
    (refused,) = parse_faults("npm:upload:refuse:always")
    order(second.registries, refused)
    ended = run.start()
    assert {name for name, result in ended.items() if result == "failure"} == {
        "publish-typescript",
        "release-summary",
    }, run.jobs["release-summary"].printed
    assert ended["github-release"] == "skipped"
    assert outcomes(run) == {**dict.fromkeys(NINE, "published"), "npm/tasker": "failed"}
    assert "403" in run.jobs["publish-typescript"].printed
    assert "npm/tasker" in run.jobs["release-summary"].summary
    withdraw(second.registries)
    assert run.again("publish-typescript") == {
        "publish-typescript": "success",
        "github-release": "success",
        "release-summary": "success",
    }, run.jobs["publish-typescript"].printed
    assert outcomes(run) == dict.fromkeys(NINE, "published")
    assert "Done." in run.jobs["release-summary"].summary


def test_a_binding_only_change_skips_the_crates_and_is_released(start: Start) -> None:
    run = start("workers/typescript/README.md")
    ended = run.start()
    skipped = {"build-ruby", "build-python", "publish-crates", "publish-ruby", "publish-python"}
    assert ended == {name: "skipped" if name in skipped else "success" for name in ended}, _failed(run)
    assert {key for key, kind in outcomes(run).items() if kind == "published"} == {"npm/tasker"}


@pytest.mark.slow
def test_a_failed_registry_is_repaired_by_a_run_that_somebody_starts_for_it(start: Start, second: Pipeline) -> None:
    first = start("workers/typescript/README.md")
    (refused,) = parse_faults("npm:upload:refuse:always")
    order(second.registries, refused)
    assert first.start()["publish-typescript"] == "failure", _failed(first)
    withdraw(second.registries)
    repair = start(
        "",
        number=2,
        github={"event_name": "workflow_dispatch", "token": "reads-artifacts"},
        inputs={"dry_run": False, "from_ref": "", "release": "rehearsal-1", "only": "npm", "source_run_id": "1"},
    )
    ended = repair.start()
    ran = {"publish-typescript", "github-release", "release-summary"}
    assert ended == {name: "success" if name in ran else "skipped" for name in ended}, _failed(repair)
    assert outcomes(repair)["npm/tasker"] == "published"


@pytest.mark.slow
def test_the_pipeline_may_be_installed_as_a_pinned_package(start: Start, tmp_path: Path) -> None:
    wheels, shared = tmp_path / "wheels", tmp_path / "shared"
    shared.mkdir()
    build = ["uv", "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "--out-dir", str(wheels)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True, env={**os.environ, "PATH": search_path()})
    (wheel,) = wheels.glob("*.whl")
    pinned = f"tasker-release-pipeline[tools] @ file://{wheel}"
    # The first job is enough: all install it with the same action.
    run = start("tasker-pgmq/README.md", package=pinned, shared=shared)
    assert run.start("detect-and-calculate") == {"detect-and-calculate": "success"}, _failed(run)
    assert run.jobs["detect-and-calculate"].outputs["core"] == "0.1.2", run.jobs["detect-and-calculate"].printed
    assert not (shared / "pipeline-installation").resolve().is_relative_to(ROOT)


def test_the_closed_latch_forces_a_dry_run_whatever_the_inputs_say(start: Start, second: Pipeline) -> None:
    by_hand = {"event_name": "workflow_dispatch", "ref": "refs/heads/main", "ref_name": "main", "ref_type": "branch"}
    base = git(second.source, "rev-parse", "HEAD").strip()
    run = start(
        "workers/typescript/README.md",
        github=by_hand,
        vars={"TASKER_RELEASE_REGISTRIES": ""},
        inputs={"dry_run": False, "from_ref": base, "release": "", "only": "all", "source_run_id": ""},
    )
    ended = run.start()
    assert run.jobs["detect-and-calculate"].outputs["dry_run"] == "true", run.jobs["detect-and-calculate"].printed
    assert {ended[name] for name in ended if name.startswith("publish-")} == {"skipped"}
    assert ended["github-release"] == "skipped"
    assert ended["gate"] in ("success", "failure")
    assert outcomes(run) == {}


def test_a_cancelled_job_stops_the_rest_and_the_summary_is_red(start: Start) -> None:
    run = start("workers/typescript/README.md", cancelled="detect-and-calculate")
    ended = run.start()
    assert ended["detect-and-calculate"] == "cancelled"
    assert ended["release-summary"] == "failure"
    assert {ended[name] for name in ended if name not in ("detect-and-calculate", "release-summary")} <= {
        "skipped",
        "cancelled",
    }
    assert "A job of this release failed or was cancelled" in run.jobs["release-summary"].printed


def _failed(run: Run) -> str:
    return "\n".join(job.printed[-3000:] for job in run.jobs.values() if job.result == "failure")
