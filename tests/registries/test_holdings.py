"""What each registry's answers, in the shapes that the public ones give, are read as."""

import hashlib
import json
from collections.abc import Iterator

import pytest
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from tasker_release_pipeline.registries.base import integrity
from tasker_release_pipeline.registries.client import client
from tasker_release_pipeline.registries.crates_io import index_path
from tasker_release_pipeline.registries.endpoints import LIVE
from tasker_release_pipeline.registries.model import RegistryClient, RegistryFile
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import RegistryError, UnavailableError

from .answers import Answers, answering, json_answer

A, B = "a" * 64, "b" * 64
WHEEL = "tasker_py-0.1.9-cp39-abi3-manylinux_2_28_x86_64.whl"
ASKED = {
    RegistryName.CRATES_IO: "/index/ta/sk/tasker-x",
    RegistryName.RUBYGEMS: "/api/v1/versions/tasker-x.json",
    RegistryName.PYPI: "/simple/tasker-x/",
    RegistryName.NPM: "/tasker-x",
}
EVERY = pytest.mark.parametrize("registry", list(RegistryName))


@pytest.fixture
def server() -> Iterator[Answers]:
    with answering() as answers:
        yield answers


def at(server: Answers, registry: RegistryName) -> RegistryClient:
    return client(registry, server.endpoints())


@EVERY
def test_an_unknown_name_holds_nothing(server: Answers, registry: RegistryName) -> None:
    held = at(server, registry).holdings("tasker-x")
    assert (held.versions, held.files, held.tags) == ((), (), {})
    assert server.asked[0].scope["raw_path"].decode() == ASKED[registry]


@EVERY
@pytest.mark.parametrize(
    "answer", [PlainTextResponse("oops", 500), HTMLResponse("<h1>Please log in</h1>"), PlainTextResponse('{"x": 1}')]
)
def test_what_could_not_be_asked_is_never_nothing(server: Answers, registry: RegistryName, answer: Response) -> None:
    server.give(ASKED[registry], answer)
    with pytest.raises(UnavailableError):
        at(server, registry).holdings("tasker-x")


@pytest.mark.parametrize(
    ("name", "path"),
    [("a", "1/a"), ("Ab", "2/ab"), ("abc", "3/a/abc"), ("Tasker-PGMQ", "ta/sk/tasker-pgmq"), ("abcd", "ab/cd/abcd")],
)
def test_index_paths_are_those_of_cargo(name: str, path: str) -> None:
    assert index_path(name) == path


@pytest.mark.parametrize("dl", ["{}/api/v1/crates", "{}/{{lowerprefix}}/{{crate}}-{{version}}-{{sha256-checksum}}"])
def test_crates_come_from_the_index_yanked_ones_too(server: Answers, dl: str) -> None:
    content = b"archive"
    digest = hashlib.sha256(content).hexdigest()
    lines = [
        {"name": "tasker-x", "vers": "0.1.0", "cksum": A, "yanked": True, "deps": []},
        {"name": "tasker-x", "vers": "0.1.1", "cksum": digest, "yanked": False, "deps": []},
    ]
    server.give(ASKED[RegistryName.CRATES_IO], PlainTextResponse("\n".join(map(json.dumps, lines)) + "\n"))
    server.give("/index/config.json", json_answer({"dl": dl.format(server.url), "api": server.url}))
    server.give("/api/v1/crates/tasker-x/0.1.1/download", PlainTextResponse(content))
    server.give(f"/ta/sk/tasker-x-0.1.1-{digest}", PlainTextResponse(content))
    crates = at(server, RegistryName.CRATES_IO)
    held = crates.holdings("tasker-x")
    assert held.versions == ("0.1.0", "0.1.1")
    assert [(f.file, f.sha256, f.yanked) for f in held.files] == [
        ("tasker-x-0.1.0.crate", A, True),
        ("tasker-x-0.1.1.crate", digest, False),
    ]
    assert crates.fetch(held.files[1]) == content


def test_gems_come_with_their_platforms_oldest_first(server: Answers) -> None:
    entries = [
        {"number": "0.1.1", "platform": "x86_64-linux", "sha": B, "prerelease": False},
        {"number": "0.1.1", "platform": "ruby", "sha": A, "prerelease": False},
        {"number": "0.1.0.rc.1", "platform": "ruby", "sha": None, "prerelease": True},
    ]
    server.give(ASKED[RegistryName.RUBYGEMS], json_answer(entries))
    held = at(server, RegistryName.RUBYGEMS).holdings("tasker-x")
    assert held.versions == ("0.1.0.rc.1", "0.1.1")
    assert [(f.file, f.sha256) for f in held.files] == [
        ("tasker-x-0.1.0.rc.1.gem", None),
        ("tasker-x-0.1.1.gem", A),
        ("tasker-x-0.1.1-x86_64-linux.gem", B),
    ]
    assert held.files[1].url == f"{server.url}/gems/tasker-x-0.1.1.gem"


SIMPLE_JSON = {
    "meta": {"api-version": "1.1"},
    "versions": ["0.1.8", "0.1.9"],
    "files": [
        {"filename": WHEEL, "url": "../../files/w", "hashes": {"sha256": A}, "yanked": "broken"},
        {"filename": "tasker_py-0.1.9.tar.gz", "url": "/files/s", "hashes": {}, "yanked": False},
        {"filename": "tasker_py-0.1.9.win32.exe", "url": "/files/e", "hashes": {}},
    ],
}
SIMPLE_HTML = f"""<!DOCTYPE html><html><body><h1>Links</h1>
<a href="../../files/w#sha256={A}" data-yanked="broken">{WHEEL}</a><br/>
<a href="/files/s">tasker_py-<b>0.1.9</b>.tar.gz</a><br/><a>no address</a>
</body></html>"""


