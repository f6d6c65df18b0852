"""The manifest against the workspace: from cargo's own words, and from data."""

from pathlib import Path
from typing import Any

import pytest

from tasker_release_pipeline.release.errors import ToolError
from tasker_release_pipeline.release.manifest import Manifest, load
from tasker_release_pipeline.toolchains.cargo_metadata import check_manifest, metadata

from .conftest import Example

BUILD = {"commands": [{"run": ["cargo", "package"], "seconds": 1}], "artifacts": ["*.crate"]}


def manifest(**phases: int) -> Manifest:
    """A manifest of crates in folders of their own names."""
    crate = {"registry": "crates_io", "component": "core", "core": "ffi", "load": "1"}
    return Manifest.model_validate(
        {
            "name": "test",
            "components": {"core": {"carriers": [{"path": "VERSION", "kind": "text"}]}},
            "registries": {"crates_io": {"build": BUILD, "propagation_seconds": 1, "upload_seconds": 1}},
            "packages": [
                {**crate, "name": name, "folder": name, "changes": [f"{name}/"], "phase": phase}
                for name, phase in phases.items()
            ],
        }
    )


def member(name: str, *dependencies: dict[str, Any], version: str = "0.1.0", publish: Any = None) -> dict[str, Any]:
    path = f"/src/{name}/Cargo.toml"
    return {
        "name": name, "version": version, "publish": publish, "manifest_path": path, "dependencies": [*dependencies]
    }  # fmt: skip


def on(name: str, req: str = "=0.1.0", kind: str | None = None, path: bool = True) -> dict[str, Any]:
    return {"name": name, "req": req, "kind": kind} | ({"path": f"/src/{name}"} if path else {})


def workspace(*members: dict[str, Any]) -> dict[str, Any]:
    return {"workspace_root": "/src", "packages": list(members)}


def write(folder: Path, **crates: str) -> Path:
    """A workspace of crates with these lines at the end of their Cargo.toml."""
    names = ", ".join(f'"{name}"' for name in crates)
    folder.mkdir(exist_ok=True)
    (folder / "Cargo.toml").write_text(f'[workspace]\nmembers = [{names}]\nresolver = "2"\n')
    for name, rest in crates.items():
        (folder / name / "src").mkdir(parents=True)
        (folder / name / "src" / "lib.rs").touch()
        text = f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n{rest}\n'
        (folder / name / "Cargo.toml").write_text(text)
    return folder


@pytest.mark.toolchain
def test_the_example_and_its_manifest_agree(example: Example) -> None:
    assert check_manifest(load("tasker"), metadata(example.source)) == []


@pytest.mark.toolchain
def test_the_newer_layout_and_its_manifest_agree(tmp_path: Path) -> None:
    layout = load("tasker-ctl")
    before = {"client": "shared", "orchestration": "shared", "worker": "client", "sdk": "client", "ctl": "sdk"}
    before |= {"shared": "pgmq", "mcp": "sdk"}
    crates = {}
    for crate in layout.crates:
        other = before.get(crate.name.removeprefix("tasker-"))
        needs = (
            f'[dependencies]\ntasker-{other} = {{ path = "../tasker-{other}", version = "=0.1.0" }}' if other else ""
        )
        crates[crate.folder] = needs
    source = write(tmp_path / "source", **crates)
    for path in source.glob("crates/*/Cargo.toml"):
        path.write_text(path.read_text().replace('name = "crates/', 'name = "'))
    assert check_manifest(layout, metadata(source)) == []


@pytest.mark.toolchain
def test_the_old_layouts_manifest_names_what_moved(example: Example) -> None:
    problems = check_manifest(load("tasker-ctl"), metadata(example.source))
    assert any(p.startswith("tasker-pgmq lies in tasker-pgmq, not in crates/tasker-pgmq") for p in problems)
    assert any(p.startswith("tasker-ctl is no member of the cargo workspace (there are ") for p in problems)


@pytest.mark.toolchain
def test_cargo_says_what_the_manifest_gets_wrong(tmp_path: Path) -> None:
    inner = '[dependencies]\nhidden = { path = "../hidden" }\nbase = { path = "../base", version = "0.1" }'
    source = write(tmp_path / "source", base="", hidden="publish = false", top=inner)
    assert check_manifest(manifest(base=1, top=1), metadata(source)) == [
        "top/Cargo.toml: top depends on base, but the manifest publishes top in phase 1 and base in phase 1; "
        "give top phase 2 or later",
        "top/Cargo.toml: top depends on hidden (hidden/Cargo.toml), which the manifest does not publish; "
        "add hidden to the manifest, or take the dependency out",
    ]


