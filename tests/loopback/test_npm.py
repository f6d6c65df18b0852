"""The npm registry, asked over HTTP."""

import base64
import hashlib

import pytest

from .packages import npm_document, npm_tarball, put_npm

NAME = "@tasker-systems/tasker"
SHORT = {"accept": "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8"}


@pytest.mark.parametrize("spelling", [NAME, NAME.replace("/", "%2f"), NAME.replace("/", "%2F")])
def test_a_published_version_is_in_the_packument_and_downloads_byte_for_byte(registries, client, spelling):
    tarball = npm_tarball(NAME, "0.1.1")
    assert put_npm(client, registries, npm_document(NAME, "0.1.1", tarball)).status_code == 201
    document = client.get(f"{registries.endpoints.npm}/{spelling}").json()
    dist = document["versions"]["0.1.1"]["dist"]
    assert document["dist-tags"] == {"latest": "0.1.1"}
    assert dist["integrity"] == f"sha512-{base64.b64encode(hashlib.sha512(tarball).digest()).decode()}"
    assert dist["tarball"].startswith(registries.endpoints.npm)
    assert client.get(dist["tarball"]).content == tarball
    assert client.get(f"{registries.endpoints.npm}/{spelling}/0.1.1").json()["version"] == "0.1.1"
    assert client.get(f"{registries.endpoints.npm}/{spelling}/latest").json()["version"] == "0.1.1"


def test_the_abbreviated_packument_has_what_installing_needs_only(registries, client):
    put_npm(client, registries, npm_document(NAME, "0.1.1"))
    answer = client.get(f"{registries.endpoints.npm}/{NAME}", headers=SHORT)
    assert answer.headers["content-type"].startswith("application/vnd.npm.install-v1+json")
    assert set(answer.json()) == {"name", "modified", "dist-tags", "versions"}
    assert set(answer.json()["versions"]["0.1.1"]) == {"name", "version", "dist"}


def test_a_second_publish_of_the_same_version_is_refused(registries, client):
    first = npm_tarball(NAME, "0.1.1")
    put_npm(client, registries, npm_document(NAME, "0.1.1", first))
    again = npm_document(NAME, "0.1.1", npm_tarball(NAME, "0.1.1", "changed"), tag="next")
    answer = put_npm(client, registries, again)
    words = "You cannot publish over the previously published versions: 0.1.1."
    assert (answer.status_code, answer.json()["error"]) == (403, words)
    document = client.get(f"{registries.endpoints.npm}/{NAME}").json()
    assert document["dist-tags"] == {"latest": "0.1.1"}
    assert client.get(document["versions"]["0.1.1"]["dist"]["tarball"]).content == first


@pytest.mark.parametrize("version", ["0.1.1.0", "v0.1.1", "0.1", "latest"])
def test_an_illegal_version_is_refused(registries, client, version):
    answer = put_npm(client, registries, npm_document(NAME, version))
    assert (answer.status_code, answer.json()["error"]) == (400, f"invalid version: {version}")


@pytest.mark.parametrize("field", ["integrity", "shasum"])
def test_a_digest_that_does_not_hold_is_refused(registries, client, field):
    wrong = {"integrity": f"sha512-{base64.b64encode(bytes(64)).decode()}", "shasum": "0" * 40}[field]
    answer = put_npm(client, registries, npm_document(NAME, "0.1.1", None, "latest", **{field: wrong}))
    assert (answer.status_code, field in answer.json()["error"]) == (400, True)


@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_missing_or_wrong_token_is_refused(registries, client, token):
    assert put_npm(client, registries, npm_document(NAME, "0.1.1"), token=token).status_code == 401
    headers = {"authorization": f"Bearer {token}".strip()}
    whoami = client.get(f"{registries.endpoints.npm}/-/whoami", headers=headers)
    assert whoami.status_code == 401
    assert client.get(f"{registries.endpoints.npm}/{NAME}").status_code == 404


def test_the_right_token_is_somebody(registries, client):
    headers = {"authorization": f"Bearer {registries.token}"}
    assert client.get(f"{registries.endpoints.npm}/-/whoami", headers=headers).json() == {"username": "loopback"}
    assert client.get(f"{registries.endpoints.npm}/-/ping").status_code == 200


def test_publishing_with_a_tag_moves_that_tag_only_but_a_package_always_has_a_latest(registries, client):
    put_npm(client, registries, npm_document(NAME, "0.1.0-rc.1", tag="next"))
    url = f"{registries.endpoints.npm}/-/package/{NAME.replace('/', '%2f')}/dist-tags"
    assert client.get(url).json() == {"latest": "0.1.0-rc.1", "next": "0.1.0-rc.1"}
    put_npm(client, registries, npm_document(NAME, "0.1.0"))
    put_npm(client, registries, npm_document(NAME, "0.2.0-rc.1", tag="next"))
    assert client.get(url).json() == {"latest": "0.1.0", "next": "0.2.0-rc.1"}


def test_dist_tags_are_set_and_removed_with_the_token(registries, client):
    for version in ("0.1.0", "0.1.1"):
        put_npm(client, registries, npm_document(NAME, version))
    url = f"{registries.endpoints.npm}/-/package/{NAME.replace('/', '%2f')}/dist-tags"
    headers = {"authorization": f"Bearer {registries.token}"}
    assert client.put(f"{url}/latest", json="0.1.0").status_code == 401
    assert client.put(f"{url}/latest", json="0.1.0", headers=headers).status_code == 201
    assert client.put(f"{url}/stable", json="0.1.1", headers=headers).status_code == 201
    assert client.put(f"{url}/stable", json="9.9.9", headers=headers).status_code == 404
    assert client.get(url).json() == {"latest": "0.1.0", "stable": "0.1.1"}
    assert client.delete(f"{url}/stable", headers=headers).status_code == 200
    assert client.delete(f"{url}/latest", headers=headers).status_code == 400
    assert client.get(url).json() == {"latest": "0.1.0"}


def test_a_body_for_another_name_is_refused(registries, client):
    headers = {"authorization": f"Bearer {registries.token}"}
    answer = client.put(f"{registries.endpoints.npm}/other", json=npm_document(NAME, "0.1.1"), headers=headers)
    assert answer.status_code == 400
