"""Trusted publishing end to end: signed ID tokens, the exchanges, and uploads with what they give."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse

from tasker_release_pipeline.loopback.names import canonical
from tasker_release_pipeline.loopback.server import LoopbackRegistries
from tasker_release_pipeline.loopback.storage import Storage
from tasker_release_pipeline.registries.client import client
from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.registries.endpoints import LIVE
from tasker_release_pipeline.registries.id_token import IdTokens
from tasker_release_pipeline.registries.publish import PublishResult, PublishStatus, publish
from tasker_release_pipeline.registries.sending import Patience
from tasker_release_pipeline.registries.trusted_publishing import Minted, TrustedPublishing
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError, RegistryError, ToolError, UnavailableError

from ..issuer import OWNER, REQUEST_TOKEN, Issuer, issuing
from . import packages
from .answers import answering
from .packages import Built

NAMES = {
    RegistryName.CRATES_IO: "tiny-base",
    RegistryName.RUBYGEMS: "tiny-rb",
    RegistryName.PYPI: "tiny-py",
    RegistryName.NPM: "@tiny-systems/tiny",
}


def crate(folder: Path, version: str = "0.1.9") -> Built:
    return packages.crates(folder, version=version)[0]


BUILD: dict[RegistryName, Callable[..., Built]] = {
    RegistryName.CRATES_IO: crate,
    RegistryName.RUBYGEMS: packages.gem,
    RegistryName.PYPI: packages.wheel,
    RegistryName.NPM: packages.npm_tarball,
}
EACH = pytest.mark.parametrize("registry", list(RegistryName))


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as issuer:
        yield issuer


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All tokens that are minted from now on."""
    given: list[str] = []
    mint = TrustedPublishing.mint

    def noting(self: TrustedPublishing, registry: RegistryName, name: str) -> Minted:
        minted = mint(self, registry, name)
        given.append(minted.token)
        return minted

    monkeypatch.setattr(TrustedPublishing, "mint", noting)
    return given


@pytest.fixture
def identity(registries: LoopbackRegistries, issuer: Issuer) -> Credentials:
    """What a job has that all four registries trust."""
    issuer.trusted(registries.root, *NAMES.items())
    return Credentials.from_environment(issuer.environment, registries.endpoints)


@pytest.fixture
def held(registries: LoopbackRegistries) -> LoopbackRegistries:
    """Registries that know all four names."""
    for registry, name in NAMES.items():
        older = {"name": name, "version": "0.1.8", "filename": "older", "created_at": "2026-01-01"}
        Storage(registries.root, registry).commit(canonical(registry, name), "0.1.8", older)
    return registries


def release(built: Built, registries: LoopbackRegistries, credentials: Credentials) -> PublishResult:
    return publish(
        client(built.registry, registries.endpoints), built.upload, built.artifacts, credentials,
        propagation_seconds=20, patience=Patience(settle=0.2),
    )  # fmt: skip


def with_token(registries: LoopbackRegistries) -> Credentials:
    return Credentials(dict.fromkeys(RegistryName, registries.token))


def needed(credentials: Credentials, registry: RegistryName, log: Callable[[str], None] = print) -> str:
    with credentials.for_package(registry, NAMES[registry], exists=lambda: True, log=log) as usable:
        return usable.needed(registry)


def minted(registries: LoopbackRegistries) -> list[Path]:
    return list((registries.root / "oidc").glob("minted/*"))


def leaks(secrets: list[str], *places: Path) -> list[Path]:
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    return [path for path in files if any(secret.encode() in path.read_bytes() for secret in secrets)]


@pytest.mark.toolchain
@EACH
def test_a_job_publishes_with_its_identity_alone_and_no_secret_stays_anywhere(
    tmp_path: Path,
    registries: LoopbackRegistries,
    identity: Credentials,
    issuer: Issuer,
    *,
    tokens: list[str],
    monkeypatch: pytest.MonkeyPatch,
    registry: RegistryName,
) -> None:
    build = BUILD[registry]
    release(build(tmp_path / "older", version="0.1.8"), registries, with_token(registries))
    built = build(tmp_path / "it", version="0.1.9")
    for name, value in issuer.environment.items():
        monkeypatch.setenv(name, value)  # in a job, too, nothing but a live release has provenance
    result = release(built, registries, identity)
    assert result.status is PublishStatus.PUBLISHED
    assert len(issuer.issued) == len(tokens) == 1

    secrets = [*issuer.issued, *tokens, REQUEST_TOKEN]
    assert not leaks(secrets, tmp_path / "it", registries.root)
    assert not [line for line in built.lines if any(secret in line for secret in secrets)]
    # What a command line had of a secret would be shown as ***.
    assert not [line for line in built.lines if line.startswith("$ ") and "***" in line]
    assert not [line for line in built.lines if "--provenance" in line]
    # Right before the upload: what comes before it (cargo packages once more) takes time.
    gave = next(at for at, line in enumerate(built.lines) if "gave a token to this job" in line)
    assert built.lines[gave + 1].startswith("$ ")
    assert [line for line in built.lines if line.startswith("$ ")][-1] == built.lines[gave + 1]
    # Only crates.io revokes; the others' end by themselves.
    assert bool(minted(registries)) is (registry is not RegistryName.CRATES_IO)

    # What is there already needs no token, so that none is minted.
    assert release(built, registries, identity).status is PublishStatus.ALREADY_PUBLISHED
    assert len(issuer.issued) == 1


