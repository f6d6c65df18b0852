"""The cargo registry, asked over HTTP."""

import gzip
import hashlib

import httpx
import pytest

from tasker_release_pipeline.loopback.server import LoopbackRegistries

from .packages import crate, crate_body, put_crate, tar


def detail(answer: httpx.Response) -> str:
    return str(answer.json()["errors"][0]["detail"])


def test_a_published_crate_is_in_the_index_and_downloads_byte_for_byte(registries, client):
    archive = crate("tasker-shared", "0.1.1")
    assert put_crate(client, registries, crate_body("tasker-shared", "0.1.1", archive)).status_code == 200
    answer = client.get(f"{registries.endpoints.cargo_index}/ta/sk/tasker-shared")
    (line,) = [httpx.Response(200, content=text).json() for text in answer.text.splitlines()]
    assert line == {
        "name": "tasker-shared",
        "vers": "0.1.1",
        "deps": [],
        "cksum": hashlib.sha256(archive).hexdigest(),
        "features": {},
        "yanked": False,
    }
    config = client.get(f"{registries.endpoints.cargo_index}/config.json").json()
    assert config["api"] == registries.endpoints.cargo_api
    assert "auth-required" not in config
    assert client.get(f"{config['dl']}/tasker-shared/0.1.1/download").content == archive


@pytest.mark.parametrize(("name", "path"), [("a", "1/a"), ("ab", "2/ab"), ("Abc", "3/a/abc"), ("abcd", "ab/cd/abcd")])
def test_index_paths_follow_the_length_of_the_name(registries, client, name, path):
    put_crate(client, registries, crate_body(name, "1.0.0"))
    assert client.get(f"{registries.endpoints.cargo_index}/{path}").json()["name"] == name


def test_an_unchanged_index_page_is_not_sent_again(registries, client):
    put_crate(client, registries, crate_body("one", "1.0.0"))
    url = f"{registries.endpoints.cargo_index}/3/o/one"
    etag = client.get(url).headers["etag"]
    assert client.get(url, headers={"if-none-match": etag}).status_code == 304
    put_crate(client, registries, crate_body("one", "1.0.1"))
    again = client.get(url, headers={"if-none-match": etag})
    assert (again.status_code, len(again.text.splitlines())) == (200, 2)


@pytest.mark.parametrize("again", ["0.1.1", "0.1.1+build.2"])
def test_a_second_upload_of_the_same_version_is_refused(registries, client, again):
    put_crate(client, registries, crate_body("one", "0.1.1"))
    answer = put_crate(client, registries, crate_body("one", again))
    assert (answer.status_code, detail(answer)) == (400, f"crate version `{again}` is already uploaded")
    assert len(client.get(f"{registries.endpoints.cargo_index}/3/o/one").text.splitlines()) == 1


@pytest.mark.parametrize("version", ["0.1.1.0", "v0.1.1", "0.1", "01.0.0"])
def test_an_illegal_version_is_refused(registries, client, version):
    answer = put_crate(client, registries, crate_body("one", version))
    assert (answer.status_code, detail(answer)) == (400, f'"{version}" is an invalid semver version')


@pytest.mark.parametrize(("token", "words"), [("", "requires authentication"), ("wrong", "authentication failed")])
def test_a_missing_or_wrong_token_is_refused(registries, client, token, words):
    answer = put_crate(client, registries, crate_body("one", "1.0.0"), token=token)
    assert answer.status_code == 403
    assert words in detail(answer)
    assert client.get(f"{registries.endpoints.cargo_index}/3/o/one").status_code == 404


def test_the_api_asks_for_a_user_agent_and_the_index_does_not(registries, client):
    del client.headers["user-agent"]
    put_crate(client, registries, crate_body("one", "1.0.0"))
    assert client.get(f"{registries.endpoints.cargo_api}/api/v1/crates/one").status_code == 403
    assert client.get(f"{registries.endpoints.cargo_index}/3/o/one").status_code == 200


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"description": ""}, "missing or empty metadata fields: description."),
        ({"license": None}, "missing or empty metadata fields: license."),
        ({"name": "1one"}, "invalid crate name"),
        ({"vers": "1.0.1"}, "invalid path found"),
    ],
)
def test_metadata_that_crates_io_refuses_is_refused(registries, client, metadata, words):
    answer = put_crate(client, registries, crate_body("one", "1.0.0", crate("one", "1.0.0"), **metadata))
    assert answer.status_code == 400
    assert words in detail(answer)


