"""`doctor`: one look at machine, checkout and registries, with the way out for each red line."""

import json
import resource
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tasker_release_pipeline.release.manifest import load
from tasker_release_pipeline.release.settings import Registries, Settings
from tasker_release_pipeline.steps.doctor import examine
from tests.pipeline.conftest import ROOT

from .conftest import Ended, World, entry_point

pytestmark = pytest.mark.toolchain
CREDENTIALS = {f"{title}: credentials" for title in ("crates.io", "RubyGems", "PyPI", "npm")}
LOOKED_AT = {
    *("python", "tools", "store", "latch", "history", "tree", "branch", "tags", "versions", "workspace", "plan"),
    *("registries answered", "names are ours", "names are known", "versions are legal", "versions are free"),
    *("dist tags are kept", "counted from an earlier release", "main and CI", "recording", "rate limits"),
    *("formatted", "versions as planned", "lockfiles current", "nothing but commits"),
    *("toolchains are known", "links lead inside"),
    *CREDENTIALS,
}
LIVE = {"TASKER_RELEASE_REGISTRIES": "live", "RELEASE_DRY_RUN": "false", "TASKER_RELEASE_DRY_RUN": "false"}
NOBODY = {"HTTPS_PROXY": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
TOKENS = ("CARGO_REGISTRY_TOKEN", "GEM_HOST_API_KEY", "UV_PUBLISH_TOKEN", "NPM_TOKEN")


@pytest.fixture
def well(world: World) -> World:
    """A checkout of which `origin` has everything."""
    subprocess.run(["git", "clone", "--quiet", "--bare", str(world.source), str(world.folder / "origin")], check=True)
    world.git("remote", "add", "origin", str(world.folder / "origin"))
    return world


def examined(world: World, **environment: str) -> tuple[Ended, dict[str, list[dict[str, Any]]]]:
    """How the command ended, and its rows by what they are about."""
    ended = world.release("doctor", "--json", **environment)
    rows: dict[str, list[dict[str, Any]]] = {}
    for row in json.loads(ended.output)["rows"]:
        rows.setdefault(row["what"], []).append(row)
    return ended, rows


def health(rows: list[dict[str, Any]]) -> str:
    (one,) = {row["health"] for row in rows}
    return str(one)


def test_a_healthy_checkout_is_looked_at_in_seconds_and_left_as_it_was(well: World) -> None:
    before, temporary = well.holds(), well.folder / "tmp"
    temporary.mkdir()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended, rows = examined(well, TMPDIR=str(temporary))
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert ended.status == 0, ended.output
    assert set(rows) == LOOKED_AT
    assert {what for what in rows if health(rows[what]) != "ok"} <= {"plan", "tools", "rate limits"}
    assert well.holds() == before
    assert well.git("status", "--porcelain") == ""
    assert list(temporary.iterdir()) == []
    assert list(well.store.iterdir()) == []
    assert now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime < 5


def test_every_red_line_says_the_way_out_and_none_hides_another(well: World, tmp_path: Path) -> None:
    well.git("push", "--quiet", "origin", "HEAD:refs/tags/v0.0.9")
    well.git("tag", "--force", "v0.1.0", "HEAD")
    (well.source / "VERSION").write_text("0.1.5\n")
    text = (ROOT / "tasker_release_pipeline" / "manifests" / "tasker.toml").read_text()
    assert 'name = "tasker-cli"' in text
    own = tmp_path / "own.toml"
    own.write_text(text.replace('git = "2.32"', 'git = "99.1"').replace('"tasker-cli"', '"tasker-ctl"'))
    well.git("switch", "--quiet", "--create", "side")
    blocked = tmp_path / "blocked"
    blocked.write_text("")
    ended, rows = examined(well, TASKER_RELEASE_MANIFEST=str(own), TASKER_RELEASE_STORE=str(blocked / "store"))
    assert ended.status == 1
    said = {what: " | ".join(row["message"] for row in found) for what, found in rows.items()}
    red = {what for what, found in rows.items() if any(row["health"] == "error" for row in found)}
    assert red >= {"tools", "store", "tags", "versions", "workspace"}
    assert "the manifest tasker needs 99.1 or newer; update it" in said["tools"]
    assert "TASKER_RELEASE_STORE" in said["store"]
    assert "not fetched: v0.0.9" in said["tags"]
    assert "git fetch --tags" in said["tags"]
    assert "v0.1.0 stands on another commit than on origin" in said["tags"]
    assert "VERSION" in said["versions"]
    assert "tasker-ctl is no member of the cargo workspace" in said["workspace"]
    assert "git switch main" in said["branch"]
    assert "uncommitted changes in VERSION" in said["tree"]


def test_a_shallow_clone_is_red(well: World) -> None:
    shallow = World(well.folder / "other")
    shallow.folder.mkdir()
    url = f"file://{well.folder / 'origin'}"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", url, str(shallow.source)], check=True)
    ended, rows = examined(shallow)
    assert ended.status == 1
    assert health(rows["history"]) == "error"
    assert "git fetch --unshallow --tags" in rows["history"][0]["message"]


def test_missing_tokens_are_red_for_a_release_and_yellow_for_a_dry_run(well: World) -> None:
    out_of_reach = {**NOBODY, "GITHUB_API_URL": "http://127.0.0.1:9", **dict.fromkeys(TOKENS, "")}
    ended, rows = examined(well, **LIVE, **out_of_reach)
    assert ended.status == 1
    assert {health(rows[what]) for what in CREDENTIALS} == {"error"}
    messages = " ".join(rows[what][0]["message"] for what in CREDENTIALS)
    assert all(f"set {variable} in the environment" in messages for variable in TOKENS)
    assert health(rows["latch"]) == "warning"
    _, rows = examined(well, **{**LIVE, "RELEASE_DRY_RUN": "true"}, **out_of_reach)
    assert {health(rows[what]) for what in CREDENTIALS} == {"warning"}
    assert health(rows["registries answered"]) == "warning"
    assert health(rows["recording"]) == "warning"


def test_a_registry_that_never_answers_is_not_waited_for(well: World, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = well.environment(TASKER_RELEASE_REGISTRIES="live")
    settings = Settings(source=str(well.source), registries=Registries.LIVE)
    with silent() as address:
        monkeypatch.setenv("HTTPS_PROXY", address)
        monkeypatch.setenv("https_proxy", address)
        started = time.monotonic()
        found = examine(settings, load("tasker"), environment, seconds=3)
        assert time.monotonic() - started < 6
        assert "release" in found.late
        (row,) = [row for row in found.rows if row.what == "release"]
        assert (row.health, row.message) == ("warning", "unproven: no answer within 3 s; run it again")


@contextmanager
def silent() -> Iterator[str]:
    """The address of a server that accepts, and never says a word."""
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    kept.append(server.accept()[0])
                except OSError:
                    return

        thread = Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in kept:
                connection.close()


def test_wrong_usage_is_2_and_a_folder_that_is_no_checkout_is_red(world: World, tmp_path: Path) -> None:
    assert world.release("doctor", "--registries", "lively").status == 2
    ended = world.release("doctor", "--source", str(tmp_path / "nowhere"))
    assert ended.status == 1
    assert "no such folder; point `source` at a git checkout" in ended.output


def test_where_nobody_looks_its_table_has_no_colours_and_it_never_imports_dagster(world: World) -> None:
    done = subprocess.run(
        [entry_point("python"), "-X", "importtime", entry_point("tasker-release"), "doctor"],
        cwd=world.source,
        env=world.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "\x1b" not in done.stdout
    assert " 0 error, in " in done.stdout.splitlines()[-1]
    assert "tasker_release_pipeline.steps.doctor" in done.stderr
    assert not [line for line in done.stderr.splitlines() if line.rpartition("|")[2].strip().startswith("dagster")]