@pytest.mark.toolchain
@EACH
def test_a_token_that_the_registry_refuses_at_the_upload_is_revoked_and_not_in_the_error(
    tmp_path: Path,
    registries: LoopbackRegistries,
    issuer: Issuer,
    tokens: list[str],
    registry: RegistryName,
) -> None:
    build = BUILD[registry]
    release(build(tmp_path / "older", version="0.1.8"), registries, with_token(registries))
    # It has expired by the time that it is used.
    issuer.trusted(registries.root, *NAMES.items(), lifetime=0)
    built = build(tmp_path / "it", version="0.1.9")
    with pytest.raises(ToolError, match="has nothing of it") as error:
        release(built, registries, Credentials.from_environment(issuer.environment, registries.endpoints))
    assert len(tokens) == 1
    secrets = [*issuer.issued, *tokens, REQUEST_TOKEN]
    for text in (str(error.value), *built.lines):
        assert not [secret for secret in secrets if secret in text]
    assert not leaks(secrets, tmp_path / "it")
    if registry is RegistryName.CRATES_IO:
        assert minted(registries) == []


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "audience": ({"aud": "somebody-else"}, "aud=somebody-else"),
    "owner": ({"repository": "a-fork/tasker-core", "repository_owner": "a-fork"}, ": a-fork  [repository_owner, its"),
    "repository": ({"repository": f"{OWNER}/other"}, ": other  [repository]"),
    "workflow": ({"workflow_ref": f"{OWNER}/tasker-core/.github/workflows/ci.yml@x"}, ": ci.yml  [workflow_ref]"),
    "environment": ({"environment": "staging"}, ": staging  [environment]"),
    "no environment": ({"environment": None}, ": (none: leave it empty)  [environment]"),
    "expired": ({"exp": int(time.time()) - 600}, "exp=20"),
}
FIELDS = {
    RegistryName.CRATES_IO: ("Repository owner", "Repository name", "Workflow filename", "Environment name"),
    RegistryName.RUBYGEMS: ("Repository owner", "Repository name", "Workflow filename", "Environment"),
    RegistryName.PYPI: ("Owner", "Repository name", "Workflow name", "Environment name"),
    RegistryName.NPM: ("Organization or user", "Repository", "Workflow filename", "Environment name"),
}


@EACH
def test_a_refusal_shows_each_claim_beside_the_field_to_compare_and_never_the_token(
    held: LoopbackRegistries, identity: Credentials, issuer: Issuer, registry: RegistryName
) -> None:
    for name, (says, shown) in REFUSALS.items():
        issuer.says = says
        with pytest.raises(RegistryError) as error:
            needed(identity, registry)
        message = str(error.value)
        assert shown in message, name
        assert f"trusted publisher of {NAMES[registry]}" in message
        assert all(f"  {field}: " in message for field in FIELDS[registry])
        assert "If " + NAMES[registry] + " was never published" in message
        for part in issuer.issued[-1].split("."):
            assert part not in message
    assert minted(held) == []


@EACH
@pytest.mark.usefixtures("held")
def test_a_replayed_id_token_is_refused_with_its_jti(
    identity: Credentials, issuer: Issuer, registry: RegistryName
) -> None:
    issuer.says = {"jti": "used-once"}
    needed(identity, registry)
    with pytest.raises(RegistryError, match="jti=used-once"):
        needed(identity, registry)


@pytest.mark.usefixtures("held")
def test_each_registry_has_its_own_audience(identity: Credentials, issuer: Issuer) -> None:
    for registry in RegistryName:
        needed(identity, registry)
    assert issuer.audiences == ["127.0.0.1", "127.0.0.1", "loopback-pypi", "npm:127.0.0.1"]


def test_the_public_registries_audiences_are_their_hosts() -> None:
    public = TrustedPublishing(LIVE, IdTokens("http://127.0.0.1:9", "unused"))
    asked = [public.audience(name) for name in RegistryName if name is not RegistryName.PYPI]
    assert asked == ["crates.io", "rubygems.org", "npm:registry.npmjs.org"]


