"""Building the example with the real tools, and what a build refuses."""

import subprocess
from pathlib import Path

import pytest

from tasker_release_pipeline.release.artifact import Artifact
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError, ToolError
from tasker_release_pipeline.release.manifest import Build, Package
from tasker_release_pipeline.toolchains.build import build

from .conftest import EPOCH, Example, clone_example, package, repository, silent

CRATE = """
[package]
name = "tiny"
version = "0.1.0"
edition = "2021"
license = "MIT"
description = "Tiny"
repository = "https://example.invalid/tiny"
"""
LOCK = 'version = 4\n\n[[package]]\nname = "tiny"\nversion = "0.1.0"\n'
PACKAGE_JSON = '{"name": "@tiny/tiny", "version": "0.1.0", "files": ["index.js"]}\n'
CARGO_PACKAGE = ["cargo", "package", "{packages}", "--locked", "--offline"]
NPM_PACK = ["npm", "pack", "--pack-destination", "{out}", "--ignore-scripts"]


def built(
    registry: RegistryName, packages: list[Package], folder: Path, *commands: list[str], seconds: int = 120
) -> tuple[Artifact, ...]:
    recipe = {"commands": [{"run": run, "seconds": seconds} for run in commands], "artifacts": ["*.*"]}
    return build(
        registry,
        packages,
        Build.model_validate(recipe),
        source=folder,
        out=folder.parent / "out",
        target=folder.parent / "target",
        epoch=EPOCH,
        log=silent,
        logfile=folder.parent / "build.log",
    )


@pytest.fixture
def npm_source(tmp_path: Path) -> Path:
    return repository(tmp_path / "source", {"package.json": PACKAGE_JSON, "index.js": "export default 1;\n"})


@pytest.mark.toolchain
def test_every_crate_of_the_manifest_becomes_an_archive(example: Example) -> None:
    artifacts = example.built(RegistryName.CRATES_IO)
    expected = [(p.key, f"{p.name}-0.1.0.crate", "0.1.0") for p in example.manifest.of_registry(RegistryName.CRATES_IO)]
    assert [(a.package, a.file, a.version) for a in artifacts] == sorted(expected)
    assert {a.file for a in artifacts} == {path.name for path in example.out(RegistryName.CRATES_IO).iterdir()}


@pytest.mark.toolchain
@pytest.mark.parametrize(
    ("registry", "key", "file"),
    [
        (RegistryName.RUBYGEMS, "rubygems/tasker-rb", "tasker-rb-0.1.0.gem"),
        (RegistryName.PYPI, "pypi/tasker-py", "tasker_py-0.1.0-cp311-abi3-manylinux*.whl"),
        (RegistryName.NPM, "npm/tasker", "tasker-systems-tasker-0.1.0.tgz"),
    ],
)
def test_a_binding_becomes_one_file_under_its_registrys_name(
    example: Example, registry: RegistryName, key: str, file: str
) -> None:
    (artifact,) = example.built(registry)
    (path,) = example.out(registry).iterdir()
    assert (artifact.package, artifact.version) == (key, "0.1.0")
    assert path.match(file)
    assert artifact == Artifact.of(key, "0.1.0", path)


@pytest.mark.toolchain
@pytest.mark.parametrize("registry", [RegistryName.CRATES_IO, RegistryName.RUBYGEMS, RegistryName.NPM])
def test_another_clone_gives_the_same_bytes(example: Example, registry: RegistryName, tmp_path: Path) -> None:
    again = example.build(registry, clone_example(tmp_path / "clone"), tmp_path)
    assert again == example.built(registry)


@pytest.mark.toolchain
def test_an_archive_of_an_earlier_build_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    source = repository(tmp_path / "source", {"Cargo.toml": CRATE, "Cargo.lock": LOCK, "src/lib.rs": ""})
    stale = tmp_path / "target" / "package" / "tiny-0.0.9.crate"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"of another version")
    (artifact,) = built(RegistryName.CRATES_IO, [package(RegistryName.CRATES_IO, "tiny")], source, CARGO_PACKAGE)
    assert (artifact.file, artifact.version) == ("tiny-0.1.0.crate", "0.1.0")


