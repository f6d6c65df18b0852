"""A gem as RubyGems itself reads it."""

from pathlib import Path

import pytest

from tasker_release_pipeline.checks.gems import gem
from tasker_release_pipeline.release.plan import Finding
from tests.checks import archives
from tests.checks.archives import errors, warnings

pytestmark = pytest.mark.toolchain


def read(path: Path, oldest: str = "3.0") -> list[Finding]:
    return gem(path, oldest=oldest, log=lambda _line: None)


def test_a_gem_in_order_gives_no_finding(tmp_path: Path) -> None:
    assert read(archives.gem(tmp_path)) == []


def test_a_gem_without_its_extension_is_refused(tmp_path: Path) -> None:
    said = errors(read(archives.gem(tmp_path, without="ext/tiny/extconf.rb")))
    assert any("its specification lists ext/tiny/extconf.rb, not in the gem" in message for message in said)
    assert any(
        "its extension ext/tiny/extconf.rb is not in the gem, and installing fails" in message for message in said
    )


def test_a_gem_whose_require_path_is_empty_is_refused(tmp_path: Path) -> None:
    (said,) = errors(read(archives.gem(tmp_path, spec=("- lib\n", "- library\n"))))
    assert "its require path library holds nothing" in said


def test_a_gem_that_refuses_the_oldest_ruby_is_refused(tmp_path: Path) -> None:
    made = archives.gem(tmp_path, spec=("version: '3.0'", "version: '3.2'"))
    (said,) = errors(read(made))
    assert "wants Ruby >= 3.2, the manifest states 3.0 as the oldest" in said
    assert read(made, oldest="3.2") == []


def test_a_gem_for_another_host_is_refused(tmp_path: Path) -> None:
    other = "metadata:\n  allowed_push_host: https://gems.example.invalid"
    (said,) = errors(read(archives.gem(tmp_path, spec=("metadata:", other))))
    assert "allowed_push_host is https://gems.example.invalid" in said


def test_a_gem_that_says_too_little_is_a_warning(tmp_path: Path) -> None:
    made = archives.gem(tmp_path, spec=("licenses:\n- MIT\n", "licenses: []\n"))
    assert "names no licence" in warnings(read(made))[0]


def test_a_gem_that_compiles_inside_the_workspace_only_is_refused(tmp_path: Path) -> None:
    inherits = archives.EXTENSION.replace(b'edition = "2021"', b"edition.workspace = true")
    (said,) = errors(read(archives.gem(tmp_path, {"ext/tiny/Cargo.toml": inherits})))
    assert "ext/tiny/Cargo.toml has `package.edition.workspace = true`" in said


def test_a_gem_with_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    made = archives.gem(tmp_path)
    content = bytearray(made.read_bytes())
    at = content.index(b"data.tar.gz") + 512 + 4  # the time in the header of the compressed data
    content[at] ^= 1
    made.write_bytes(content)
    (said,) = errors(read(made))
    assert said.startswith("tiny-0.1.1.gem: RubyGems can't read it")
