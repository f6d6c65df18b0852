"""The decision: absent, missing, same, conflict or unknown."""

import pytest

from tasker_release_pipeline.registries.compare import Difference, Verdict, compare, conflict, identity, same_version
from tasker_release_pipeline.registries.model import Holdings, RegistryFile
from tasker_release_pipeline.release.artifact import Artifact
from tasker_release_pipeline.release.endpoints import RegistryName

CRATES, GEMS, PYPI, NPM = RegistryName


def ours(file: str, content: str = "a", version: str = "0.1.9") -> Artifact:
    return Artifact(package="p", file=file, version=version, size=1, sha256=content, integrity=f"sha512-{content}")


def theirs(file: str, sha256: str | None = "a", version: str = "0.1.9", **fields: str) -> RegistryFile:
    return RegistryFile(version=version, file=file, sha256=sha256, url=f"https://example.org/{file}", **fields)


def held(*files: RegistryFile, versions: tuple[str, ...] = ()) -> Holdings:
    return Holdings(versions=(*versions, *(f.version for f in files)), files=files)


X86, ARM = "tasker_py-0.1.9-cp39-abi3-manylinux_2_28_x86_64.whl", "tasker_py-0.1.9-cp39-abi3-macosx_11_0_arm64.whl"


def test_a_version_that_is_not_there_is_absent_whatever_else_is() -> None:
    found = compare([ours("t-0.1.9.crate")], held(theirs("t-0.1.8.crate", version="0.1.8")), "0.1.9", CRATES)
    assert (found.verdict, found.missing) == (Verdict.ABSENT, ("t-0.1.9.crate",))


def test_the_same_bytes_are_the_same() -> None:
    assert compare([ours("t-0.1.9.crate")], held(theirs("t-0.1.9.crate")), "0.1.9", CRATES).verdict is Verdict.SAME


def test_a_yanked_version_with_the_same_bytes_is_still_there() -> None:
    yanked = theirs("t-0.1.9.crate").model_copy(update={"yanked": True})
    assert compare([ours("t-0.1.9.crate")], held(yanked), "0.1.9", CRATES).verdict is Verdict.SAME


def test_other_bytes_are_a_conflict_with_both_digests_and_the_address() -> None:
    found = compare([ours("t-0.1.9.gem", "a")], held(theirs("t-0.1.9.gem", "b")), "0.1.9", GEMS)
    assert found.verdict is Verdict.CONFLICT
    assert found.conflicts == (Difference("t-0.1.9.gem", "a", "b", "https://example.org/t-0.1.9.gem"),)


def test_presence_is_judged_by_files_not_by_the_version() -> None:
    found = compare([ours(X86), ours(ARM)], held(theirs(X86)), "0.1.9", PYPI)
    assert (found.verdict, found.missing) == (Verdict.MISSING, (ARM,))


def test_one_conflicting_file_outweighs_one_that_is_missing_and_one_that_is_the_same() -> None:
    third = "tasker_py-0.1.9-cp39-abi3-win_amd64.whl"
    found = compare([ours(X86), ours(ARM), ours(third)], held(theirs(X86), theirs(ARM, "b")), "0.1.9", PYPI)
    assert (found.verdict, found.missing, found.conflicts[0].file) == (Verdict.CONFLICT, (third,), ARM)


def test_files_that_are_none_of_ours_are_told_and_no_conflict() -> None:
    found = compare([ours(X86)], held(theirs(X86), theirs("tasker_py-0.1.9.tar.gz", "z")), "0.1.9", PYPI)
    assert (found.verdict, found.extra) == (Verdict.SAME, ("tasker_py-0.1.9.tar.gz",))


def test_an_unknown_digest_is_unknown_not_the_same() -> None:
    found = compare([ours(X86)], held(theirs(X86, None)), "0.1.9", PYPI)
    assert (found.verdict, [f.file for f in found.unknown]) == (Verdict.UNKNOWN, [X86])


def test_npm_is_compared_by_integrity_whatever_the_tarball_is_called() -> None:
    artifact = ours("tasker-systems-tasker-0.1.9.tgz")
    same = theirs("tasker-0.1.9.tgz", None, integrity="sha512-a")
    other = theirs("tasker-0.1.9.tgz", "a", integrity="sha512-b")
    unknown = theirs("tasker-0.1.9.tgz", "a")
    verdicts = [compare([artifact], held(file), "0.1.9", NPM).verdict for file in (same, other, unknown)]
    assert verdicts == [Verdict.SAME, Verdict.CONFLICT, Verdict.UNKNOWN]


def test_an_unpublished_npm_version_is_used_up() -> None:
    found = compare([ours("t-0.1.9.tgz")], held(versions=("0.1.9",)), "0.1.9", NPM)
    assert (found.verdict, found.conflicts) == (Verdict.CONFLICT, (Difference("t-0.1.9.tgz", "sha512-a", "", ""),))
    assert "used up" in str(conflict(NPM, "t", "0.1.9", found.conflicts, {}))


def test_pypi_takes_files_for_a_version_that_has_none_left() -> None:
    assert compare([ours(X86)], held(versions=("0.1.9",)), "0.1.9", PYPI).verdict is Verdict.ABSENT


def test_a_wheel_is_found_under_another_spelling_of_its_version() -> None:
    other = theirs("tasker_py-0.1.9.0-cp39-abi3-manylinux_2_28_x86_64.whl", "b", "0.1.9.0")
    assert compare([ours(X86)], held(other), "0.1.9", PYPI).verdict is Verdict.CONFLICT


@pytest.mark.parametrize(
    ("registry", "one", "other", "same"),
    [
        (PYPI, "0.1.1", "0.1.1.0", True),
        (PYPI, "0.2.0rc1", "0.2.0-rc.1", True),
        (PYPI, "0.1.1", "0.1.1.1", False),
        (PYPI, "not-a-version", "0.1.1", False),
        (GEMS, "0.1.1", "0.1.1.0", True),
        (GEMS, "0.2.0.rc.1", "0.2.rc.1", True),
        (GEMS, "0.2.0.rc.1", "0.2.0.rc.2", False),
        (GEMS, "1.0.0-rc1", "1.0.0.pre.rc1", True),
        (CRATES, "0.1.1+x", "0.1.1", True),
        (CRATES, "0.1.1", "0.1.10", False),
        (NPM, "0.1.1", "0.1.1", True),
        (NPM, "0.1.1", "0.1.1.0", False),
    ],
)
def test_versions_are_equal_by_each_registrys_rule(registry: RegistryName, one: str, other: str, same: bool) -> None:
    assert same_version(registry, one, other) is same


def test_wheels_of_other_platforms_builds_and_kinds_are_other_files() -> None:
    names = [X86, ARM, "tasker_py-0.1.9-1-cp39-abi3-macosx_11_0_arm64.whl", "tasker_py-0.1.9.tar.gz", "odd.whl"]
    assert len({identity(PYPI, name) for name in names}) == len(names)
    assert identity(PYPI, "Tasker.Py-0.1.9.tar.gz") == identity(PYPI, "tasker_py-0.1.9.0.tar.gz")


def test_a_conflict_says_whose_digest_is_which_where_it_came_from_and_the_way_out() -> None:
    text = str(
        conflict(CRATES, "t", "0.1.9", [Difference("t-0.1.9.crate", "aa", "bb", "https://x")], {"t-0.1.9.crate": "/s"})
    )
    assert "crates.io has bb (https://x), ours is aa (/s)" in text
    assert "raise the version" in text
