"""What is not held comes from another loopback server, which stands for the public registries."""

import socket
from collections.abc import Iterator

import httpx
import pytest

from tasker_release_pipeline.loopback.server import LoopbackRegistries, loopback_endpoints, serve

from .conftest import RESERVED
from .packages import (
    crate,
    crate_body,
    gem,
    npm_document,
    npm_tarball,
    push_gem,
    put_crate,
    put_npm,
    upload_wheel,
    wheel,
    wheel_name,
)
from .test_crates_io import dependency

NPM_JSON = {"accept": "application/vnd.npm.install-v1+json"}
PYPI_JSON = {"accept": "application/vnd.pypi.simple.v1+json"}


Names = tuple[str, str, str, str, str]
"""The crate's path in the index, and a crate's, a gem's, a wheel's and an npm package's name."""
THIRD = ("th/ir/third", "third", "third", "third", "@third/party")
UNSCOPED = (*THIRD[:4], "third")
OWN = ("ta/sk/tasker-shared", "tasker-shared", "tasker-rb", "tasker-py", "@tasker-systems/tasker")
OTHERWISE_SPELLED = ("ta/sk/tasker_shared", "Tasker_Shared", "Tasker-RB", "Tasker.Py", "@tasker-systems/tasker")


def publish_all(client: httpx.Client, to: LoopbackRegistries, names: Names) -> None:
    _, crate_name, gem_name, py, js = names
    assert put_crate(client, to, crate_body(crate_name, "1.0.0")).is_success
    assert push_gem(client, to, gem(gem_name, "1.0.0")).is_success
    assert upload_wheel(client, to, wheel_name(py, "1.0.0"), wheel(py, "1.0.0")).is_success
    assert put_npm(client, to, npm_document(js, "1.0.0")).is_success


@pytest.fixture
def public(tmp_path, client) -> Iterator[LoopbackRegistries]:
    """Holds the package `third`, and a `tasker` package of each kind that nobody may ever be given."""
    with serve(tmp_path / "public", reserved={}) as registries:
        publish_all(client, registries, THIRD)
        publish_all(client, registries, OWN)
        yield registries


@pytest.fixture
def front(tmp_path, public) -> Iterator[LoopbackRegistries]:
    with serve(tmp_path / "own", reserved=RESERVED, upstream=public.endpoints, cache=tmp_path / "cache") as registries:
        yield registries


def pages(to: LoopbackRegistries, names: Names) -> list[str]:
    """Every address under which a package of each registry is looked up or fetched."""
    crate_path, crate_name, gem_name, py, js = names
    at = to.endpoints
    return [
        f"{at.cargo_index}/{crate_path}",
        f"{at.cargo_api}/api/v1/crates/{crate_name}",
        f"{at.cargo_api}/api/v1/crates/{crate_name}/1.0.0",
        f"{at.cargo_api}/api/v1/crates/{crate_name}/1.0.0/download",
        f"{at.rubygems}/info/{gem_name}",
        f"{at.rubygems}/api/v1/versions/{gem_name}.json",
        f"{at.rubygems}/api/v1/gems/{gem_name}.json",
        f"{at.rubygems}/gems/{gem_name}-1.0.0.gem",
        f"{at.pypi}/simple/{py}/",
        f"{at.pypi}/pypi/{py}/json",
        f"{at.npm}/{js}",
        f"{at.npm}/-/package/{js.replace('/', '%2f')}/dist-tags",
        f"{at.npm}/{js}/-/{js.rpartition('/')[2]}-1.0.0.tgz",
    ]


def test_what_is_not_held_is_passed_on(front, client):
    for url in pages(front, THIRD):
        assert client.get(url).status_code == 200, url
    assert client.get(f"{front.endpoints.cargo_api}/api/v1/crates/third/1.0.0/download").content == crate(
        "third", "1.0.0"
    )


@pytest.mark.parametrize("spelling", [OWN, OTHERWISE_SPELLED])
def test_reserved_names_are_never_passed_on(front, public, client, spelling):
    for there, here in zip(pages(public, OWN), pages(front, spelling), strict=True):
        assert (client.get(there).status_code, client.get(here).status_code) == (200, 404), here
    versions = client.get(f"{front.endpoints.rubygems}/versions").text
    assert ("third 1.0.0" in versions, "tasker-rb" in versions) == (True, False)


