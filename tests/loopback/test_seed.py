"""Published files are copied in as they are."""

import hashlib

import pytest

from tasker_release_pipeline.loopback.seed import seed_crate, seed_gem, seed_npm, seed_wheel
from tasker_release_pipeline.release.errors import ConflictError, InputError

from .packages import crate, crate_body, gem, npm_document, npm_tarball, put_crate, wheel, wheel_name


def line(archive: bytes, **fields: object) -> dict[str, object]:
    cksum = hashlib.sha256(archive).hexdigest()
    base = {"name": "one", "vers": "1.0.0", "deps": [], "cksum": cksum, "features": {}, "yanked": False}
    return base | fields


def test_a_seeded_crate_keeps_its_index_line_and_its_bytes(registries, client):
    archive = crate("one", "1.0.0")
    seeded = line(archive, yanked=True, pubtime="2026-01-01T00:00:00Z", features2={"x": ["dep:y"]}, v=2)
    seed_crate(registries.root, seeded, archive)
    seed_crate(registries.root, seeded, archive)
    assert client.get(f"{registries.endpoints.cargo_index}/3/o/one").json() == seeded
    api = f"{registries.endpoints.cargo_api}/api/v1/crates/one"
    assert client.get(f"{api}/1.0.0/download").content == archive
    assert client.get(api).json()["versions"][0]["yanked"] is True
    assert put_crate(client, registries, crate_body("one", "1.0.0")).status_code == 400
    assert put_crate(client, registries, crate_body("one", "1.0.1")).status_code == 200


def test_a_crate_with_a_foreign_checksum_is_not_seeded(tmp_path):
    with pytest.raises(InputError, match="cksum"):
        seed_crate(tmp_path, line(b"other"), crate("one", "1.0.0"))


def test_gems_wheels_and_npm_packages_are_seeded_and_seeding_again_changes_nothing(registries, client):
    data, built, packed = gem("one", "1.0.0"), wheel("one", "1.0.0"), npm_tarball("one", "1.0.0")
    manifest = npm_document("one", "1.0.0", packed)["versions"]["1.0.0"]
    for _ in range(2):
        seed_gem(registries.root, data)
        seed_wheel(registries.root, wheel_name("one", "1.0.0"), built)
        seed_npm(registries.root, manifest, packed, {"latest": "1.0.0", "next": "1.0.0"})
    at = registries.endpoints
    assert client.get(f"{at.rubygems}/gems/one-1.0.0.gem").content == data
    assert client.get(f"{at.pypi}/files/one/{wheel_name('one', '1.0.0')}").content == built
    document = client.get(f"{at.npm}/one").json()
    assert client.get(document["versions"]["1.0.0"]["dist"]["tarball"]).content == packed
    assert document["dist-tags"] == {"latest": "1.0.0", "next": "1.0.0"}


def test_other_content_under_a_seeded_version_is_a_conflict(tmp_path):
    archive, other = crate("one", "1.0.0"), crate("one", "1.0.0", "other")
    seed_crate(tmp_path, line(archive), archive)
    with pytest.raises(ConflictError, match=r"one-1\.0\.0\.crate"):
        seed_crate(tmp_path, line(other), other)
    seed_gem(tmp_path, gem("one", "1.0.0"))
    with pytest.raises(ConflictError, match="Repushing"):
        seed_gem(tmp_path, gem("one", "1.0.0", text="other"))
    seed_wheel(tmp_path, wheel_name("one", "1.0.0"), wheel("one", "1.0.0"))
    with pytest.raises(ConflictError, match="File already exists"):
        seed_wheel(tmp_path, wheel_name("one", "1.0.0"), wheel("one", "1.0.0", text="other"))
    packed, repacked = npm_tarball("one", "1.0.0"), npm_tarball("one", "1.0.0", "other")
    seed_npm(tmp_path, npm_document("one", "1.0.0", packed)["versions"]["1.0.0"], packed, {})
    with pytest.raises(ConflictError, match="previously published"):
        seed_npm(tmp_path, npm_document("one", "1.0.0", repacked)["versions"]["1.0.0"], repacked, {})
