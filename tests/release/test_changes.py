import pytest

from tasker_release_pipeline.release.changes import Changes, changed_beyond_stamping, classify, covered
from tasker_release_pipeline.release.manifest import load
from tasker_release_pipeline.release.stamping import Tree, rewrites

from .building import (
    CLI,
    CLIENT,
    ORCHESTRATION,
    PGMQ,
    PYTHON,
    RUBY,
    SHARED,
    TASKER,
    TYPESCRIPT,
    WORKER,
    Repository,
    version,
)


@pytest.mark.parametrize("path", [PGMQ, SHARED, WORKER])
def test_pgmq_shared_and_worker_are_the_ffi_core(path: str) -> None:
    changes = classify([path], TASKER)
    assert (changes.core, changes.ffi_core, changes.server_core) == (True, True, False)


@pytest.mark.parametrize("path", [CLIENT, ORCHESTRATION, CLI])
def test_client_orchestration_and_cli_are_the_server_core(path: str) -> None:
    changes = classify([path], TASKER)
    assert (changes.core, changes.ffi_core, changes.server_core) == (True, False, True)


@pytest.mark.parametrize(
    ("path", "key"), [(RUBY, "rubygems/tasker-rb"), (PYTHON, "pypi/tasker-py"), (TYPESCRIPT, "npm/tasker")]
)
def test_a_path_in_a_bindings_folder_is_a_change_of_that_binding_alone(path: str, key: str) -> None:
    assert classify([path], TASKER) == Changes(
        packages={key: (path,)}, ffi_core=False, server_core=False, unclassified=()
    )


def test_the_newer_layout_has_its_crates_and_bindings_below_crates() -> None:
    changes = classify(["crates/tasker-sdk/src/lib.rs", "crates/tasker-rb/lib/a.rb"], load("tasker-ctl"))
    assert set(changes.packages) == {"crates_io/tasker-sdk", "rubygems/tasker-rb"}
    assert changes.server_core
    assert not changes.ffi_core


@pytest.mark.parametrize(
    "path", ["Cargo.toml", "Cargo.lock", "proto/a.proto", "migrations/1.sql", ".sqlx/query-1.json"]
)
def test_what_packages_are_built_with_but_none_owns_is_unclassified(path: str) -> None:
    assert classify([path], TASKER) == Changes(packages={}, ffi_core=False, server_core=False, unclassified=(path,))


@pytest.mark.parametrize("path", ["README.md", "docs/a.md", "workers/rust/src/lib.rs", "crates/Cargo.toml"])
def test_what_no_package_ships_is_neither_a_change_nor_unclassified(path: str) -> None:
    assert classify([path], TASKER) == Changes(packages={}, ffi_core=False, server_core=False, unclassified=())


def test_a_folder_covers_what_lies_below_it_and_no_other_that_begins_alike() -> None:
    paths = ["tasker-worker/src/lib.rs", "tasker-worker-rust/src/lib.rs", "Cargo.toml", "Cargo.toml.bak"]
    assert covered(paths, ["tasker-worker/"]) == ("tasker-worker/src/lib.rs",)
    assert covered(paths, ["Cargo.toml"]) == ("Cargo.toml",)
    assert covered(paths, []) == ()


def test_a_rename_counts_on_both_sides(repository: Repository) -> None:
    base = repository.commit(files={"tasker-shared/src/a.rs": "x\n" * 50, "workers/ruby/lib/keep.rb": "1\n"})
    repository.git("mv", "tasker-shared/src/a.rs", "workers/ruby/lib/a.rs")
    moved = repository.commit()
    changes = classify(repository.checkout.changed_paths(base, moved), TASKER)
    assert changes.packages == {
        "crates_io/tasker-shared": ("tasker-shared/src/a.rs",),
        "rubygems/tasker-rb": ("workers/ruby/lib/a.rs",),
    }


def _stamp(repository: Repository, core: str, ruby: str) -> dict[str, str]:
    others = {"python": version("0.1.8"), "typescript": version("0.1.8")}
    tree = Tree.of(repository.checkout, "HEAD")
    return rewrites(tree, TASKER, {"core": version(core), "ruby": version(ruby), **others})


def test_the_stamps_of_a_prepared_tree_are_no_change(tasker: Repository) -> None:
    base = tasker.git("rev-parse", "HEAD")
    tasker.commit(files={CLI: "fn main() { /* changed */ }\n"})
    prepared = tasker.commit(files=_stamp(tasker, core="0.1.9", ruby="0.1.8"))
    touched = set(classify(tasker.checkout.changed_paths(base, prepared), TASKER).packages)
    assert {"rubygems/tasker-rb", "pypi/tasker-py", "crates_io/tasker-pgmq"} <= touched, "so much does stamping touch"
    now = {"core": version("0.1.9"), **dict.fromkeys(("ruby", "python", "typescript"), version("0.1.8"))}
    assert changed_beyond_stamping(tasker.checkout, TASKER, base, prepared, now) == (CLI,)


def test_a_file_that_changed_beside_its_stamp_is_a_change(tasker: Repository) -> None:
    base = tasker.git("rev-parse", "HEAD")
    stamps = _stamp(tasker, core="0.1.9", ruby="0.1.8")
    stamps["tasker-pgmq/Cargo.toml"] += '[dependencies]\nserde = "1"\n'
    prepared = tasker.commit(files=stamps)
    now = {"core": version("0.1.9"), **dict.fromkeys(("ruby", "python", "typescript"), version("0.1.8"))}
    assert changed_beyond_stamping(tasker.checkout, TASKER, base, prepared, now) == ("tasker-pgmq/Cargo.toml",)


def test_from_a_base_of_another_layout_every_difference_counts(repository: Repository) -> None:
    base = repository.commit(files={"README.md": "old\n"})
    commit = repository.commit(files={"VERSION": "0.1.9\n", CLI: "x\n"})
    checkout = repository.checkout
    assert changed_beyond_stamping(checkout, TASKER, base, commit, {}) == checkout.changed_paths(base, commit)
