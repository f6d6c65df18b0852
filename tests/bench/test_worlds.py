"""What is measured is what is said to be measured."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.big_repository import BASE, Size, big_repository
from bench.many_packages import many_packages, workspace
from bench.memory import descendants, is_own
from bench.planning import decided
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.manifest import load


def git(folder: Path, *arguments: str) -> list[str]:
    return subprocess.run(
        ["git", *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.splitlines()


@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20")  # Dagster's own
def test_the_graph_without_tools_is_the_pipelines() -> None:
    from bench.nothing import defs  # noqa: PLC0415
    from tasker_release_pipeline.definitions import defs as real  # noqa: PLC0415

    ours, theirs = defs.resolve_asset_graph(), real.resolve_asset_graph()
    assert ours.get_all_asset_keys() == theirs.get_all_asset_keys()
    assert ours.asset_check_keys == theirs.asset_check_keys
    for key in theirs.get_all_asset_keys():
        assert ours.get(key).parent_keys == theirs.get(key).parent_keys
    for job in ("release", "gate", "publish_crates"):
        steps, real_steps = (set(d.resolve_job_def(job).graph.node_names()) for d in (defs, real))
        assert steps == real_steps


def test_the_big_repository_has_the_size_that_was_asked_for(tmp_path: Path) -> None:
    source = big_repository(tmp_path / "source", Size(commits=60, files=300, changed=10))
    assert len(git(source, "rev-list", f"{BASE}..main")) == 10
    assert len(git(source, "diff", "--name-only", BASE, "main")) == 10
    assert sum("/generated/" in path for path in git(source, "ls-tree", "-r", "--name-only", "main")) == 300
    assert (source / ".git" / "objects" / "info" / "commit-graph").exists()
    # All of them count: the last commits change every component, after the tag that is found as the base.
    plan = decided(source, load("tasker"))
    assert {decision.base.ref for decision in plan.values()} == {BASE}
    assert all(decision.publish for decision in plan.values())


@pytest.mark.parametrize(("count", "phases"), [(10, 4), (100, 8), (1000, 12)])
def test_a_manifest_of_many_packages_grows_in_every_direction(tmp_path: Path, count: int, phases: int) -> None:
    manifest = load(str(many_packages(tmp_path / "many.toml", count)))
    assert len(manifest.packages) == count
    assert {crate.phase for crate in manifest.crates} == set(range(1, phases + 1))
    assert {package.registry for package in manifest.packages} == set(RegistryName)


def test_every_package_of_a_workspace_changed(tmp_path: Path) -> None:
    manifest = load(str(many_packages(tmp_path / "many.toml", 10)))
    plan = decided(workspace(tmp_path / "source", manifest), manifest)
    assert {decision.version for decision in plan.values() if decision.publish} == {"0.1.1"}
    assert len(plan) == len(manifest.components)


@pytest.mark.parametrize(
    ("command", "own"),
    [
        ("/v/bin/python /v/bin/dagster job execute -m tasker_release_pipeline", True),
        ("/v/bin/python3.11 -c from|multiprocessing.forkserver|import", True),
        ("/v/bin/python -I -S /p/tasker_release_pipeline/toolchains/watchdog.py", True),
        ("/v/bin/python /v/bin/twine check dist/a.whl", False),
        ("cargo package --target-dir /w/dagster", False),
        ("", False),
    ],
)
def test_compilers_and_clients_do_not_count_as_the_runs_memory(command: str, own: bool) -> None:
    assert is_own(command.split()) is own


def test_the_processes_of_a_run_are_found_wherever_they_descend_from_it() -> None:
    # The shell starts a child, which says when it is there and then waits for the end of its input.
    child = f"'{sys.executable}' -c 'import sys; print(1, flush=True); sys.stdin.read()'; true"
    with subprocess.Popen(["sh", "-c", child], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
        assert shell.stdout is not None
        shell.stdout.readline()
        found = descendants(shell.pid)
        assert shell.pid in found
        assert len(found) == 2
        assert found < descendants(os.getpid())
        shell.communicate()
