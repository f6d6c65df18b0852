"""Bad input is refused before anything starts: exit status 1, one message that names file, value and way out."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pipeline.conftest import ROOT, Pipeline, change, git

pytestmark = pytest.mark.toolchain
RELEASE = "rehearsal-20260301-0300"


@pytest.fixture
def pipeline(fresh: Pipeline) -> Pipeline:
    return fresh


def refused(pipeline: Pipeline, *said: str, job: str = "release", release: str = RELEASE, **settings: str) -> None:
    """The run ends with 1 before any step, and one line says all of `said`."""
    environment = {name: settings.pop(name) for name in list(settings) if name.isupper()}
    ended = pipeline.execute(job, release, environment, **settings)
    assert ended.status == 1, ended.output
    errors = [line for line in ended.output.splitlines() if " ERROR " in line and "Execution of run" not in line]
    assert len(errors) == 1, ended.output
    for word in said:
        assert word in errors[0]
    assert "Traceback" not in ended.output
    assert 'File "' not in ended.output
    assert not (pipeline.store / (release or RELEASE) / "plan.json").exists()
    if (summary := pipeline.store / (release or RELEASE) / "summary.md").exists():
        assert said[0] in summary.read_text()


def test_no_release_is_named(pipeline: Pipeline) -> None:
    refused(pipeline, "no release is named", "--tags", release="")


@pytest.mark.slow
def test_a_rehearsal_under_a_releases_key(pipeline: Pipeline) -> None:
    refused(pipeline, "v0.1.1", "registries: rehearsal", "rehearsal-20260301-0300", release="v0.1.1")


@pytest.mark.slow
def test_a_release_under_a_rehearsals_key(pipeline: Pipeline) -> None:
    refused(pipeline, RELEASE, "registries: live", "name the release by its tag", registries="live")


@pytest.mark.slow
def test_a_key_that_names_no_release(pipeline: Pipeline) -> None:
    refused(pipeline, "nightly", "like v0.1.9", release="nightly")


def test_a_source_that_is_no_git_repository(pipeline: Pipeline, tmp_path: Path) -> None:
    refused(pipeline, str(tmp_path / "plain"), "no such folder", source=str(tmp_path / "plain"))
    (tmp_path / "plain").mkdir()
    refused(pipeline, str(tmp_path / "plain"), "not a git checkout", source=str(tmp_path / "plain"))


@pytest.mark.slow
def test_a_source_without_commits(pipeline: Pipeline, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "empty")
    refused(pipeline, str(tmp_path / "empty"), "no commits yet", source=str(tmp_path / "empty"))


@pytest.mark.slow
def test_an_unknown_from_ref(pipeline: Pipeline) -> None:
    refused(pipeline, "from_ref 'v9.9.9'", str(pipeline.source), "git fetch --tags", from_ref="v9.9.9")


@pytest.mark.slow
def test_a_tag_on_a_tree_of_another_version(pipeline: Pipeline) -> None:
    git(pipeline.source, "tag", "v0.2.0")
    refused(pipeline, "tag v0.2.0 on a tree of 0.1.0", "VERSION", release="v0.2.0", registries="live")


@pytest.mark.slow
def test_a_version_that_is_not_semver(pipeline: Pipeline) -> None:
    change(pipeline.source, "VERSION", "0.1.0.0", replaced="0.1.0")
    refused(pipeline, "VERSION", "'0.1.0.0'", "three parts")


def mutated(pipeline: Pipeline, replace: Callable[[str], str]) -> str:
    """A manifest of one's own: the packaged one, mutated."""
    text = (ROOT / "tasker_release_pipeline" / "manifests" / "tasker.toml").read_text()
    path = pipeline.folder / "mine.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(replace(text))
    assert path.read_text() != text
    return str(path)


@pytest.mark.slow
def test_a_manifest_with_an_unknown_key(pipeline: Pipeline) -> None:
    path = mutated(pipeline, lambda text: text.replace('access = "public"', 'acces = "public"'))
    refused(pipeline, path, "acces is an unknown key", manifest=path)


@pytest.mark.slow
def test_a_manifest_with_a_crate_that_does_not_exist(pipeline: Pipeline) -> None:
    path = mutated(pipeline, lambda text: text.replace('name = "tasker-cli"', 'name = "tasker-ctl"'))
    refused(pipeline, path, "tasker-ctl", manifest=path)


@pytest.mark.slow
def test_a_manifest_with_phases_that_contradict_cargo(pipeline: Pipeline) -> None:
    path = mutated(pipeline, lambda text: text.replace("phase = 2", "phase = 1"))
    refused(pipeline, path, "tasker-shared", "tasker-pgmq", "phase 2", "Cargo.toml", manifest=path)


def test_a_manifest_of_another_graph(pipeline: Pipeline) -> None:
    path = mutated(pipeline, lambda text: text.replace("phase = 4", "phase = 5"))
    refused(pipeline, path, "TASKER_RELEASE_MANIFEST", manifest=path)


@pytest.mark.slow
def test_a_manifest_that_is_not_there(pipeline: Pipeline) -> None:
    refused(pipeline, "'taskre'", "tasker, tasker-ctl", manifest="taskre")
    refused(pipeline, "'taskre'", "tasker, tasker-ctl", TASKER_RELEASE_MANIFEST="taskre")


@pytest.mark.slow
def test_a_live_release_without_its_tag(pipeline: Pipeline) -> None:
    settings = {"registries": "live", "RELEASE_DRY_RUN": "false"}
    refused(pipeline, "release-2026", "no tag of that name", "git fetch --tags", release="release-2026", **settings)


@pytest.mark.slow
def test_an_internal_dependency_without_a_version(pipeline: Pipeline) -> None:
    change(pipeline.source, "tasker-cli/Cargo.toml", "", replaced=', version = "=0.1.0"')
    refused(pipeline, "tasker-cli/Cargo.toml", "tasker-cli depends on", 'version = "=0.1.0"')


def test_a_missing_tool(pipeline: Pipeline, tmp_path: Path) -> None:
    bare = tmp_path / "bin"
    bare.mkdir()
    for tool in ("git", "bash", "env", "cargo", "protoc"):
        where = shutil.which(tool)
        assert where is not None
        (bare / tool).symlink_to(where)
    home = {"RUSTUP_HOME": os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup"))}
    refused(pipeline, "bundle is missing", "gem is missing", job="build_ruby", PATH=str(bare), **home)


def test_a_store_that_cannot_be_written(pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    store = str(tmp_path / "file" / "store")
    refused(pipeline, store, "cannot be written", "TASKER_RELEASE_STORE", TASKER_RELEASE_STORE=store)


@pytest.mark.slow
def test_an_on_duplicate_that_there_is_not(pipeline: Pipeline) -> None:
    refused(pipeline, "on_duplicate", "'maybe'", "skip, warn, fail", on_duplicate="maybe")


def test_an_upload_without_a_go(pipeline: Pipeline) -> None:
    refused(pipeline, "plan.json", "is not there", "`gate`", job="publish_crates")


def test_a_misspelled_setting(pipeline: Pipeline) -> None:
    ended = pipeline.execute("release", RELEASE, sorce=str(pipeline.source))
    assert ended.status == 1
    assert 'Received unexpected config entry "sorce"' in ended.output


def test_the_command_line_says_what_is_wrong_without_a_stack(tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("tasker-release")), "registries", "--root", str(tmp_path)]
    done = subprocess.run([*command, "--manifest", "taskre"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: manifest 'taskre' is not packaged")