@pytest.mark.toolchain
def test_a_folder_without_a_workspace_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=rf"cargo metadata .* in {tmp_path}(.|\n)*Cargo\.toml"):
        metadata(tmp_path)


@pytest.mark.toolchain
def test_cargos_warnings_are_not_taken_for_its_answer(tmp_path: Path) -> None:
    source = write(tmp_path / "source", base="")
    # Cargo then wonders which resolver is meant.
    (source / "Cargo.toml").write_text('[workspace]\nmembers = ["base"]\n')
    assert [package["name"] for package in metadata(source)["packages"]] == ["base"]


def test_a_renamed_crate_is_named_with_what_its_folder_holds_now() -> None:
    renamed = member("tasker-ctl") | {"manifest_path": "/src/tasker-cli/Cargo.toml"}
    (problem,) = check_manifest(manifest(**{"tasker-cli": 1}), workspace(renamed))
    assert problem.startswith("tasker-cli is no member of the cargo workspace (tasker-cli holds tasker-ctl); correct")


def test_a_crate_that_is_not_published_by_its_own_words_is_named() -> None:
    (problem,) = check_manifest(manifest(base=1), workspace(member("base", publish=[])))
    assert problem.startswith("base/Cargo.toml: base is in the manifest, but its `publish` keeps it from crates.io")
    assert check_manifest(manifest(base=1), workspace(member("base", publish=["crates-io"]))) == []


def test_members_that_the_manifest_does_not_name_are_fine() -> None:
    binding = member("base-py", on("base"))
    assert check_manifest(manifest(base=1), workspace(member("base"), binding)) == []


def test_dev_dependencies_by_path_alone_are_not_published() -> None:
    fixtures = member("fixtures", on("base", req="*", kind="dev"), publish=[])
    found = workspace(member("base", on("fixtures", req="*", kind="dev")), fixtures)
    assert check_manifest(manifest(base=1), found) == []


def test_dev_dependencies_with_a_version_are_published() -> None:
    found = workspace(member("base", on("fixtures", kind="dev")), member("fixtures", publish=[]))
    (problem,) = check_manifest(manifest(base=1), found)
    assert problem.startswith("base/Cargo.toml: base depends on fixtures (fixtures/Cargo.toml), which")
    assert problem.endswith("add fixtures to the manifest, or leave its version out")


@pytest.mark.parametrize(("base", "top", "wrong"), [(1, 2, False), (2, 2, True), (3, 2, True)])
@pytest.mark.parametrize("kind", [None, "build"])
def test_a_crate_comes_after_those_it_depends_on(base: int, top: int, wrong: bool, kind: str | None) -> None:
    problems = check_manifest(
        manifest(base=base, top=top), workspace(member("base"), member("top", on("base", kind=kind)))
    )
    expected = (
        f"top/Cargo.toml: top depends on base, but the manifest publishes top in phase {top} and base in phase {base}; "
        f"give top phase {base + 1} or later"
    )
    assert problems == ([expected] if wrong else [])


def test_a_dependency_by_path_alone_needs_a_version() -> None:
    problems = check_manifest(manifest(base=1, top=2), workspace(member("base"), member("top", on("base", req="*"))))
    assert problems == [
        'top/Cargo.toml: top depends on base by its path alone, which crates.io refuses; add version = "=0.1.0"'
    ]


def test_a_pin_that_does_not_match_is_named_with_both_files() -> None:
    found = workspace(member("base", version="0.1.1"), member("top", on("base", req="=0.1.0")))
    assert check_manifest(manifest(base=1, top=2), found) == [
        'top/Cargo.toml: top requires base "=0.1.0", but base/Cargo.toml has 0.1.1; write version = "=0.1.1"'
    ]


def test_a_stale_pin_in_a_crate_that_only_a_gem_ships_is_found() -> None:
    extension = member("base-rb", on("base", req="=0.1.0", path=False), publish=[])
    (problem,) = check_manifest(manifest(base=1), workspace(member("base", version="0.1.1"), extension))
    assert problem.startswith('base-rb/Cargo.toml: base-rb requires base "=0.1.0", but base/Cargo.toml has 0.1.1')
