"""What lockfiles pin, from each ecosystem's own."""

import pytest

from tasker_release_pipeline.release.locked import Locked, Lockfiles
from tests.pipeline.conftest import ROOT

CARGO = """
version = 4
[[package]]
name = "own"
version = "0.1.9"
dependencies = ["heck 0.5.0", "syn 2.0.0 (registry+https://github.com/rust-lang/crates.io-index)"]
[[package]]
name = "heck"
version = "0.5.0"
source = "registry"
checksum = "ab"
"""
UV = """
[[package]]
name = "tasker-py"
version = "0.1.9"
source = { editable = "." }
dependencies = [{ name = "idna" }]
[[package]]
name = "idna"
version = "3.7"
sdist = { url = "x", hash = "sha256:cd" }
"""
GEMS = """
PATH
  remote: .
  specs:
    tasker-rb (0.1.9)

GEM
  specs:
    nokogiri (1.16.0-x86_64-linux)
    rake-compiler (1.2.1)
      rake

DEPENDENCIES
  rake (>= 13.0)
"""
BUN = '{"packages": {"@a/b": ["@a/b@1.0.0", "", {"x": ",]"}, "sha512-YQ=="], "own": ["own@workspace:."],},}'
NPM = (
    '{"packages": {"": {"name": "own", "version": "1.0.0"}, '
    '"node_modules/a/node_modules/@b/c": {"version": "2.0.0", "integrity": "sha1-x"}}}'
)


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        (
            "Cargo.lock",
            CARGO,
            [
                Locked("cargo", "own", "0.1.9", needs=("heck 0.5.0", "syn 2.0.0"), own=True),
                Locked("cargo", "heck", "0.5.0", sha256="ab"),
            ],
        ),
        (
            "workers/python/uv.lock",
            UV,
            [
                Locked("pypi", "tasker-py", "0.1.9", needs=("idna",), own=True),
                Locked("pypi", "idna", "3.7", sha256="cd"),
            ],
        ),
        (
            "Gemfile.lock",
            GEMS,
            [
                Locked("gem", "tasker-rb", "0.1.9", own=True),
                Locked("gem", "nokogiri", "1.16.0-x86_64-linux"),
                Locked("gem", "rake-compiler", "1.2.1"),
            ],
        ),
        ("bun.lock", BUN, [Locked("npm", "@a/b", "1.0.0", sha512="61")]),
        ("package-lock.json", NPM, [Locked("npm", "own", "1.0.0", own=True), Locked("npm", "@b/c", "2.0.0")]),
    ],
)
def test_each_lockfile_says_what_it_pins(path: str, text: str, expected: list[Locked]) -> None:
    assert Lockfiles.of({path: text}).packages[path] == tuple(expected)


@pytest.mark.parametrize(
    ("path", "text"),
    [("Cargo.lock", "]["), ("bun.lock", "{}"), ("package-lock.json", "[]"), ("uv.lock", '[[package]]\nversion = "1"')],
)
def test_a_lockfile_that_can_not_be_read_is_named_and_stops_nothing(path: str, text: str) -> None:
    found = Lockfiles.of({path: text, "Gemfile.lock": GEMS})
    assert set(found.unread) == {path}
    assert set(found.packages) == {"Gemfile.lock"}


def test_the_examples_lockfiles_are_all_read() -> None:
    names = ("Cargo.lock", "workers/python/uv.lock", "workers/ruby/Gemfile.lock", "workers/typescript/bun.lock")
    texts = {name: (ROOT / "examples" / "tasker" / name).read_text() for name in names}
    found = Lockfiles.of(texts)
    assert found.unread == {}
    assert all(len(packages) > 0 for packages in found.packages.values())
    assert len(found.packages["workers/typescript/bun.lock"]) > 50
