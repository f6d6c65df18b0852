import hashlib
import json
import multiprocessing
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from upath import UPath

from tasker_release_pipeline.release.artifact import Artifact, BuildResult, ReleaseManifest
from tasker_release_pipeline.release.checks import CheckResult
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.outcome import Outcome, OutcomeKind
from tasker_release_pipeline.release.plan import Finding, Severity
from tasker_release_pipeline.release.settings import Mode, Settings
from tasker_release_pipeline.store import ReleaseStore

GEM = "rubygems/tasker-rb"


def at(root: object, release: str = "v0.1.9") -> ReleaseStore:
    return ReleaseStore.of(release, {"TASKER_RELEASE_STORE": str(root)})


@pytest.fixture(params=["path", "file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ReleaseStore]:
    """A store by its path, or by an fsspec URL."""
    name = f"store-{uuid4().hex}"
    urls = {"path": f"{tmp_path}/{name}", "file": f"file://{tmp_path}/{name}", "memory": f"memory://{name}"}
    store = at(urls[request.param])
    yield store
    if request.param == "memory" and store.root.exists():  # the same for all tests of a process
        store.root.fs.rm(store.root.path, recursive=True)


def result(commit: str, seconds: float = 0.0) -> BuildResult:
    return BuildResult(commit=commit, seconds=seconds)


def outcome(kind: OutcomeKind, after: int, run: str = "r1", attempt: int = 1) -> Outcome:
    return Outcome(
        package=GEM,
        kind=kind,
        version="0.1.9",
        registry="rubygems",
        mode=Mode.LIVE,
        run=run,
        attempt=attempt,
        at=datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=after),
    )


def artifact(content: bytes) -> Artifact:
    return Artifact(
        package=GEM,
        file="a.gem",
        version="0.1.9",
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        integrity="",
    )


def test_what_is_written_is_read_back(store: ReleaseStore) -> None:
    store.write("builds/gem_archive.json", result("c1"))
    assert store.read("builds/gem_archive.json", BuildResult) == result("c1")
    assert json.loads((store.folder / "builds" / "gem_archive.json").read_text())["commit"] == "c1"
    store.write("builds/gem_archive.json", result("c2"))
    assert store.demand("builds/gem_archive.json", BuildResult, "").commit == "c2"


def test_writing_leaves_no_other_file_behind(store: ReleaseStore) -> None:
    store.write("builds/gem_archive.json", result("c1"))
    assert [path.name for path in (store.folder / "builds").iterdir()] == ["gem_archive.json"]


def test_what_is_not_there_is_none_or_an_error_with_the_way_out(store: ReleaseStore) -> None:
    assert store.read("plan.json", Settings) is None
    with pytest.raises(InputError, match=r"v0\.1\.9/plan\.json: is not there; run `release` first"):
        store.demand("plan.json", Settings, "run `release` first")


@pytest.mark.parametrize("content", [b'{"source": ', b"\xff\xfe", b"[]", b'{"sauce": "."}', b""])
def test_unreadable_json_is_named_with_the_way_out(store: ReleaseStore, content: bytes) -> None:
    store.write_bytes("settings.json", content)
    with pytest.raises(InputError, match=r"v0\.1\.9/settings\.json: does not read as Settings .*take it away and run"):
        store.read("settings.json", Settings)


def test_an_unreadable_outcome_is_named_and_not_passed_over(store: ReleaseStore) -> None:
    store.write_outcome(outcome(OutcomeKind.PUBLISHED, after=1))
    store.write_bytes(f"outcomes/{GEM}/r2-1.json", b"{")
    with pytest.raises(InputError, match=r"rubygems/tasker-rb/r2-1\.json: does not read as Outcome"):
        store.outcome(GEM)


def test_the_last_outcome_wins_whatever_its_files_name(store: ReleaseStore) -> None:
    assert store.outcome(GEM) is None
    store.write_outcome(outcome(OutcomeKind.FAILED, after=1, run="zz"))
    store.write_outcome(outcome(OutcomeKind.PUBLISHED, after=3, run="aa"))
    store.write_outcome(outcome(OutcomeKind.FAILED, after=2, run="mm"))
    last = store.outcome(GEM)
    assert last is not None
    assert (last.kind, last.run) == (OutcomeKind.PUBLISHED, "aa")


def test_each_attempt_of_each_run_is_kept(store: ReleaseStore) -> None:
    for attempt in (1, 2):
        store.write_outcome(outcome(OutcomeKind.FAILED, after=1, attempt=attempt))
    assert sorted(path.name for path in (store.folder / "outcomes" / GEM).iterdir()) == ["r1-1.json", "r1-2.json"]
    last = store.outcome(GEM)
    assert last is not None
    assert last.attempt == 2


def test_an_outcome_without_a_time_zone_can_not_be_compared_and_is_refused() -> None:
    row = outcome(OutcomeKind.FAILED, after=1).model_dump()
    with pytest.raises(ValueError, match="timezone"):
        Outcome.model_validate(row | {"at": datetime(2026, 3, 1)})


@pytest.mark.parametrize("asset", ["staged_install", "npm/tasker"])
def test_checks_of_other_runs_are_found_by_asset_and_name(store: ReleaseStore, asset: str) -> None:
    assert store.checks() == {}
    passed = CheckResult(asset=asset, name="loads", subject="s")
    store.write_check(passed)
    assert store.checks() == {(asset, "loads"): passed}
    failed = passed.model_copy(update={"findings": (Finding(severity=Severity.ERROR, message="does not load"),)})
    store.write_check(failed)
    assert store.checks() == {(asset, "loads"): failed}


def test_an_artifact_comes_back_with_the_same_bytes(store: ReleaseStore, tmp_path: Path) -> None:
    (tmp_path / "a.gem").write_bytes(b"abc")
    store.put_artifact(tmp_path / "a.gem")
    got = store.get_artifact(artifact(b"abc"), tmp_path / "into" / "deep")
    assert got == tmp_path / "into" / "deep" / "a.gem"
    assert got.read_bytes() == b"abc"


def test_a_changed_artifact_is_refused_with_both_digests(store: ReleaseStore, tmp_path: Path) -> None:
    store.write_bytes("artifacts/a.gem", b"changed")
    wanted = artifact(b"abc")
    with pytest.raises(InputError) as refused:
        store.get_artifact(wanted, tmp_path / "into")
    assert hashlib.sha256(b"changed").hexdigest() in str(refused.value)
    assert wanted.sha256 in str(refused.value)
    assert not (tmp_path / "into").exists()


def test_a_missing_artifact_is_refused_with_the_build_to_run(store: ReleaseStore, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"artifacts/a\.gem: is not there, .*run the build of rubygems/tasker-rb again"
    ):
        store.get_artifact(artifact(b"abc"), tmp_path)


def test_releases_do_not_see_each_other(store: ReleaseStore) -> None:
    store.write("plan.json", Settings())
    assert ReleaseStore(store.root, "v0.2.0").read("plan.json", Settings) is None


def test_a_store_that_takes_files_is_left_as_it_was(store: ReleaseStore) -> None:
    store.check_writable()
    assert list(store.folder.iterdir()) == []


def test_a_store_that_can_not_be_written_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for root in (tmp_path / "file", f"file://{tmp_path}/file"):
        with pytest.raises(
            InputError, match=r"file: cannot be written \(.*\); make room or mend .*TASKER_RELEASE_STORE"
        ):
            at(root).check_writable()


def test_a_store_named_by_nothing_lies_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ReleaseStore.of("v0.1.9", {}).local == tmp_path / ".tasker-release" / "store" / "v0.1.9"


def test_only_a_store_on_this_machine_has_a_local_folder(tmp_path: Path) -> None:
    assert at(tmp_path).local == at(f"file://{tmp_path}").local == tmp_path / "v0.1.9"
    assert at("memory://store").local is None
    assert at("memory://store").root == UPath("memory://store")


def test_a_store_copied_into_another_is_found_there(tmp_path: Path) -> None:
    # How the stores of several CI jobs become one.
    one, other = at(tmp_path / "one"), at(tmp_path / "other")
    one.write_outcome(outcome(OutcomeKind.FAILED, after=1))
    other.write_outcome(outcome(OutcomeKind.PUBLISHED, after=2, run="r2"))
    for path in (tmp_path / "one").rglob("*.json"):
        other.write_bytes(str(path.relative_to(tmp_path / "one" / "v0.1.9")), path.read_bytes())
    last = other.outcome(GEM)
    assert last is not None
    assert last.run == "r2"
    assert len(list((tmp_path / "other").rglob("*.json"))) == 2


# --- readers beside a writer ------------------------------------------------------------------------------------------


def _manifest(round_: int) -> ReleaseManifest:
    """Large enough that it takes the file system several writes."""
    many = tuple(artifact(f"{round_}-{number}".encode()) for number in range(2000))
    return ReleaseManifest(release="v0.1.9", plan=str(round_), commit="c", artifacts=many)


def _write_often(root: str, first: bytes, second: bytes, rounds: int) -> None:
    for _ in range(rounds):
        for content in (first, second):
            at(root).write_bytes("manifest.json", content)


@pytest.mark.parametrize("scheme", ["", "file://"])
@pytest.mark.parametrize("writer", ["thread", "process"])
def test_a_reader_never_sees_a_part_of_a_file(tmp_path: Path, scheme: str, writer: str) -> None:
    root = f"{scheme}{tmp_path}"
    whole = {_manifest(round_).model_dump_json().encode() for round_ in (1, 2)}
    at(root).write_bytes("manifest.json", min(whole))
    arguments = (root, min(whole), max(whole), 20)
    start = threading.Thread if writer == "thread" else multiprocessing.get_context("spawn").Process
    other = start(target=_write_often, args=arguments)
    other.start()
    reads = 0
    while other.is_alive():
        assert (tmp_path / "v0.1.9" / "manifest.json").read_bytes() in whole
        reads += 1
    other.join()
    assert reads
    assert at(root).read("manifest.json", ReleaseManifest) is not None


def test_a_file_that_does_not_fit_is_one_message_and_leaves_nothing(tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import resource, sys
        from tasker_release_pipeline.store import ReleaseStore
        store = ReleaseStore.of("v0.1.9", {"TASKER_RELEASE_STORE": sys.argv[1]})
        store.write_bytes("artifacts/a.gem", b"whole")
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        store.write_bytes("artifacts/a.gem", bytes(5000))
    """)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    said = done.stderr.splitlines()[-1]
    assert f"InputError: {tmp_path}/v0.1.9/artifacts/a.gem: cannot be written (File too large); make room" in said
    assert said.endswith("or name another store in TASKER_RELEASE_STORE, and run again")
    assert [path.name for path in (tmp_path / "v0.1.9" / "artifacts").iterdir()] == ["a.gem"]
    assert (tmp_path / "v0.1.9" / "artifacts" / "a.gem").read_bytes() == b"whole"


def test_a_writer_that_is_killed_leaves_no_half_of_a_file(tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import sys
        from tasker_release_pipeline.store import ReleaseStore
        store = ReleaseStore.of("v0.1.9", {"TASKER_RELEASE_STORE": sys.argv[1]})
        while True:
            store.write_bytes("artifacts/a.gem", bytes(20_000_000))
            print("written", flush=True)
    """)
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE)
        with writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            writer.kill()
        assert [path.name for path in (tmp_path / "v0.1.9" / "artifacts").iterdir()] == ["a.gem"]
        assert (tmp_path / "v0.1.9" / "artifacts" / "a.gem").stat().st_size == 20_000_000
