"""The whole Dockerfile, followed in a root of its own on this machine's Debian."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.container.dockerfile import Stage, stages
from tests.container.throwaway_root import Root, throwaway_root

pytestmark = [pytest.mark.service, pytest.mark.toolchain]

ROOT = Path(__file__).parents[2]
STAGES = stages()
FOLLOWED = ("environment", "bun", "release")
# rustup fetches from static.rust-lang.org, which nothing but a build of the image reaches.
NOT_HERE = {"rust": ["rustup component add clippy rustfmt"]}
# This machine's tools stand for the images that they are copied from.
_PYTHON = Path(sys.base_prefix, "bin")
_REACHING_REGISTRIES = re.compile(
    r"(?i).*(_CERTS?|_CERTS?_FILE|_CA_BUNDLE|_PROXY|SYSTEM_CERTS|_INDEX_URL|_REGISTRY|NATIVE_TLS)"
)
_BEFORE = {
    **{name: value for name, value in os.environ.items() if _REACHING_REGISTRIES.fullmatch(name)},
    "PATH": f"{_PYTHON}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
}
_STAND_INS = """
chmod o+x /root
mkdir /usr/local/cargo
ln -s "$(dirname "$CARGO")" /usr/local/cargo/bin
ln -s "$RUSTUP_HOME" /usr/local/rustup
"""


def follow(root: Root, stage: Stage) -> tuple[dict[str, str], str]:
    """Run a stage's instructions; gives the environment and the user that it ends with."""
    folder, user, environment = "/", "0:0", dict(_BEFORE)
    for instruction in stage.instructions:
        match instruction.word:
            case "WORKDIR":
                folder = instruction.text
                root.run(f"mkdir -p {folder}", env=environment)
            case "ENV":
                pairs = (pair.split("=", 1) for pair in instruction.text.split())
                environment |= {name: value.replace("$PATH", environment["PATH"]) for name, value in pairs}
            case "USER":
                user = instruction.text
                environment["HOME"] = "/home/release"
            case "COPY" if not instruction.text.startswith("--from"):
                *sources, target = instruction.text.split()
                for source in sources:
                    # A folder's name is its target's last part; a file's target is a folder.
                    into = Path(folder, target)
                    root.bring(ROOT / source, str(into.parent if (ROOT / source).is_dir() else into))
            case "RUN":
                root.run(instruction.shell, cwd=folder, env=environment, user=user)
    return environment, user


@dataclass(frozen=True)
class Image:
    """What came of the Dockerfile, and how a container of it starts."""

    root: Root
    environment: dict[str, str]
    user: str

    def said(self, shell: str, **more: str) -> str:
        return self.root.run(shell, cwd="/opt/release", env={**self.environment, **more}, user=self.user).strip()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """Every step but rustup's has run; the last of them starts every tool, and loads the graph."""
    with throwaway_root(tmp_path_factory.mktemp("image") / "root") as root:
        if root is None:
            pytest.skip("a root to throw away takes the right to mount")
        rustup = os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup"))
        root.run(_STAND_INS, env={**_BEFORE, "CARGO": shutil.which("cargo") or "", "RUSTUP_HOME": rustup})
        *_, container = [follow(root, STAGES[name]) for name in FOLLOWED]
        yield Image(root, *container)
    assert not Path("/opt/release").exists()


def test_every_step_is_run_here_or_it_is_said_why_not() -> None:
    left_out = {
        name: [step.shell for step in stage.of("RUN")] for name, stage in STAGES.items() if name not in FOLLOWED
    }
    assert {name: steps for name, steps in left_out.items() if steps} == NOT_HERE


def test_the_user_may_write_what_lies_in_volumes_and_nothing_else(image: Image) -> None:
    assert image.said("id -u; id -g").split() == ["10001", "10001"]
    image.said("touch /data/source/new /data/store/new /data/work/new dagster/storage/new && rm /data/*/new")
    for place in (".venv", ".tools", "config", "/usr/local/bin"):
        assert image.said(f"touch {place}/new 2>/dev/null || echo refused") == "refused"


def test_what_was_installed_is_what_starts(image: Image) -> None:
    for tool, where in (
        ("bun", ".tools/node/node_modules/.bin/bun"),
        ("publint", ".tools/node/node_modules/.bin/publint"),
        ("uv", ".venv/bin/uv"),
        ("tasker-release", ".venv/bin/tasker-release"),
        ("dagster-webserver", ".venv/bin/dagster-webserver"),
    ):
        assert image.said(f"command -v {tool}") == f"/opt/release/{where}"
    package = image.said("cd / && python -c 'import tasker_release_pipeline as p; print(p.__file__)'")
    assert package.startswith("/opt/release/.venv/lib/")
    assert image.said("cat dagster/dagster.yaml") == (ROOT / "config" / "dagster-postgres.yaml").read_text().strip()
    assert image.said("bundle config get path").endswith('"/data/work/bundle"')


def test_the_user_rehearses_a_release_in_it(image: Image) -> None:
    image.root.bring(ROOT / "examples", "/srv")
    image.said("python /srv/examples/repository.py /data/source")
    # The example's gems are the system's own, which Bundler looks for where no folder for gems is set.
    image.said("rm /home/release/.bundle/config")
    ended = image.said(
        "tasker-release run rehearsal-20260501-0300 --registries rehearsal --no-dry-run",
        DAGSTER_HOME="/home/release/dagster",
    )
    assert "9 of 9 packages published" in ended
