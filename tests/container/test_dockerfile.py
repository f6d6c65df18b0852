"""The image's recipe: linted, pinned, unprivileged, and made of the project's own lock files."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.container.dockerfile import DOCKERFILE, Stage, stages

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
STAGES = stages()
# Why a RUN can't be run here; the others are run below. Each is known by its first words.
NOT_HERE = {
    "rustup component add": "fetches from static.rust-lang.org, which nothing but a build of the image reaches",
    "apt-get update": "changes the system it runs in",
    "ldconfig": "makes an account, and folders at the root",
    "for tool in": "asks the tools of all stages; the graph's part of it is run by test_definitions.py",
}


def test_hadolint_finds_nothing() -> None:
    ended = subprocess.run([BIN / "hadolint", "--no-color", DOCKERFILE], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")


def test_every_image_is_pinned_by_digest_and_stands_on_the_same_debian() -> None:
    outside = [stage.base for stage in STAGES.values() if stage.base not in STAGES]
    assert len(outside) == 4
    for base in outside:
        assert re.fullmatch(r"[a-z]+:\S*bookworm\S*@sha256:[0-9a-f]{64}", base), base


def test_the_versions_are_those_that_a_release_needs() -> None:
    bases = " ".join(stage.base for stage in STAGES.values())
    for image in ("python:3.12-", "ruby:3.4-", "node:24-", "rust:1.98-"):
        assert image in bases


def test_the_container_runs_as_nobody_in_particular() -> None:
    words = [instruction.word for instruction in STAGES["release"].instructions]
    (user,) = STAGES["release"].of("USER")
    assert user.text == "10001:10001"
    # Whatever is started, and the last proof of the tools, comes after it.
    assert words.index("USER") < words.index("CMD")
    assert "USER" not in words[words.index("USER") + 1 :]
    assert words[-2:] == ["RUN", "CMD"]


def test_the_latch_is_closed_in_the_image() -> None:
    (variables,) = STAGES["release"].of("ENV")
    assert "RELEASE_DRY_RUN=true" in variables.text.split()


def test_the_image_holds_what_the_tests_run_with() -> None:
    locks = {name: pins(ROOT / "config" / "lock" / name) for name in ("runtime.txt", "python.txt")}
    assert locks["runtime.txt"].items() <= locks["python.txt"].items()
    assert {"dagster", "dagster-postgres", "dagster-webserver", "uv", "maturin"} <= locks["runtime.txt"].keys()
    assert not {"pytest", "playwright", "moto", "pypiserver"} & locks["runtime.txt"].keys()


def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", lock.read_text(), flags=re.MULTILINE))


def test_what_is_copied_is_let_through_and_nothing_else_is() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    let_through = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    copied = {
        source.split("/")[0]
        for stage in STAGES.values()
        for instruction in stage.of("COPY")
        if not instruction.text.startswith("--from")
        for source in instruction.text.split()[:-1]
    }
    assert copied == let_through
    assert all((ROOT / name).exists() for name in copied)


def test_every_run_is_run_here_or_it_is_said_why_not() -> None:
    for stage in STAGES.values():
        for instruction in stage.of("RUN"):
            reasons = [reason for words, reason in NOT_HERE.items() if instruction.shell.startswith(words)]
            assert reasons or stage.name in ("environment", "bun"), instruction.shell


def build(stage: Stage, root: Path, **environment: str) -> Path:
    """Follow a stage's instructions below `root`, in which its absolute paths lie; gives the working directory."""
    folder, variables = root, {**os.environ, **environment}
    for instruction in stage.instructions:
        match instruction.word:
            case "WORKDIR":
                folder = root / instruction.text.lstrip("/")
                folder.mkdir(parents=True)
            case "ENV":
                variables |= dict(pair.split("=", 1) for pair in instruction.text.split())
            case "COPY":
                copy(instruction.text.split(), folder)
            case "RUN":
                shell = instruction.shell.replace("/opt/release", str(root / "opt/release"))
                ended = subprocess.run(
                    ["sh", "-c", shell], cwd=folder, env=variables, capture_output=True, text=True, check=False
                )
                assert ended.returncode == 0, f"{shell}\n{ended.stdout[-3000:]}\n{ended.stderr[-3000:]}"
            case other:
                raise AssertionError(f"{other} is not followed here")
    return folder


def copy(words: list[str], folder: Path) -> None:
    *sources, target = words
    for source in sources:
        into = folder / target
        if (ROOT / source).is_dir():
            left_out = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / source, into, ignore=left_out)
        else:
            into.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, into)


@pytest.mark.toolchain
@pytest.mark.slow
def test_the_steps_that_install_the_pipeline_leave_one_that_loads_its_graph(tmp_path: Path) -> None:
    # The image's Python is 3.12; the one that the tests have runs the same lines.
    base = Path(sys.base_prefix, "bin")
    where = build(STAGES["environment"], tmp_path, PATH=f"{base}:{os.environ['PATH']}", PYTHONDONTWRITEBYTECODE="")
    environment = {"PATH": f"{where / '.venv/bin'}:/usr/bin:/bin", "HOME": str(tmp_path)}
    for command in (
        ["uv", "--version"],
        ["maturin", "--version"],
        ["git-cliff", "--version"],
        ["twine", "--version"],
        ["tasker-release", "--help"],
        ["dagster", "definitions", "validate", "-m", "tasker_release_pipeline.definitions"],
        ["dagster-webserver", "--version"],
        ["python", "-c", "import dagster_postgres, s3fs, dagster_slack, dagster_celery, redis"],
    ):
        # Elsewhere than in a checkout: what answers is what was installed.
        ended = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
    assert not list((where / ".venv").glob("lib/*/site-packages/pytest*"))


@pytest.mark.toolchain
@pytest.mark.slow
def test_the_step_that_installs_bun_leaves_one_that_runs(tmp_path: Path) -> None:
    where = build(STAGES["bun"], tmp_path)
    bun = subprocess.run([where / "node_modules/.bin/bun", "--version"], capture_output=True, text=True, check=True)
    assert f'"bun": "{bun.stdout.strip()}"' in (ROOT / "config/lock/node/package.json").read_text()
    assert not (where / "node_modules" / "verdaccio").exists()
