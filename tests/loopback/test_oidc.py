"""Trusted publishing at the loopback registries, in plain HTTP: an ID token for a token that publishes."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tasker_release_pipeline.loopback import oidc
from tasker_release_pipeline.loopback.server import LoopbackRegistries, serve
from tasker_release_pipeline.release.endpoints import RegistryName

from ..issuer import Issuer, issuing
from .actions import ALL, CARGO, GEM, NPM, PYPI, Actions

EACH = pytest.mark.parametrize("actions", ALL, ids=lambda actions: actions.registry)
AUDIENCES = {
    RegistryName.CRATES_IO: "127.0.0.1",
    RegistryName.RUBYGEMS: "127.0.0.1",
    RegistryName.PYPI: oidc.PYPI_AUDIENCE,
    RegistryName.NPM: "npm:127.0.0.1",
}


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as issuer:
        yield issuer


@pytest.fixture
def held(registries: LoopbackRegistries, client: httpx.Client) -> LoopbackRegistries:
    """Registries that have a first version of the package `one`."""
    for actions in ALL:
        actions.publish(client, registries, "0.9.0").raise_for_status()
    return registries


def exchange(client: httpx.Client, to: LoopbackRegistries, registry: RegistryName, jwt: str) -> httpx.Response:
    at = to.endpoints
    bearer = {"authorization": f"Bearer {jwt}"}
    return {
        RegistryName.CRATES_IO: lambda: client.post(
            f"{at.cargo_api}/api/v1/trusted_publishing/tokens", json={"jwt": jwt}
        ),
        RegistryName.RUBYGEMS: lambda: client.post(
            f"{at.rubygems}/api/v1/oidc/trusted_publisher/exchange_token", json={"jwt": jwt}
        ),
        RegistryName.PYPI: lambda: client.post(f"{at.pypi}/_/oidc/mint-token", json={"token": jwt}),
        RegistryName.NPM: lambda: client.post(
            f"{at.npm}/-/npm/v1/oidc/token/exchange/package/one", headers=bearer
        ),
    }[registry]()  # fmt: skip


def minted(client: httpx.Client, to: LoopbackRegistries, registry: RegistryName, issuer: Issuer) -> str:
    answer = exchange(client, to, registry, issuer.sign(AUDIENCES[registry])).raise_for_status().json()
    return answer.get("token") or answer["rubygems_api_key"]


@EACH
def test_the_right_id_token_gives_a_token_that_publishes_its_own_package(
    held: LoopbackRegistries, client: httpx.Client, issuer: Issuer, actions: Actions
) -> None:
    issuer.trusted(held.root, (actions.registry, "one"))
    token = minted(client, held, actions.registry, issuer)
    assert actions.publish(client, replace(held, token=token), "1.0.0").is_success
    assert actions.held(client, held) == ["0.9.0", "1.0.0"]


@EACH
def test_a_token_of_one_package_publishes_no_other(
    held: LoopbackRegistries, client: httpx.Client, issuer: Issuer, actions: Actions
) -> None:
    issuer.trusted(held.root, (actions.registry, "one"))
    token = minted(client, held, actions.registry, issuer)
    issuer.trusted(held.root)
    path = next((held.root / "oidc" / "minted").iterdir())
    path.write_text(path.read_text().replace('"one"', '"another"'))
    answer = actions.publish(client, replace(held, token=token), "1.0.0")
    assert answer.status_code == 403
    assert actions.held(client, held) == ["0.9.0"]


MISMATCHES: dict[str, dict[str, Any]] = {
    "audience": {"aud": "somebody-else"},
    "issuer": {"iss": "https://another.example"},
    "expired": {"exp": 1_700_000_000},
    "no jti": {"jti": None},
    "repository": {"repository": "a-fork/tasker-core"},
    "workflow": {"workflow_ref": "tasker-systems/tasker-core/.github/workflows/ci.yml@refs/heads/main"},
    "environment": {"environment": "staging"},
    "no environment": {"environment": None},
}


@EACH
def test_an_id_token_that_does_not_match_gets_nothing(
    held: LoopbackRegistries, client: httpx.Client, issuer: Issuer, actions: Actions
) -> None:
    issuer.trusted(held.root, (actions.registry, "one"))
    for name, says in MISMATCHES.items():
        issuer.says = says
        answer = exchange(client, held, actions.registry, issuer.sign(AUDIENCES[actions.registry]))
        assert answer.status_code in (400, 401, 404, 422), name
        assert not (held.root / "oidc" / "minted").exists(), name


@EACH
def test_an_id_token_is_good_for_one_exchange(
    held: LoopbackRegistries, client: httpx.Client, issuer: Issuer, actions: Actions
) -> None:
    issuer.trusted(held.root, (actions.registry, "one"))
    jwt = issuer.sign(AUDIENCES[actions.registry])
    assert exchange(client, held, actions.registry, jwt).is_success
    assert exchange(client, held, actions.registry, jwt).is_client_error


@EACH
def test_a_signature_of_somebody_else_gets_nothing(
    held: LoopbackRegistries, client: httpx.Client, issuer: Issuer, actions: Actions
) -> None:
    issuer.trusted(held.root, (actions.registry, "one"))
    head, claims, signature = issuer.sign(AUDIENCES[actions.registry]).split(".")
    forged = f"{head}.{claims}.{signature[:-8] + signature[-8:][::-1]}"
    assert exchange(client, held, actions.registry, forged).is_client_error


@pytest.mark.parametrize("actions", [CARGO, NPM], ids=["crates_io", "npm"])
def test_a_package_that_does_not_exist_has_no_trusted_publisher(
    registries: LoopbackRegistries, client: httpx.Client, issuer: Issuer, actions: Actions
) -> None:
    issuer.trusted(registries.root, (actions.registry, "one"))
    answer = exchange(client, registries, actions.registry, issuer.sign(AUDIENCES[actions.registry]))
    assert answer.status_code in (400, 404)


@pytest.mark.parametrize("actions", [GEM, PYPI], ids=["rubygems", "pypi"])
def test_a_pending_publisher_may_publish_the_first_version(
    registries: LoopbackRegistries, client: httpx.Client, issuer: Issuer, actions: Actions
) -> None:
    issuer.trusted(registries.root, (actions.registry, "one"))
    token = minted(client, registries, actions.registry, issuer)
    assert actions.publish(client, replace(registries, token=token), "1.0.0").is_success


@EACH
def test_an_expired_token_publishes_nothing(
    held: LoopbackRegistries, client: httpx.Client, issuer: Issuer, actions: Actions
) -> None:
    issuer.trusted(held.root, (actions.registry, "one"), lifetime=0)
    token = minted(client, held, actions.registry, issuer)
    assert actions.publish(client, replace(held, token=token), "1.0.0").status_code in (401, 403)
    assert actions.held(client, held) == ["0.9.0"]


def test_crates_io_revokes_a_token_once(held: LoopbackRegistries, client: httpx.Client, issuer: Issuer) -> None:
    issuer.trusted(held.root, (RegistryName.CRATES_IO, "one"))
    token = minted(client, held, RegistryName.CRATES_IO, issuer)
    url = f"{held.endpoints.cargo_api}/api/v1/trusted_publishing/tokens"
    statuses = [client.delete(url, headers={"authorization": f"Bearer {token}"}).status_code for _ in range(2)]
    assert statuses == [204, 401]
    assert CARGO.publish(client, replace(held, token=token), "1.0.0").status_code == 403


def test_crates_io_says_which_field_does_not_match(
    held: LoopbackRegistries, client: httpx.Client, issuer: Issuer
) -> None:
    issuer.trusted(held.root, (RegistryName.CRATES_IO, "one"))
    for name, words in {
        "audience": "Failed to decode JWT",
        "repository": "No Trusted Publishing config found for repository `a-fork/tasker-core`",
        "workflow": "does not match the workflow filename `ci.yml`",
        "environment": "does not match the environment `staging`",
        "no environment": "requires an environment",
    }.items():
        issuer.says = MISMATCHES[name]
        answer = exchange(client, held, RegistryName.CRATES_IO, issuer.sign("127.0.0.1"))
        assert words in answer.json()["errors"][0]["detail"]


def test_where_nobody_is_trusted_no_id_token_is_taken(
    held: LoopbackRegistries, client: httpx.Client, issuer: Issuer
) -> None:
    for actions in ALL:
        answer = exchange(client, held, actions.registry, issuer.sign(AUDIENCES[actions.registry]))
        assert answer.is_client_error


def test_every_server_over_a_folder_takes_what_another_minted(
    held: LoopbackRegistries, client: httpx.Client, issuer: Issuer
) -> None:
    issuer.trusted(held.root, (RegistryName.PYPI, "one"))
    token = minted(client, held, RegistryName.PYPI, issuer)
    with serve(held.root, reserved={}) as other:
        assert PYPI.publish(client, replace(other, token=token), "1.0.0").is_success
    kept = [path.read_text() for path in (held.root / "oidc").rglob("*") if path.is_file()]
    assert not [text for text in kept if token in text or issuer.issued[0] in text]


@pytest.mark.parametrize(
    ("url", "known", "unknown"),
    [
        (lambda at: f"{at.cargo_api}/api/v1/me", 403, 403),
        (lambda at: f"{at.rubygems}/api/v1/gems.json", 403, 401),
    ],
    ids=["crates_io", "rubygems"],
)
def test_a_registry_says_whether_it_knows_a_token(
    registries: LoopbackRegistries, client: httpx.Client, url: Callable[..., str], known: int, unknown: int
) -> None:
    answers = [
        client.get(url(registries.endpoints), headers={"authorization": token}) for token in (registries.token, "wrong")
    ]
    assert [answer.status_code for answer in answers] == [known, unknown]
    assert answers[0].text != answers[1].text
