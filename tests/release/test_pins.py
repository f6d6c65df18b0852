import tomllib

import pytest

from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.pins import pinned, pins, stamp_pins

OURS = {"tasker-pgmq": "0.1.1", "tasker-shared": "0.1.1", "tasker-worker": "0.1.1", "tasker-cli": "0.1.1"}

EVERY_FORM = """\
# pinned: "=0.1.0"
[package]
name = "tasker-cli"
version = "0.1.0"

[dependencies]   # odd spacing
tasker-shared   = {path = "../tasker-shared",version='=0.1.0'  , features = [ "x", ]}  # keep
tasker-worker = "=0.1.0"
alias = { package = "tasker-shared", version = "~0.1.0" }
tasker-pgmq.version = "0.1.0"
tasker-pgmq.path = "../tasker-pgmq"
itoa = "=0.1.0"
tasker-unrelated = { version = "=0.1.0", path = "../x" }

[dependencies.by-table]
package = 'tasker-pgmq'
version = '^0.1.0'   # literal quotes

[dev-dependencies]
tasker-cli = { path = "." }
tasker-shared = { workspace = true }
tasker-worker.workspace = true
tasker-pgmq = "= 0.1.0"

[build-dependencies]
tasker-pgmq = ">=0.1, <0.2"

[target.'cfg(unix)'.dependencies]
tasker-shared = "=0.1.0"

[target."cfg(windows)".build-dependencies]
tasker-worker = { version = "=0.1.0" }

[workspace.dependencies]
tasker-worker = { version = "=0.1.0", path = "tasker-worker" }

[patch.crates-io]
tasker-shared = { path = "tasker-shared" }
tasker-worker = { path = "tasker-worker", version = "=0.1.0" }

[features]
default = ["tasker-worker/0.1.0"]

[package.metadata.dependencies]
tasker-worker = "=0.1.0\""""

STAMPED = (
    EVERY_FORM.replace("'=0.1.0'  ,", "'=0.1.1'  ,")
    .replace('tasker-worker = "=0.1.0"\nalias', 'tasker-worker = "=0.1.1"\nalias')
    .replace('"~0.1.0"', '"~0.1.1"')
    .replace('tasker-pgmq.version = "0.1.0"', 'tasker-pgmq.version = "0.1.1"')
    .replace("'^0.1.0'", "'^0.1.1'")
    .replace('"= 0.1.0"', '"= 0.1.1"')
    .replace('(unix)\'.dependencies]\ntasker-shared = "=0.1.0"', '(unix)\'.dependencies]\ntasker-shared = "=0.1.1"')
    .replace('tasker-worker = { version = "=0.1.0" }', 'tasker-worker = { version = "=0.1.1" }')
    .replace('{ version = "=0.1.0", path = "tasker-worker" }', '{ version = "=0.1.1", path = "tasker-worker" }')
    .replace('{ path = "tasker-worker", version = "=0.1.0" }', '{ path = "tasker-worker", version = "=0.1.1" }')
)


@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_every_form_of_an_internal_dependency_is_stamped_and_nothing_else(end: str) -> None:
    before, after = EVERY_FORM.replace("\n", end), STAMPED.replace("\n", end)
    assert stamp_pins(before, OURS) == after
    assert stamp_pins(after, OURS) == after
    tomllib.loads(after)


def test_tables_that_stand_apart_are_stamped_in_their_places() -> None:
    before = '[dependencies]\na = "1"\n[lib]\n[dependencies.tasker-shared]\nversion = "=0.1.0"\n[bin]\n'
    assert stamp_pins(before, OURS) == before.replace("=0.1.0", "=0.1.1")


def test_a_text_without_pins_of_ours_stays_as_it_is() -> None:
    assert stamp_pins(EVERY_FORM, {"serde": "2.0.0"}) == EVERY_FORM


@pytest.mark.parametrize(
    ("requirement", "version", "expected"),
    [
        ("=0.1.0", "0.1.1", "=0.1.1"),
        ("= 0.1.0", "0.1.1", "= 0.1.1"),
        ("0.1.0", "0.1.1", "0.1.1"),
        ("^0.1.0", "0.2.0-rc.1", "^0.2.0-rc.1"),
        ("=0.2.0-rc.1", "0.2.0", "=0.2.0"),
        ("0.1", "0.1.1", "0.1"),
        ("^0.1", "0.2.0", "^0.2"),
        ("~0", "1.0.0", "~1"),
        ("0.1", "0.2.0-rc.1", "0.2.0-rc.1"),
        (">=0.1.0", "0.1.1", ">=0.1.0"),
        (">=0.1, <0.2", "0.1.1", ">=0.1, <0.2"),
        ("0.1.*", "0.1.1", "0.1.*"),
        ("*", "0.1.1", "*"),
    ],
)
def test_the_operator_and_the_number_of_parts_stay(requirement: str, version: str, expected: str) -> None:
    assert pinned(requirement, version) == expected


def test_pins_lists_every_requirement_by_the_crates_own_name() -> None:
    listed = pins(EVERY_FORM)
    assert ("tasker-shared", "~0.1.0") in listed
    assert ("tasker-pgmq", "^0.1.0") in listed
    assert ("itoa", "=0.1.0") in listed
    assert ("tasker-pgmq", ">=0.1, <0.2") in listed
    assert len(listed) == 13
    assert not any(name in ("alias", "by-table", "tasker-cli") for name, _ in listed)


def test_a_text_that_is_not_toml_is_an_error_with_the_files_name() -> None:
    with pytest.raises(InputError, match=r"a/Cargo\.toml: not TOML"):
        stamp_pins("[package", OURS, "a/Cargo.toml")