@pytest.mark.parametrize("form", ["json", "html"])
def test_wheels_come_from_the_simple_index_in_both_of_its_forms(server: Answers, form: str) -> None:
    page = (
        json_answer(SIMPLE_JSON, "application/vnd.pypi.simple.v1+json") if form == "json" else HTMLResponse(SIMPLE_HTML)
    )
    server.give("/simple/tasker-py/", page)
    held = at(server, RegistryName.PYPI).holdings("Tasker_Py")
    assert held.files == (
        RegistryFile(version="0.1.9", file=WHEEL, sha256=A, url=f"{server.url}/files/w", yanked=True),
        RegistryFile(version="0.1.9", file="tasker_py-0.1.9.tar.gz", sha256=None, url=f"{server.url}/files/s"),
    )
    assert held.versions == (("0.1.8", "0.1.9") if form == "json" else ("0.1.9",))
    assert "application/vnd.pypi.simple.v1+json" in server.asked[0].headers["accept"]


def test_a_project_without_files_is_told_from_a_portals_page(server: Answers) -> None:
    page = '<html><head><meta name="pypi:repository-version" content="1.3"></head><body><h1>Links</h1></body></html>'
    server.give("/simple/tasker-py/", HTMLResponse(page))
    assert at(server, RegistryName.PYPI).holdings("tasker-py").files == ()


def test_wheels_come_from_the_json_api_where_there_is_no_simple_index(server: Answers) -> None:
    file = {"filename": WHEEL, "url": "https://files.example.org/w", "digests": {"sha256": A}, "yanked": False}
    server.give("/pypi/tasker-py/json", json_answer({"releases": {"0.1.8": [], "0.1.9": [file]}}))
    held = at(server, RegistryName.PYPI).holdings("tasker-py")
    assert held.versions == ("0.1.8", "0.1.9")
    assert [(f.file, f.sha256, f.version) for f in held.files] == [(WHEEL, A, "0.1.9")]


def test_npm_packages_come_with_tags_and_with_numbers_that_are_used_up(server: Answers) -> None:
    dist = {"tarball": f"{server.url}/t/tasker-0.1.9.tgz", "shasum": "c" * 40, "integrity": "sha1-x sha512-yyy"}
    old = {"tarball": f"{server.url}/t/tasker-0.1.7.tgz", "shasum": "c" * 40}
    server.give(
        "/@tasker-systems%2ftasker",
        json_answer(
            {
                "name": "@tasker-systems/tasker",
                "dist-tags": {"latest": "0.1.9", "alpha": "0.1.9"},
                "versions": {"0.1.7": {"dist": old}, "0.1.9": {"dist": dist}},
                "time": {"created": "c", "modified": "m", "0.1.7": "t", "0.1.8": "unpublished since", "0.1.9": "t"},
            }
        ),
    )
    held = at(server, RegistryName.NPM).holdings("@tasker-systems/tasker")
    assert held.versions == ("0.1.7", "0.1.8", "0.1.9")
    assert held.tags == {"latest": "0.1.9", "alpha": "0.1.9"}
    assert [(f.file, f.integrity) for f in held.files] == [
        ("tasker-0.1.7.tgz", None),
        ("tasker-0.1.9.tgz", "sha512-yyy"),
    ]


def test_of_a_wholly_unpublished_npm_package_the_numbers_remain(server: Answers) -> None:
    times = {"created": "c", "modified": "m", "unpublished": {"time": "t", "versions": ["0.1.0"]}}
    server.give(ASKED[RegistryName.NPM], json_answer({"name": "tasker-x", "time": times}))
    assert at(server, RegistryName.NPM).holdings("tasker-x").versions == ("0.1.0",)


def test_a_download_is_held_to_every_digest_that_is_stated(server: Answers) -> None:
    content = b"content"
    url = server.give("/f", Response(content))
    npm = at(server, RegistryName.NPM)
    good = RegistryFile(version="1.0.0", file="f", url=url, integrity=integrity(content))
    assert npm.fetch(good) == content
    for wrong in ({"integrity": integrity(b"other")}, {"sha256": A}):
        with pytest.raises(RegistryError, match=r"gives .* states"):
            npm.fetch(good.model_copy(update=wrong))
    with pytest.raises(RegistryError, match="listed by npm, but not there"):
        npm.fetch(good.model_copy(update={"url": url + "/gone"}))


@pytest.mark.parametrize(
    ("registry", "name", "page"),
    [
        (RegistryName.CRATES_IO, "tasker-pgmq", "https://crates.io/crates/tasker-pgmq/0.1.9"),
        (RegistryName.RUBYGEMS, "tasker-rb", "https://rubygems.org/gems/tasker-rb/versions/0.1.9"),
        (RegistryName.PYPI, "tasker-py", "https://pypi.org/project/tasker-py/0.1.9/"),
        (RegistryName.NPM, "@tasker-systems/tasker", "https://www.npmjs.com/package/@tasker-systems/tasker/v/0.1.9"),
    ],
)
def test_pages_for_people_are_the_registries_own(registry: RegistryName, name: str, page: str) -> None:
    assert client(registry, LIVE).page(name, "0.1.9") == page
