"""Tokens come from the environment and are shown nowhere."""

import pytest

from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError


def test_tokens_are_read_by_name_and_an_empty_one_is_none() -> None:
    found = Credentials.from_environment({"CARGO_REGISTRY_TOKEN": "cio-1\n", "NPM_TOKEN": "", "OTHER": "x"})
    assert found.token(RegistryName.CRATES_IO) == "cio-1"
    assert found.token(RegistryName.NPM) is None
    assert found.secrets == ("cio-1",)


def test_a_missing_token_names_the_variable() -> None:
    with pytest.raises(InputError, match="no token for rubygems: set GEM_HOST_API_KEY"):
        Credentials().needed(RegistryName.RUBYGEMS)


def test_no_way_of_printing_them_shows_a_token() -> None:
    credentials = Credentials({RegistryName.NPM: "npm_secret"})
    for text in (repr(credentials), str(credentials), f"{credentials}"):
        assert "npm_secret" not in text
