"""The commands start at once, explain themselves, and end as a shell expects."""

import os
import re
import resource
import signal
import subprocess
from pathlib import Path

import pytest

from .conftest import World, entry_point

COMMANDS = [
    ["tasker-release"],
    *(
        ["tasker-release", name]
        for name in (
            "doctor",
            "detect-changes",
            "calculate-versions",
            "update-versions",
            "prepare",
            "run",
            "status",
            "registries",
            "faults",
        )
    ),
    *([f"publish-{name}"] for name in ("crates", "ruby", "python", "typescript")),
]
# What each does without a graph, on a checkout of the example; `run` starts Dagster in another process.
AT_WORK = [
    ["tasker-release", "detect-changes"],
    ["tasker-release", "calculate-versions"],
    ["tasker-release", "update-versions", "--core", "0.1.9", "--dry-run"],
    ["tasker-release", "status"],
    ["publish-crates", "0.1.0", "--dry-run"],
    ["tasker-release", "run", "nightly"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_with_an_example(world: World, command: list[str]) -> None:
    ended = world.run(*command, "--help", COLUMNS="120")
    assert (ended.status, ended.errors) == (0, "")
    assert ended.output.startswith(f"Usage: {' '.join(command)} ")
    if command == ["tasker-release"]:
        assert {name for _, *names in COMMANDS for name in names} <= set(ended.output.split())
        return
    name = " ".join(command)
    assert re.search(rf"Examples?:\n(.*\n)?.*{name}\b", ended.output), ended.output
    if name not in ("tasker-release registries", "tasker-release faults"):
        for variable in ("SOURCE", "MANIFEST", "STORE", "REGISTRIES"):
            assert f"TASKER_RELEASE_{variable}" in ended.output


@pytest.mark.toolchain
@pytest.mark.parametrize("command", AT_WORK, ids=" ".join)
def test_what_runs_no_graph_never_imports_dagster(world: World, command: list[str]) -> None:
    done = subprocess.run(
        [entry_point("python"), "-X", "importtime", entry_point(command[0]), *command[1:]],
        cwd=world.source,
        env=world.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "tasker_release_pipeline.release.settings" in imported
    assert not {name for name in imported if name.partition(".")[0].startswith("dagster")}


def seconds(command: list[str], world: World) -> float:
    """The least processor time of three runs, children included."""
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, cwd=world.source, env=world.environment(), capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


def test_detect_changes_starts_within_a_few_times_of_what_python_and_its_libraries_take(world: World) -> None:
    # On an idle machine 0.08 s and 0.28 s. By processor time, and in proportion, as machines differ and are busy.
    least = seconds([entry_point("python"), "-c", "import click, pydantic.main"], world)
    assert seconds([entry_point("tasker-release"), "detect-changes"], world) < 5 * least


@pytest.mark.parametrize(
    "arguments",
    [["detect"], ["detect-changes", "--form", "v1"], ["run"], ["status", "--registries", "prod"]],
    ids=" ".join,
)
def test_wrong_usage_exits_with_two_and_says_how(world: World, arguments: list[str]) -> None:
    ended = world.release(*arguments)
    assert (ended.status, ended.output) == (2, "")
    assert ended.errors.startswith("Usage: tasker-release")
    assert "Error: " in ended.errors


def test_a_ctrl_c_is_one_line_and_130(world: World, wrapped_git: Path) -> None:
    waiting = world.folder / "waiting"
    os.mkfifo(waiting)
    wrapped_git.write_text(f'#!/bin/bash\necho here > "{waiting}"\nexec sleep 60\n')
    wrapped_git.chmod(0o755)
    process = subprocess.Popen(
        [entry_point("tasker-release"), "detect-changes"],
        cwd=world.source,
        env=world.environment(PATH=f"{wrapped_git.parent}:{os.environ['PATH']}"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert waiting.read_text() == "here\n"
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output, errors) == (130, "", "Interrupted.\n")