@pytest.mark.toolchain
def test_a_dangling_symlink_in_a_crate_stops_the_build(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "tests").mkdir(parents=True)
    (source / "tests" / "fixture.rs").symlink_to("../../moved/fixture.rs")
    repository(source, {"Cargo.toml": CRATE, "Cargo.lock": LOCK, "src/lib.rs": ""})
    with pytest.raises(ToolError, match=r"^tiny: can't be packaged: .*fixture\.rs.*exclude"):
        built(RegistryName.CRATES_IO, [package(RegistryName.CRATES_IO, "tiny")], source, CARGO_PACKAGE)


@pytest.mark.toolchain
def test_a_crate_that_reads_a_file_outside_its_archive_stops_the_build(tmp_path: Path) -> None:
    source = repository(
        tmp_path / "source",
        {
            "Cargo.toml": '[workspace]\nmembers = ["tiny"]\nresolver = "2"\n',
            "Cargo.lock": LOCK,
            "proto/step.proto": "",
            "tiny/Cargo.toml": CRATE,
            "tiny/src/lib.rs": 'pub const STEP: &str = include_str!("../../proto/step.proto");\n',
        },
    )
    with pytest.raises(ToolError, match=r"^tiny: does not compile from its archive: src/lib\.rs:1:.*proto/step\.proto"):
        built(RegistryName.CRATES_IO, [package(RegistryName.CRATES_IO, "tiny")], source, CARGO_PACKAGE)


@pytest.mark.toolchain
def test_a_command_that_overruns_is_named_with_its_last_words(npm_source: Path) -> None:
    slow = ["sh", "-c", "echo waiting for the network; sleep 600"]
    with pytest.raises(ToolError, match=r"sleep 600(.|\n)*1 s, its time limit(.|\n)*waiting for the network"):
        built(RegistryName.NPM, [package(RegistryName.NPM, "@tiny/tiny")], npm_source, slow, NPM_PACK, seconds=1)


def test_a_missing_tool_is_named_in_one_line(npm_source: Path) -> None:
    with pytest.raises(ToolError, match=r"^pnpm is missing: .*$"):
        built(RegistryName.NPM, [package(RegistryName.NPM, "@tiny/tiny")], npm_source, ["pnpm", "install"])


@pytest.mark.toolchain
def test_a_build_that_leaves_the_tree_changed_is_refused_with_the_files(npm_source: Path) -> None:
    changing = ["sh", "-c", "echo // new >> index.js; mkdir -p 'build products'; touch 'build products/a'"]
    with pytest.raises(InputError, match=r"left the tree changed.* index\.js, .*build products/.*\.gitignore"):
        built(RegistryName.NPM, [package(RegistryName.NPM, "@tiny/tiny")], npm_source, NPM_PACK, changing)


@pytest.mark.toolchain
def test_a_file_of_another_package_is_refused(npm_source: Path) -> None:
    with pytest.raises(InputError, match=r"tiny-tiny-0\.1\.0\.tgz is of @tiny/tiny, .*\(@tiny/other\)"):
        built(RegistryName.NPM, [package(RegistryName.NPM, "@tiny/other")], npm_source, NPM_PACK)


def test_a_package_without_a_file_is_refused(npm_source: Path) -> None:
    with pytest.raises(InputError, match=r"@tiny/tiny: the build commands .* left no file"):
        built(RegistryName.NPM, [package(RegistryName.NPM, "@tiny/tiny")], npm_source, ["true"])


@pytest.mark.toolchain
def test_what_lay_in_the_output_folder_before_is_gone(npm_source: Path) -> None:
    left = npm_source.parent / "out" / "old.tgz"
    left.parent.mkdir()
    left.write_bytes(b"of another version")
    (artifact,) = built(RegistryName.NPM, [package(RegistryName.NPM, "@tiny/tiny")], npm_source, NPM_PACK)
    assert [path.name for path in left.parent.iterdir()] == [artifact.file]


@pytest.mark.toolchain
def test_all_builds_leave_the_example_clean(example: Example) -> None:
    for registry in RegistryName:
        example.built(registry)
    status = ["git", "-C", str(example.source), "status", "--porcelain"]
    assert subprocess.run(status, check=True, capture_output=True, text=True).stdout == ""