def test_held_names_hide_the_upstreams(front, public, client):
    put_crate(client, public, crate_body("third", "2.0.0"))
    put_crate(client, front, crate_body("third", "3.0.0"))
    lines = client.get(f"{front.endpoints.cargo_index}/th/ir/third").text.splitlines()
    assert ['"3.0.0"' in line for line in lines] == [True]
    assert client.get(f"{front.endpoints.cargo_api}/api/v1/crates/third/2.0.0/download").status_code == 404


def test_addresses_of_passed_on_files_are_here(front, client):
    (file,) = client.get(f"{front.endpoints.pypi}/simple/third/", headers=PYPI_JSON).json()["files"]
    assert file["url"].startswith(front.endpoints.pypi)
    assert client.get(file["url"]).content == wheel("third", "1.0.0")
    dist = client.get(f"{front.endpoints.npm}/@third%2fparty", headers=NPM_JSON).json()["versions"]["1.0.0"]["dist"]
    assert dist["tarball"].startswith(front.endpoints.npm)
    assert client.get(dist["tarball"]).content == npm_tarball("@third/party", "1.0.0")


def test_a_crate_may_depend_on_what_the_upstream_has_and_on_nothing_else(front, client):
    answer = put_crate(client, front, crate_body("two", "1.0.0", deps=[dependency("absent")]))
    assert answer.json()["errors"][0]["detail"] == "no known crate named `absent`"
    assert put_crate(client, front, crate_body("two", "1.0.0", deps=[dependency("third")])).status_code == 200


def test_what_the_upstream_does_not_have_is_not_found(front, client):
    for url in pages(front, ("ab/se/absent", "absent", "absent", "absent", "absent")):
        assert client.get(url).status_code == 404, url


def test_an_unreachable_upstream_is_unavailable_and_never_not_found(tmp_path, client):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = loopback_endpoints(closed.getsockname()[1])
    with serve(tmp_path, reserved=RESERVED, upstream=nobody) as registries:
        for url in pages(registries, THIRD):
            assert client.get(url).status_code in (502, 503), url
        assert client.get(f"{registries.endpoints.rubygems}/versions").status_code == 502
        for url in pages(registries, OWN):
            assert client.get(url).status_code == 404, url
        answer = put_crate(client, registries, crate_body("two", "1.0.0", deps=[dependency("third")]))
        assert answer.status_code == 502


def test_kept_files_are_served_without_the_upstream(tmp_path, client):
    """The second upstream is another port with nothing in it: files are kept by their content or address."""
    cache = tmp_path / "cache"
    with serve(tmp_path / "public", reserved={}) as public:
        publish_all(client, public, UNSCOPED)
        port = httpx.URL(public.endpoints.npm).port or 0
        with serve(tmp_path / "own", reserved={}, upstream=public.endpoints, cache=cache) as first:
            (file,) = client.get(f"{first.endpoints.pypi}/simple/third/", headers=PYPI_JSON).json()["files"]
            urls = [url for url in pages(first, UNSCOPED) if url.endswith(("download", ".gem", ".tgz"))]
            urls.append(file["url"])
            files = {httpx.URL(url).path: client.get(url).content for url in urls}
    with (
        serve(tmp_path / "empty", reserved={}, port=port) as public,
        serve(tmp_path / "own", reserved={}, upstream=public.endpoints, cache=cache) as second,
    ):
        for path, content in files.items():
            url = str(httpx.URL(second.endpoints.npm).copy_with(path=path))
            assert (client.get(url).status_code, client.get(url).content) == (200, content), url
        assert client.get(f"{second.endpoints.cargo_index}/th/ir/third").status_code == 404


def test_an_unchanged_index_page_is_not_fetched_again(front, client):
    url = f"{front.endpoints.cargo_index}/th/ir/third"
    etag = client.get(url).headers["etag"]
    assert client.get(url, headers={"if-none-match": etag}).status_code == 304
