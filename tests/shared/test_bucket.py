"""The release store in a bucket of S3."""

from upath import UPath

from tasker_release_pipeline.release.settings import Settings
from tasker_release_pipeline.store import ReleaseStore

from .conftest import Bucket


def test_a_bucket_is_a_store(bucket: Bucket) -> None:
    store = ReleaseStore.of("v0.1.9", {"TASKER_RELEASE_STORE": bucket.store})
    store.check_writable()
    assert store.read("settings.json", Settings) is None
    store.write("settings.json", Settings(source="/somewhere"))
    assert store.read("settings.json", Settings) == Settings(source="/somewhere")
    assert store.local is None
    assert [path.name for path in UPath(bucket.store, "v0.1.9").iterdir()] == ["settings.json"]
