"""The RubyGems host, asked over HTTP."""

import hashlib

import httpx
import pytest

from tasker_release_pipeline.loopback.gem_archive import canonical_version

from .packages import gem, push_gem


def test_a_pushed_gem_is_listed_everywhere_and_downloads_byte_for_byte(registries, client):
    data = gem("tasker-rb", "0.1.1")
    answer = push_gem(client, registries, data)
    assert (answer.status_code, answer.text) == (200, "Successfully registered gem: tasker-rb (0.1.1)")
    host, sha256 = registries.endpoints.rubygems, hashlib.sha256(data).hexdigest()
    (version,) = client.get(f"{host}/api/v1/versions/tasker-rb.json").json()
    assert (version["number"], version["platform"], version["sha"]) == ("0.1.1", "ruby", sha256)
    assert version["prerelease"] is False
    info = client.get(f"{host}/info/tasker-rb")
    assert info.text == f"---\n0.1.1 ffi:~> 1.15&< 2|checksum:{sha256},ruby:>= 3.1\n"
    md5 = hashlib.md5(info.content, usedforsecurity=False).hexdigest()
    assert info.headers["etag"] == f'"{md5}"'
    assert client.get(f"{host}/versions").text.splitlines()[-1] == f"tasker-rb 0.1.1 {md5}"
    assert client.get(f"{host}/names").text == "---\ntasker-rb\n"
    assert client.get(f"{host}/gems/tasker-rb-0.1.1.gem").content == data
    assert client.get(f"{host}/api/v1/gems/tasker-rb.json").json()["version"] == "0.1.1"
    assert client.head(f"{host}/").status_code == 200


@pytest.mark.parametrize("text", ["", "changed"])
def test_a_second_push_of_the_same_version_is_refused(registries, client, text):
    push_gem(client, registries, gem("tasker-rb", "0.1.1"))
    answer = push_gem(client, registries, gem("tasker-rb", "0.1.1", text=text))
    assert answer.status_code == 409
    assert answer.text.startswith("Repushing of gem versions is not allowed.")


def test_an_equal_version_in_another_spelling_is_refused(registries, client):
    push_gem(client, registries, gem("tasker-rb", "1.0"))
    answer = push_gem(client, registries, gem("tasker-rb", "1.0.0"))
    assert (answer.status_code, "Existing version: 1.0" in answer.text) == (403, True)


def test_platforms_of_one_version_are_separate_files(registries, client):
    for platform in ("ruby", "x86_64-linux"):
        assert push_gem(client, registries, gem("tasker-rb", "0.1.1", platform)).status_code == 200
    lines = client.get(f"{registries.endpoints.rubygems}/info/tasker-rb").text.splitlines()[1:]
    assert [line.split()[0] for line in lines] == ["0.1.1", "0.1.1-x86_64-linux"]
    assert client.get(f"{registries.endpoints.rubygems}/gems/tasker-rb-0.1.1-x86_64-linux.gem").status_code == 200


def test_a_pre_release_is_taken_and_marked(registries, client):
    assert push_gem(client, registries, gem("tasker-rb", "0.2.0.rc.1")).status_code == 200
    (version,) = client.get(f"{registries.endpoints.rubygems}/api/v1/versions/tasker-rb.json").json()
    assert (version["number"], version["prerelease"]) == ("0.2.0.rc.1", True)


@pytest.mark.parametrize("version", ["0.1.0-rc.1", "one", "0..1"])
def test_an_illegal_version_is_refused(registries, client, version):
    answer = push_gem(client, registries, gem("tasker-rb", version))
    assert (answer.status_code, "Malformed version number" in answer.text) == (422, True)


def test_what_is_no_gem_and_what_was_damaged_is_refused(registries, client):
    whole = gem("tasker-rb", "0.1.1")
    other = gem("tasker-rb", "0.1.2", text="long enough to differ")
    assert push_gem(client, registries, b"no gem").status_code == 422
    # A part of another gem under the checksums of this one.
    start = other.index(b"\x1f\x8b")
    assert (
        push_gem(client, registries, whole[:start] + other[start : start + 64] + whole[start + 64 :]).status_code == 422
    )
    assert client.get(f"{registries.endpoints.rubygems}/info/tasker-rb").status_code == 404


@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_missing_or_wrong_key_is_refused(registries, client, token):
    answer = push_gem(client, registries, gem("tasker-rb", "0.1.1"), token=token)
    assert (answer.status_code, answer.text.startswith("Access Denied")) == (401, True)


def test_an_unknown_gem_is_not_found(registries, client: httpx.Client):
    host = registries.endpoints.rubygems
    for path in ("info/absent", "api/v1/versions/absent.json", "api/v1/gems/absent.json", "gems/absent-1.0.gem"):
        assert client.get(f"{host}/{path}").status_code == 404, path


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [("1.0", "1.0.0", True), ("1.0.0.rc.1", "1.rc.1", True), ("1.0.rc", "1.0.rc.0", True), ("1.0.1", "1.0.10", False)],
)
def test_versions_are_compared_as_rubygems_does(one, other, equal):
    assert (canonical_version(one) == canonical_version(other)) is equal
