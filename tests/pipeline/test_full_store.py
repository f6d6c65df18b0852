"""A store without room in the middle of a run: one message, and what was done is found again."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pipeline.conftest import FIRST, ROOT, Ended, Pipeline

pytestmark = [pytest.mark.toolchain, pytest.mark.slow]

# In a mount namespace of its own: the store on a file system that has so many KiB left; kept for looking at afterwards.
SCRIPT = """
set -e
cp -a "$STORE/." "$KEPT"
mount -t tmpfs -o size=64m tmpfs "$STORE"
cp -a "$KEPT/." "$STORE"
left=$(df --output=avail -k "$STORE" | tail -1)
head -c $(( (left - ROOM) * 1024 )) /dev/zero > "$STORE/filler"
status=0
"$@" || status=$?
rm "$STORE/filler"
rm -r "$KEPT"; cp -a "$STORE" "$KEPT"
exit $status
"""


def can_mount() -> bool:
    """Whether this user may mount in a namespace of its own."""
    tried = subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
    )
    return tried.returncode == 0


def in_small_store(world: Pipeline, kept: Path, room: int) -> Ended:
    """Publish to npm, with `room` KiB left in the store."""
    settings = {"source": str(world.source), "dry_run": False, "registries": "rehearsal"}
    config = world.folder / "small.json"
    config.write_text(json.dumps({"resources": {"settings": {"config": settings}}}))
    world.home.mkdir(parents=True)
    shutil.copy(ROOT / "config" / "dagster.yaml", world.home)
    dagster = str(Path(sys.executable).with_name("dagster"))
    tags = json.dumps({"dagster/partition": FIRST})
    done = subprocess.run(
        [
            *("unshare", "-rm", "sh", "-c", SCRIPT, "sh"),
            *(dagster, "job", "execute", "-m", "tasker_release_pipeline", "-j", "publish_typescript"),
            *("-c", str(config), "--tags", tags),
        ],
        cwd=ROOT,
        env=world.environment(STORE=str(world.store), KEPT=str(kept), ROOM=str(room)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return Ended(done.returncode, done.stdout)


@pytest.mark.skipif(
    not can_mount(), reason="no user namespaces here (unshare -rm), so that no small file system is to be had"
)
@pytest.mark.parametrize("pages", [0, 1])
def test_a_store_that_fills_up_is_one_message_and_a_later_run_continues(
    second: Pipeline, tmp_path: Path, pages: int
) -> None:
    shutil.rmtree(second.registries / "records" / "npm")
    kept = tmp_path / "kept"
    kept.mkdir()
    ended = in_small_store(second, kept, room=4 * pages)
    assert ended.status == 1, ended.output
    assert "cannot be written (No space left on device); make room" in ended.output
    assert str(second.store) in ended.output
    assert "TASKER_RELEASE_STORE" in ended.output
    assert "Traceback" not in ended.output, ended.output
    if pages:
        assert f"{FIRST}" in ended.output.split("This summary is not in the store")[0].rpartition("# ")[2]
    assert not [path for path in kept.rglob(".*") if path.name != ".run.lock"]
    shutil.rmtree(second.store)
    shutil.copytree(kept, second.store)
    again = second.execute("publish_typescript", FIRST)
    assert again.status == 0, again.output[-6000:]
    assert second.outcomes(FIRST)["npm/tasker"] in ("published", "already_published")
