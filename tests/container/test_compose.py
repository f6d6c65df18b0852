"""compose.yaml: what its schema allows, and what a team may rely on."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tasker_release_pipeline.release.environment import VARIABLES
from tasker_release_pipeline.release.publish_from import exposed
from tests.container.compose import COMPOSE, health_check, services

GIVEN = {"POSTGRES_PASSWORD": "given", "TASKER_SOURCE_URL": "https://source.invalid/tasker.git"}
OURS = ("code", "webserver", "daemon", "viewer")


def test_the_schema_of_compose_files_allows_it(tmp_path: Path) -> None:
    # The schema of compose-spec, as check-jsonschema carries it.
    checker = [str(Path(sys.executable).with_name("check-jsonschema")), "--builtin-schema", "vendor.compose-spec"]
    ended = subprocess.run([*checker, COMPOSE], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
    wrong = tmp_path / "compose.yaml"
    wrong.write_text(COMPOSE.read_text().replace("healthcheck:", "health_check:"))
    assert subprocess.run([*checker, wrong], capture_output=True, check=False).returncode == 1


def test_only_the_hosts_loopback_sees_it() -> None:
    published = [port for service in services(GIVEN).values() for port in service.get("ports", ())]
    assert published == ["127.0.0.1:3000:3000", "127.0.0.1:3001:3000"]


def test_the_latch_is_closed_unless_it_is_opened_by_name() -> None:
    for name in OURS:
        assert services(GIVEN)[name]["environment"]["RELEASE_DRY_RUN"] == "true"
        opened = services({**GIVEN, "RELEASE_DRY_RUN": "false"})[name]
        assert opened["environment"]["RELEASE_DRY_RUN"] == "false"


def test_rehearsals_are_on_unless_they_are_switched_off() -> None:
    assert services(GIVEN)["code"]["environment"]["TASKER_RELEASE_REHEARSALS"] == "on"
    off = services({**GIVEN, "TASKER_RELEASE_REHEARSALS": "off"})["code"]
    assert off["environment"]["TASKER_RELEASE_REHEARSALS"] == "off"


def test_an_open_latch_behind_this_web_server_is_warned_of() -> None:
    environment = services({**GIVEN, "RELEASE_DRY_RUN": "false"})["code"]["environment"]
    assert "listens on 0.0.0.0" in (exposed(environment) or "")
    assert exposed(services(GIVEN)["code"]["environment"]) is None


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_what_has_to_be_set_is_asked_for(name: str) -> None:
    with pytest.raises(KeyError, match=f"{name}: set it in .env"):
        services({key: value for key, value in GIVEN.items() if key != name})


def test_no_secret_stands_in_the_file() -> None:
    file: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    for service in file["services"].values():
        for name, value in service["environment"].items():
            is_secret = any(word in name for word in ("PASSWORD", "TOKEN", "KEY", "POSTGRES_URL"))
            assert not is_secret or "${POSTGRES_PASSWORD:?" in value, name


def test_every_variable_of_the_file_is_in_the_table_of_settings() -> None:
    names = {name for service in services(GIVEN).values() for name in service["environment"]}
    servers_own = {"POSTGRES_USER", "POSTGRES_DB"}
    assert names - servers_own <= {variable.name for variable in VARIABLES}


def test_whatever_runs_on_is_asked_how_it_is_and_comes_back() -> None:
    for name, service in services(GIVEN).items():
        if name == "source":
            assert service["restart"] == "no"
            continue
        assert service["restart"] == "unless-stopped"
        assert health_check(service)


def test_what_is_kept_lies_in_named_volumes() -> None:
    named = set(yaml.safe_load(COMPOSE.read_text())["volumes"])
    used = {volume.split(":")[0] for service in services(GIVEN).values() for volume in service["volumes"]}
    assert used == named


def test_no_container_of_ours_may_gain_rights() -> None:
    for name in (*OURS, "source"):
        service = services(GIVEN)[name]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service
        assert not any("docker.sock" in volume for volume in service["volumes"])


def test_the_rehearsals_of_every_night_are_on() -> None:
    assert services(GIVEN)["daemon"]["environment"]["TASKER_RELEASE_REHEARSALS"] == "on"
