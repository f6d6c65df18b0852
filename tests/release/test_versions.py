import pytest

from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.versions import (
    REGISTRY_STYLE,
    VersionStyle,
    legible,
    next_patch,
    parse,
    read,
    render,
)

from .building import version, versions

PYPI, RUBYGEMS, CRATES_IO, NPM = RegistryName.PYPI, RegistryName.RUBYGEMS, RegistryName.CRATES_IO, RegistryName.NPM
SPELLINGS = [
    ("0.1.9", "0.1.9", "0.1.9"),
    ("0.2.0-rc.1", "0.2.0rc1", "0.2.0.rc.1"),
    ("0.2.0-alpha.2", "0.2.0a2", "0.2.0.alpha.2"),
    ("1.0.0-beta.10", "1.0.0b10", "1.0.0.beta.10"),
]


@pytest.mark.parametrize(("semver", "pep440", "gem"), SPELLINGS)
def test_a_version_is_written_as_each_registry_writes_it_and_read_back(semver: str, pep440: str, gem: str) -> None:
    styles = {VersionStyle.SEMVER: semver, VersionStyle.PEP440: pep440, VersionStyle.GEM: gem}
    for style, text in styles.items():
        assert render(version(semver), style) == text
        assert read(text, style, "here") == version(semver)
    written = {name: render(semver, style) for name, style in REGISTRY_STYLE.items()}
    assert written == {CRATES_IO: semver, NPM: semver, PYPI: pep440, RUBYGEMS: gem}


@pytest.mark.parametrize("text", ["0.1.1.0", "0.1", "v0.1.9", "0.1.9+build.5", "0.01.0", "0.1.9-", "", "0.1.9\n"])
def test_what_is_no_semver_of_three_parts_is_refused_by_name(text: str) -> None:
    with pytest.raises(InputError, match=r"^VERSION: ") as refused:
        parse(text, "VERSION")
    assert repr(text) in str(refused.value)


def test_a_four_part_version_is_refused_in_every_style() -> None:
    for style in VersionStyle:
        with pytest.raises(InputError, match=r"version\.rb: '0\.1\.1\.0' is not a SemVer version with three parts"):
            read("0.1.1.0", style, "version.rb")


@pytest.mark.parametrize("text", ["0.2.0-dev.1", "0.2.0-rc1", "0.2.0-rc", "0.2.0-rc.1.2", "0.2.0-1"])
def test_a_pre_release_that_pypi_has_no_word_for_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"use alpha\.N, beta\.N or rc\.N"):
        render(text, VersionStyle.PEP440)


@pytest.mark.parametrize("text", ["0.2.0-1", "0.2.0-rc-1"])
def test_a_pre_release_that_would_be_another_version_as_a_gem_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="begin it with a letter and use no hyphen"):
        render(text, VersionStyle.GEM)
    assert render("0.2.0-dev.1", VersionStyle.GEM) == "0.2.0.dev.1"


def test_the_next_patch_of_a_release_is_one_more_and_of_a_pre_release_its_release() -> None:
    assert next_patch(version("0.1.9")) == version("0.1.10")
    assert next_patch(version("0.2.0-rc.1")) == version("0.2.0")


@pytest.mark.parametrize(
    ("registry", "held", "same"),
    [
        (PYPI, "0.1.1.0", "0.1.1"),
        (PYPI, "0.1.1.0.0", "0.1.1"),
        (PYPI, "0.2", "0.2.0"),
        (PYPI, "1", "1.0.0"),
        (PYPI, "v0.2.0", "0.2.0"),
        (PYPI, "0.2.0.0rc1", "0.2.0-rc.1"),
        (PYPI, "0.2.0-alpha1", "0.2.0-alpha.1"),
        (RUBYGEMS, "0.1.1.0", "0.1.1"),
        (RUBYGEMS, "0.2", "0.2.0"),
        (RUBYGEMS, "0.2.0.rc1", "0.2.0-rc.1"),
        (RUBYGEMS, "0.2.rc.1", "0.2.0-rc.1"),
    ],
)
def test_a_version_that_a_registry_takes_for_one_of_ours_counts_as_it(
    registry: RegistryName, held: str, same: str
) -> None:
    assert legible([held], registry) == [version(same)]


@pytest.mark.parametrize(
    ("registry", "held"),
    [
        (PYPI, ["0.1.1.1", "0.1.1.post1", "0.1.1.dev1", "1!0.1.1", "0.1.1+local", "nonsense"]),
        (RUBYGEMS, ["0.1.1.1", "0.1.1.1.rc.1", "nonsense"]),
        (CRATES_IO, ["0.1.1.0", "0.1"]),
        (NPM, ["0.1.1.0", "0.1"]),
    ],
)
def test_a_version_that_can_never_be_one_of_ours_is_left_out(registry: RegistryName, held: list[str]) -> None:
    assert legible([*held, "0.1.0"], registry) == [version("0.1.0")]


def test_versions_are_given_in_ascending_order_not_in_that_of_their_texts() -> None:
    assert tuple(legible(["0.1.10", "0.1.9", "0.2.0-rc.1"], CRATES_IO)) == versions("0.1.9 0.1.10 0.2.0-rc.1")
