"""The release store in a bucket of S3, and the lease that machines without a common kernel have there."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import s3fs
from upath import UPath

from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.settings import Settings
from tasker_release_pipeline.steps.lease import Lease, leases, offers_conditional_write
from tasker_release_pipeline.store import ReleaseStore
from tests.test_lease import LIVE, a_run, left_behind, stored

from .conftest import ROOT, Bucket

NPM = RegistryName.NPM


def opened(bucket: Bucket, release: str = "v0.1.9") -> ReleaseStore:
    return ReleaseStore.of(release, {"TASKER_RELEASE_STORE": bucket.store})


def test_a_bucket_is_a_store(bucket: Bucket) -> None:
    store = opened(bucket)
    store.check_writable()
    assert store.read("settings.json", Settings) is None
    store.write("settings.json", Settings(source="/somewhere"))
    assert store.read("settings.json", Settings) == Settings(source="/somewhere")
    assert store.local is None
    assert [path.name for path in UPath(bucket.store, "v0.1.9").iterdir()] == ["settings.json"]


@pytest.mark.service
def test_what_another_machine_wrote_is_seen_at_once(bucket: Bucket) -> None:
    store, folder = opened(bucket), UPath(bucket.store) / "v0.1.9" / "checks"
    store.write("checks/one.json", Settings())
    assert len(store.listed("checks")) == 1
    s3fs.S3FileSystem(skip_instance_cache=True).pipe_file(f"{folder.path}/two.json", b"{}")
    assert len(store.listed("checks")) == 2


@pytest.mark.service
def test_a_bucket_that_is_not_there_is_named_and_not_made(bucket: Bucket) -> None:
    store = ReleaseStore.of("v0.1.9", {"TASKER_RELEASE_STORE": f"s3://{bucket.name}-typo/releases"})
    with pytest.raises(InputError, match=r"store s3://bucket-.*-typo/releases: cannot be written .*bucket"):
        store.check_writable()
    assert not s3fs.S3FileSystem(skip_instance_cache=True).exists(f"{bucket.name}-typo")


@pytest.mark.service
def test_missing_credentials_are_one_message(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(InputError, match=r"cannot be written .*Unable to locate credentials"):
        opened(bucket).check_writable()
    with pytest.raises(InputError, match=r"cannot be read .*Unable to locate credentials"):
        opened(bucket).read("plan.json", Settings)


def test_a_store_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(InputError, match=r"store nowhere://releases: .*TASKER_RELEASE_STORE"):
        ReleaseStore.of("v0.1.9", {"TASKER_RELEASE_STORE": "nowhere://releases"})


# --- the lease

_HOLDER = """
    import sys
    from pathlib import Path
    from upath import UPath
    from tasker_release_pipeline.release.errors import InputError
    from tests.test_lease import NPM, a_run, leases
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        with leases(a_run(UPath(sys.argv[1]), sys.argv[2]), {NPM}):
            print("won", flush=True)
            sys.stdin.readline()
    except InputError as error:
        print(error, flush=True)
"""


class Contender:
    """A run in a process of its own, which goes for the lease when it is told to."""

    def __init__(self, bucket: Bucket, name: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", textwrap.dedent(_HOLDER), bucket.store, name],
            cwd=ROOT,
            env={**os.environ, **bucket.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def says(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@contextmanager
def contenders(bucket: Bucket, count: int) -> Iterator[list[Contender]]:
    started = [Contender(bucket, f"run-{number}") for number in range(count)]
    try:
        for contender in started:
            assert contender.says() == "ready"
        yield started
    finally:
        for contender in started:
            contender.process.communicate("\n", timeout=60)


def held(bucket: Bucket) -> tuple[str, bool]:
    """The run of the last lease, and whether it was given back."""
    last = max(stored(UPath(bucket.store, use_listings_cache=False)).items())[1]
    return last.run, last.released


@pytest.mark.service
@pytest.mark.parametrize("predecessor", ["none", "killed"])
def test_of_machines_that_go_for_the_lease_at_once_exactly_one_gets_it(bucket: Bucket, predecessor: str) -> None:
    if predecessor == "killed":
        left_behind(UPath(bucket.store), 1, seconds=-1)
    with contenders(bucket, 4) as started:
        for contender in started:
            contender.tell()
        said = [contender.says() for contender in started]
        assert said.count("won") == 1, said
        winner = f"run-{said.index('won')}"
        assert all(f"run {winner} " in words for words in said if words != "won")
        assert all("is uploading to npm" in words for words in said if words != "won")
        assert held(bucket)[0] == winner
    assert held(bucket) == (winner, True)  # given back


def test_a_lease_in_a_bucket_keeps_others_out_until_it_expires(bucket: Bucket) -> None:
    root = UPath(bucket.store)
    assert offers_conditional_write(type(root.fs))
    left_behind(root, 3, seconds=100)
    with pytest.raises(InputError, match=r"run killed \(process 42 on ci-7\) is uploading to npm"):
        leases(a_run(root), {NPM}).__enter__()
    left_behind(root, 3, seconds=-1)
    with leases(a_run(root, settings=LIVE), {NPM}):
        assert {number: lease.run for number, lease in stored(root).items()} == {4: "one"}


@pytest.mark.service
def test_who_loses_the_race_for_a_lease_is_told_who_won(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    # We have looked, and found nobody; then the rival is faster.
    original = s3fs.S3FileSystem._pipe_file
    lease = Lease(token="k", run="rival", host="ci-7", pid=42, expires=datetime.now(UTC) + timedelta(seconds=100))

    async def rival_first(self: Any, path: str, data: bytes, mode: str = "overwrite", **rest: Any) -> Any:
        if mode == "create":
            await original(self, path, lease.model_dump_json().encode(), mode="create")
        return await original(self, path, data, mode=mode, **rest)

    monkeypatch.setattr(s3fs.S3FileSystem, "_pipe_file", rival_first)
    s3fs.S3FileSystem.clear_instance_cache()
    root = UPath(bucket.store)
    with pytest.raises(InputError, match=r"run rival \(process 42 on ci-7\) is uploading to npm"):
        leases(a_run(root), {NPM}).__enter__()
