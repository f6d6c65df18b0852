"""Where credentials come from: tokens from the environment, or a GitHub job's identity; and they are shown nowhere."""

import pytest

from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.registries.endpoints import LIVE
from tasker_release_pipeline.registries.npm import provenance
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName
from tasker_release_pipeline.release.errors import InputError

TOKENS = {
    "CARGO_REGISTRY_TOKEN": "cio-1",
    "GEM_HOST_API_KEY": "rubygems_1",
    "UV_PUBLISH_TOKEN": "pypi-1",
    "NPM_TOKEN": "npm_1",
}
JOB = {"GITHUB_ACTIONS": "true"}
IDENTITY = {
    **JOB,
    "ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1:9/token?api-version=2.0",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "asks-for-id-tokens",
}


def test_tokens_are_read_by_name_and_an_empty_one_is_none() -> None:
    found = Credentials.from_environment({"CARGO_REGISTRY_TOKEN": "cio-1\n", "NPM_TOKEN": "", "OTHER": "x"})
    assert found.token(RegistryName.CRATES_IO) == "cio-1"
    assert found.token(RegistryName.NPM) is None
    assert found.secrets == ("cio-1",)


def test_pypis_token_may_come_by_maturins_name_and_uvs_own_wins() -> None:
    assert Credentials.from_environment({"MATURIN_PYPI_TOKEN": "pypi-m"}).token(RegistryName.PYPI) == "pypi-m"
    both = Credentials.from_environment({"MATURIN_PYPI_TOKEN": "pypi-m", "UV_PUBLISH_TOKEN": "pypi-u"})
    assert both.token(RegistryName.PYPI) == "pypi-u"


@pytest.mark.parametrize(
    ("environment", "by_token", "by_identity"),
    [
        ({}, "", ""),
        (TOKENS, "crates_io rubygems pypi npm", ""),
        ({**TOKENS, **JOB}, "crates_io rubygems", ""),
        ({**TOKENS, **IDENTITY}, "crates_io rubygems", "pypi npm"),
        (IDENTITY, "", "crates_io rubygems pypi npm"),
        # What looks like a job's identity outside of a job is none.
        ({**IDENTITY, "GITHUB_ACTIONS": ""}, "", ""),
    ],
    ids=["nothing", "tokens outside", "tokens in a job", "tokens and identity", "identity", "no job"],
)
def test_each_registry_has_its_way_in(environment: dict[str, str], by_token: str, by_identity: str) -> None:
    found = Credentials.from_environment(environment)
    assert [name for name in RegistryName if found.token(name)] == by_token.split()
    assert [name for name in RegistryName if found.is_trusted(name)] == by_identity.split()
    assert [name for name in RegistryName if found.has(name)] == [*by_token.split(), *by_identity.split()]


def test_a_missing_token_names_the_variable() -> None:
    with pytest.raises(InputError, match="no token for rubygems: set GEM_HOST_API_KEY"):
        Credentials().needed(RegistryName.RUBYGEMS)


@pytest.mark.parametrize(
    ("registry", "words"),
    [
        (RegistryName.PYPI, "`permissions: id-token: write` and `environment: pypi` .UV_PUBLISH_TOKEN counts outside"),
        (RegistryName.CRATES_IO, "CARGO_REGISTRY_TOKEN in the job's environment, or for trusted publishing .*id-token"),
    ],
)
def test_in_a_job_without_an_identity_the_permission_is_named(registry: RegistryName, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Credentials.from_environment({**JOB, "UV_PUBLISH_TOKEN": "pypi-1"}).needed(registry)


def test_no_way_of_printing_them_shows_a_secret() -> None:
    credentials = Credentials.from_environment({**IDENTITY, "CARGO_REGISTRY_TOKEN": "cio-secret"})
    assert set(credentials.secrets) == {"cio-secret", "asks-for-id-tokens"}
    for text in (repr(credentials), str(credentials), f"{credentials}", repr(credentials.trusted)):
        assert "cio-secret" not in text
        assert "asks-for-id-tokens" not in text


def test_provenance_is_for_live_releases_of_a_job_with_an_identity_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    rehearsal = Endpoints(**dict.fromkeys(Endpoints.model_fields, "http://127.0.0.1:9"))
    for name in IDENTITY:
        monkeypatch.delenv(name, raising=False)
    assert provenance(LIVE) == []
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert provenance(LIVE) == []
    for name, value in IDENTITY.items():
        monkeypatch.setenv(name, value)
    assert provenance(LIVE) == ["--provenance"]
    assert provenance(rehearsal) == []
