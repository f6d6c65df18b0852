"""The image's recipe: linted, pinned, unprivileged, and made of the project's own lock files."""

import re
import subprocess
import sys
from pathlib import Path

from tests.container.dockerfile import DOCKERFILE, stages

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
STAGES = stages()


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
