from typing import Any

import pytest

from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.settings import (
    LATCH,
    Mode,
    OnDuplicate,
    Registries,
    Settings,
    check_release_key,
    resolve,
)

OFF = {LATCH: "false"}
ENVIRONMENT = {"TASKER_RELEASE_SOURCE": "/environment"}
REMEMBERED = Settings(source="/remembered", manifest="tasker-ctl")


def test_without_anything_a_release_is_a_dry_run_on_live_registries() -> None:
    settings = resolve({}, {})
    assert settings == Settings()
    assert (settings.source, settings.manifest, settings.from_ref) == (".", "tasker", "")
    assert (settings.on_duplicate, settings.registries) == (OnDuplicate.WARN, Registries.LIVE)
    assert settings.mode is Mode.DRY_RUN


def test_the_run_config_wins_over_environment_memory_and_default() -> None:
    assert resolve({"source": "/config"}, ENVIRONMENT, REMEMBERED).source == "/config"
    assert resolve({"source": None}, ENVIRONMENT, REMEMBERED).source == "/environment"
    assert resolve({}, {"TASKER_RELEASE_SOURCE": ""}, REMEMBERED).source == "/remembered"
    assert resolve({}, {}, None).source == "."


def test_each_setting_is_settled_on_its_own() -> None:
    settings = resolve({"on_duplicate": "fail"}, ENVIRONMENT, REMEMBERED)
    assert (settings.source, settings.manifest, settings.on_duplicate) == (
        "/environment",
        "tasker-ctl",
        OnDuplicate.FAIL,
    )


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("manifest", "tasker-ctl", "tasker-ctl"),
        ("on_duplicate", "skip", OnDuplicate.SKIP),
        ("from_ref", "v0.1.8", "v0.1.8"),
        ("registries", "rehearsal", Registries.REHEARSAL),
    ],
)
def test_each_setting_can_come_from_the_environment(name: str, text: str, value: object) -> None:
    assert getattr(resolve({}, {f"TASKER_RELEASE_{name.upper()}": text}), name) == value


def test_an_empty_from_ref_in_the_run_config_takes_a_remembered_one_back() -> None:
    assert resolve({"from_ref": ""}, {}, Settings(from_ref="v0.1.0")).from_ref == ""


@pytest.mark.parametrize("latch", [{}, {LATCH: ""}, {LATCH: "true"}, {LATCH: "TRUE"}, {LATCH: "1"}])
def test_the_latch_forces_a_dry_run_on_live_registries_and_counts_as_true_unless_it_says_false(
    latch: dict[str, str],
) -> None:
    config = {"dry_run": False, "registries": "live"}
    assert resolve(config, latch).mode is Mode.DRY_RUN
    assert resolve({}, {**latch, "TASKER_RELEASE_DRY_RUN": "false"}).mode is Mode.DRY_RUN
    assert resolve({}, latch, Settings(dry_run=False)).mode is Mode.DRY_RUN


@pytest.mark.parametrize("latch", [{}, {LATCH: "true"}, {LATCH: "nonsense"}])
def test_the_latch_does_not_hold_a_rehearsal(latch: dict[str, str]) -> None:
    assert resolve({"dry_run": False, "registries": "rehearsal"}, latch).mode is Mode.REHEARSAL


@pytest.mark.parametrize("latch", ["false", "False", "0", "no"])
def test_with_the_latch_off_going_live_still_has_to_be_asked_for(latch: str) -> None:
    assert resolve({}, {LATCH: latch}).mode is Mode.DRY_RUN
    assert resolve({"dry_run": False}, {LATCH: latch}).mode is Mode.LIVE


def test_an_illegible_latch_is_refused() -> None:
    with pytest.raises(InputError, match="RELEASE_DRY_RUN: 'off' is neither true nor false"):
        resolve({}, {LATCH: "off"})


@pytest.mark.parametrize(
    ("config", "environment", "said"),
    [
        ({"on_duplicate": "maybe"}, {}, r"settings\.on_duplicate: 'maybe' is none of skip, warn, fail"),
        ({}, {"TASKER_RELEASE_ON_DUPLICATE": "maybe"}, r"TASKER_RELEASE_ON_DUPLICATE: 'maybe' is none of skip, warn"),
        ({"registries": "prod"}, {}, r"settings\.registries: 'prod' is none of live, rehearsal"),
        ({"dry_run": "maybe"}, {}, r"settings\.dry_run: 'maybe' is neither true nor false"),
        ({}, {"TASKER_RELEASE_DRY_RUN": "maybe"}, r"TASKER_RELEASE_DRY_RUN: 'maybe' is neither true nor false"),
        ({"sauce": "."}, {}, r"settings: 'sauce' is no setting; there are source, manifest, dry_run"),
    ],
)
def test_a_wrong_setting_is_refused_by_the_name_of_where_it_stands(
    config: dict[str, Any], environment: dict[str, str], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        resolve(config, environment)


LIVE, REHEARSAL = Settings(), Settings(registries=Registries.REHEARSAL)


@pytest.mark.parametrize("release", ["v0.1.9", "v0.2.0-rc.1", "release-20260208-1828"])
def test_a_releases_key_goes_with_live_registries_alone(release: str) -> None:
    check_release_key(release, LIVE)
    with pytest.raises(InputError, match=rf"release {release}: a release's key with `registries: rehearsal`; name it"):
        check_release_key(release, REHEARSAL)


def test_a_rehearsals_key_goes_with_rehearsal_registries_alone() -> None:
    check_release_key("rehearsal-20260301-0300", REHEARSAL)
    with pytest.raises(InputError, match=r"rehearsal-20260301-0300: a rehearsal's key with `registries: live`; set"):
        check_release_key("rehearsal-20260301-0300", LIVE)


@pytest.mark.parametrize(
    "release", ["", "main", "0.1.9", "release-", "rehearsal-", "release-1/2", "release-../x", "v0.1.9\n"]
)
def test_a_key_that_names_no_release_is_refused(release: str) -> None:
    with pytest.raises(InputError, match=r"a release is named by its tag, like v0\.1\.9 or release-20260208-1828"):
        check_release_key(release, LIVE)


@pytest.mark.parametrize("release", ["v0.1", "v0.1.1.0", "v1/../2", "vendor", "v0.1.9+build"])
def test_a_version_key_has_to_be_semver(release: str) -> None:
    with pytest.raises(InputError, match=rf"release {release.replace('+', '.')}: "):
        check_release_key(release, LIVE)