def test_an_archive_whose_manifest_names_another_package_is_refused(registries, client):
    manifest = b'[package]\nname = "other"\nversion = "1.0.0"\n'
    archive = gzip.compress(tar({"one-1.0.0/Cargo.toml": manifest}))
    answer = put_crate(client, registries, crate_body("one", "1.0.0", archive))
    assert detail(answer) == "metadata name `one` does not match manifest name `other`"


def dependency(name: str, **fields: object) -> dict[str, object]:
    base = {"name": name, "version_req": "^1", "features": [], "optional": False, "default_features": True}
    return base | {"target": None, "kind": "normal", "registry": None, "explicit_name_in_toml": None} | fields


def test_a_dependency_that_no_registry_knows_is_refused(registries, client):
    answer = put_crate(client, registries, crate_body("two", "1.0.0", deps=[dependency("one")]))
    assert (answer.status_code, detail(answer)) == (400, "no known crate named `one`")
    put_crate(client, registries, crate_body("one", "1.0.0"))
    assert put_crate(client, registries, crate_body("two", "1.0.0", deps=[dependency("one")])).status_code == 200


def test_dependencies_on_crates_io_or_here_get_no_registry_and_renames_keep_both_names(registries, client):
    put_crate(client, registries, crate_body("one", "1.0.0"))
    own = f"sparse+{registries.endpoints.cargo_index}/"
    public = "https://github.com/rust-lang/crates.io-index"
    deps = [
        dependency("one", registry=own),
        dependency("one", registry=public, explicit_name_in_toml="uno", kind="dev"),
    ]
    features = {"plain": ["x"], "newer": ["dep:uno"]}
    body = crate_body("two", "1.0.0", deps=deps, features=features, links="z", rust_version="1.80")
    assert put_crate(client, registries, body).status_code == 200
    line = client.get(f"{registries.endpoints.cargo_index}/3/t/two").json()
    assert [found["registry"] for found in line["deps"]] == [None, None]
    assert [(found["name"], found.get("package")) for found in line["deps"]] == [("one", None), ("uno", "one")]
    assert (line["features"], line["features2"], line["v"]) == ({"plain": ["x"]}, {"newer": ["dep:uno"]}, 2)
    assert (line["links"], line["rust_version"]) == ("z", "1.80")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"registry": "https://elsewhere.example/index"}, "hosted on another registry"),
        ({"version_req": "*"}, "wildcard"),
    ],
)
def test_dependencies_that_crates_io_does_not_permit_are_refused(registries, client, fields, words):
    put_crate(client, registries, crate_body("one", "1.0.0"))
    answer = put_crate(client, registries, crate_body("two", "1.0.0", deps=[dependency("one", **fields)]))
    assert answer.status_code == 400
    assert words in detail(answer)


def test_an_upload_of_more_than_ten_mebibytes_is_refused(registries, client):
    answer = put_crate(client, registries, crate_body("one", "1.0.0", b"x" * (10 * 1024 * 1024)))
    assert (answer.status_code, detail(answer)) == (413, "max upload size is: 10485760")


def test_a_crate_cannot_be_published_again_under_another_spelling(registries, client):
    put_crate(client, registries, crate_body("tasker-shared", "1.0.0"))
    answer = put_crate(client, registries, crate_body("tasker_shared", "1.0.1"))
    assert detail(answer) == "crate was previously named `tasker-shared`"


def test_the_api_lists_versions_newest_first_and_names_owners(registries: LoopbackRegistries, client: httpx.Client):
    for version in ("1.0.0", "1.1.0-rc.1"):
        put_crate(client, registries, crate_body("one", version))
    api = f"{registries.endpoints.cargo_api}/api/v1/crates"
    document = client.get(f"{api}/one").json()
    assert [found["num"] for found in document["versions"]] == ["1.1.0-rc.1", "1.0.0"]
    newest = {key: document["crate"][key] for key in ("newest_version", "max_version", "max_stable_version")}
    assert newest == {"newest_version": "1.1.0-rc.1", "max_version": "1.1.0-rc.1", "max_stable_version": "1.0.0"}
    assert client.get(f"{api}/one/1.0.0").json()["version"]["num"] == "1.0.0"
    assert client.get(f"{api}/one/2.0.0").status_code == 404
    assert client.get(f"{api}/one/owners").json()["users"][0]["login"] == "loopback"
    assert detail(client.get(f"{api}/absent")) == "crate `absent` does not exist"