@pytest.mark.usefixtures("held")
@EACH
def test_a_token_is_minted_once_and_again_when_half_its_life_is_over(
    identity: Credentials, issuer: Issuer, registry: RegistryName
) -> None:
    assert identity.trusted is not None
    now = [time.time()]
    clocked = replace(identity, trusted=replace(identity.trusted, clock=lambda: now[0]))
    with clocked.for_package(registry, NAMES[registry], exists=lambda: True, log=print) as usable:
        first = usable.needed(registry)
        # crates.io's live for half an hour, the others' for a quarter.
        half = 900 if registry is RegistryName.CRATES_IO else 450
        now[0] += half - 10
        assert usable.needed(registry) == first
        now[0] += 20
        second = usable.needed(registry)
        assert second != first
        assert {first, second} <= set(usable.secrets)
    assert len(issuer.issued) == 2


@pytest.mark.parametrize("build", [crate, packages.npm_tarball], ids=["crate", "npm"])
@pytest.mark.toolchain
def test_a_first_publish_that_no_identity_can_do_names_the_steps_that_can(
    tmp_path: Path, registries: LoopbackRegistries, identity: Credentials, issuer: Issuer, build: Callable[..., Built]
) -> None:
    with pytest.raises(InputError, match=r"never published on .* no trusted publisher create a .* revoke the token"):
        release(build(tmp_path / "it"), registries, identity)
    assert issuer.issued == []


def test_where_a_token_is_at_hand_no_identity_is_asked(registries: LoopbackRegistries, issuer: Issuer) -> None:
    issuer.trusted(registries.root, *NAMES.items())
    environment = {**issuer.environment, "CARGO_REGISTRY_TOKEN": registries.token}
    assert needed(Credentials.from_environment(environment, registries.endpoints), RegistryName.CRATES_IO)
    assert issuer.issued == []


def test_a_job_that_may_not_have_id_tokens_is_told_what_github_said(
    registries: LoopbackRegistries, issuer: Issuer
) -> None:
    environment = {**issuer.environment, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of-another-job"}
    with pytest.raises(RegistryError, match=r"GitHub gave no ID token for npm:127\.0\.0\.1: HTTP 401: not this job's"):
        needed(Credentials.from_environment(environment, registries.endpoints), RegistryName.NPM)


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        ({"message": "try later"}, 503, "HTTP 503: try later"),
        ({}, 200, "no token"),
        ({"token": ""}, 200, "no token"),
        ({}, 302, "HTTP 302"),
    ],
    ids=["down", "without a token", "with an empty one", "elsewhere"],
)
def test_an_answer_that_is_no_refusal_may_be_tried_again(
    registries: LoopbackRegistries, issuer: Issuer, answer: dict[str, str], status: int, words: str
) -> None:
    with answering() as answers:
        answers.give("/-/npm/v1/oidc/token/exchange/package/@tiny-systems%2ftiny", JSONResponse(answer, status))
        endpoints = registries.endpoints.model_copy(update={"npm": answers.url})
        with pytest.raises(UnavailableError, match=words) as error:
            needed(Credentials.from_environment(issuer.environment, endpoints), RegistryName.NPM)
    assert issuer.issued[0] not in str(error.value)


@pytest.mark.toolchain
def test_npm_is_asked_as_npm_itself_asks(registries: LoopbackRegistries, issuer: Issuer) -> None:
    with answering() as answers:
        answers.give("/-/npm/v1/oidc/token/exchange/package/@tiny-systems%2ftiny", JSONResponse({"token": "npm_1"}))
        endpoints = registries.endpoints.model_copy(update={"npm": answers.url})
        needed(Credentials.from_environment(issuer.environment, endpoints), RegistryName.NPM)
        (asked,) = answers.asked
    assert asked.headers["user-agent"].startswith("npm/")
    assert asked.headers["npm-command"] == "publish"
    assert asked.headers["content-length"] == "0"


def test_a_revocation_that_fails_is_said_and_fails_no_upload(registries: LoopbackRegistries, issuer: Issuer) -> None:
    lines: list[str] = []
    with answering() as answers:
        answers.give("/api/v1/trusted_publishing/tokens", JSONResponse({"token": "cio_tp_1"}))
        endpoints = registries.endpoints.model_copy(update={"cargo_api": answers.url})
        needed(Credentials.from_environment(issuer.environment, endpoints), RegistryName.CRATES_IO, lines.append)
    assert "could not be revoked, and expires by itself" in lines[-1]
    assert not [line for line in lines if "cio_tp_1" in line]
