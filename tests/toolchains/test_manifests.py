"""The packaged manifests, against the example that the first of them describes."""

import pytest

from tasker_release_pipeline.release.carriers import read_version
from tasker_release_pipeline.release.manifest import load, packaged

from .conftest import Example


def test_both_layouts_are_packaged() -> None:
    assert packaged() == ("tasker", "tasker-ctl")
    for name in packaged():
        assert load(name).name == name


def test_every_carrier_of_the_example_carries_the_version(example: Example) -> None:
    for component in example.manifest.components.values():
        for carrier in component.carriers:
            text = (example.source / carrier.path).read_text()
            assert str(read_version(text, carrier, carrier.path)) == "0.1.0", carrier


def test_every_folder_and_every_changed_path_of_the_example_is_there(example: Example) -> None:
    for package in example.manifest.packages:
        for path in (package.folder, *package.changes):
            assert (example.source / path).is_dir(), path


@pytest.mark.parametrize("name", ["tasker", "tasker-ctl"])
def test_each_crate_is_a_carrier_of_the_core_and_counts_its_own_folder(name: str) -> None:
    manifest = load(name)
    carriers = {carrier.path for carrier in manifest.components["core"].carriers}
    for crate in manifest.crates:
        assert f"{crate.folder}/Cargo.toml" in carriers
        assert crate.changes == (f"{crate.folder}/",)
        assert crate.load == crate.name.replace("-", "_") + "::VERSION"


def test_phases_follow_the_crates_dependencies() -> None:
    phases = {crate.name.removeprefix("tasker-"): crate.phase for crate in load("tasker").crates}
    assert phases == {"pgmq": 1, "shared": 2, "client": 3, "orchestration": 3, "worker": 4, "cli": 4}
    phases = {crate.name.removeprefix("tasker-"): crate.phase for crate in load("tasker-ctl").crates}
    assert phases == {
        "pgmq": 1, "shared": 2, "client": 3, "orchestration": 3, "worker": 4, "sdk": 4, "ctl": 5, "mcp": 5
    }  # fmt: skip
