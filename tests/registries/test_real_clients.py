"""cargo, gem, uv and npm upload tiny real packages to the loopback registries."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tasker_release_pipeline.loopback.server import LoopbackRegistries
from tasker_release_pipeline.registries.client import client
from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.registries.model import RegistryClient
from tasker_release_pipeline.registries.publish import PublishResult, PublishStatus, publish
from tasker_release_pipeline.registries.sending import Patience
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName
from tasker_release_pipeline.release.errors import ConflictError, InputError, ToolError

from . import packages
from .answers import losing_answers
from .packages import Built

pytestmark = pytest.mark.toolchain


def crate(folder: Path, text: str = "") -> Built:
    return packages.crates(folder, text)[0]


KINDS = pytest.mark.parametrize(
    "build", [crate, packages.gem, packages.wheel, packages.npm_tarball], ids=["crate", "gem", "wheel", "npm"]
)


def client_of(built: Built, registries: LoopbackRegistries) -> RegistryClient:
    return client(built.registry, registries.endpoints)


def release(built: Built, registries: LoopbackRegistries, credentials: Credentials) -> PublishResult:
    return publish(
        client_of(built, registries), built.upload, built.artifacts, credentials,
        propagation_seconds=20, patience=Patience(settle=0.5),
    )  # fmt: skip


@KINDS
def test_published_once_it_is_held_with_its_digest_and_a_second_run_sends_nothing(
    tmp_path: Path, registries: LoopbackRegistries, credentials: Credentials, build: Callable[[Path], Built]
) -> None:
    built = build(tmp_path / "it")
    client = client_of(built, registries)
    assert client.holdings(built.upload.name).versions == ()

    result = release(built, registries, credentials)

    assert result.status is PublishStatus.PUBLISHED
    assert result.uploaded == tuple(artifact.file for artifact in built.artifacts)
    assert result.seconds_upload > 0
    held = client.holdings(built.upload.name)
    assert held.versions == (built.upload.version,)
    (file,) = held.files
    assert (file.integrity or file.sha256) in (built.artifacts[0].sha256, built.artifacts[0].integrity)
    assert client.fetch(file) == built.upload.files[0].read_bytes()
    assert httpx.get(result.page, trust_env=False).status_code == 200

    commands = [line for line in built.lines if line.startswith("$ ")]
    again = release(built, registries, credentials)
    assert again.status is PublishStatus.ALREADY_PUBLISHED
    assert [line for line in built.lines if line.startswith("$ ")] == commands

    scratch = [path for path in built.upload.scratch.rglob("*") if path.is_file()]
    assert not [path for path in scratch if registries.token.encode() in path.read_bytes()]
    for text in (*built.lines, (tmp_path / "it" / "upload.log").read_text()):
        assert registries.token not in text


@KINDS
def test_other_bytes_under_the_same_version_are_a_conflict_that_names_both_digests(
    tmp_path: Path, registries: LoopbackRegistries, credentials: Credentials, build: Callable[..., Built]
) -> None:
    first, second = build(tmp_path / "first", "1"), build(tmp_path / "second", "22")
    release(first, registries, credentials)
    with pytest.raises(ConflictError) as error:
        release(second, registries, credentials)
    for built in (first, second):
        artifact = built.artifacts[0]
        assert (artifact.integrity if built.registry is RegistryName.NPM else artifact.sha256) in str(error.value)
    assert str(second.upload.files[0]) in str(error.value)
    assert not [line for line in second.lines if line.startswith("$ ")]


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (crate, "authentication failed"),
        (packages.gem, "Access Denied"),
        (packages.wheel, "Invalid or non-existent authentication"),
        (packages.npm_tarball, "401 Unauthorized"),
    ],
    ids=["crate", "gem", "wheel", "npm"],
)
def test_a_wrong_token_is_refused_in_the_registrys_own_words(
    tmp_path: Path, registries: LoopbackRegistries, build: Callable[[Path], Built], words: str
) -> None:
    built = build(tmp_path / "it")
    wrong = Credentials({built.registry: "a-wrong-token-0123456789"})
    with pytest.raises(ToolError, match=words) as error:
        release(built, registries, wrong)
    assert "has nothing of it" in str(error.value)
    for text in (str(error.value), *built.lines):
        assert "a-wrong-token" not in text


@KINDS
def test_an_upload_that_arrived_is_published_even_where_the_answer_is_lost(
    tmp_path: Path, registries: LoopbackRegistries, credentials: Credentials, build: Callable[[Path], Built]
) -> None:
    upstream = registries.endpoints.cargo_api.removesuffix("/cargo")
    built = build(tmp_path / "it")
    with losing_answers(upstream) as url:
        moved = {name: at.replace(upstream, url) for name, at in registries.endpoints}
        result = release(built, replace(registries, endpoints=Endpoints(**moved)), credentials)
    assert result.status is PublishStatus.PUBLISHED
    assert any("the upload failed (lost); asking" in line for line in built.lines)


@KINDS
def test_without_a_token_nothing_starts(
    tmp_path: Path, registries: LoopbackRegistries, build: Callable[[Path], Built]
) -> None:
    built = build(tmp_path / "it")
    with pytest.raises(InputError, match=f"no token for {built.registry}: set"):
        release(built, registries, Credentials())
    assert built.lines == []


def test_a_crate_that_depends_on_another_follows_it_with_the_bytes_it_was_proven_with(
    tmp_path: Path, registries: LoopbackRegistries, credentials: Credentials
) -> None:
    for built in packages.crates(tmp_path / "workspace"):
        result = release(built, registries, credentials)
        assert result.status is PublishStatus.PUBLISHED
    index = httpx.get(f"{registries.endpoints.cargo_index}/ti/ny/tiny-top", trust_env=False).text
    (dependency,) = json.loads(index)["deps"]
    assert (dependency["name"], dependency.get("registry")) == ("tiny-base", None)


def test_cargo_is_not_let_loose_where_it_would_send_other_bytes_than_those_proven(
    tmp_path: Path, registries: LoopbackRegistries, credentials: Credentials
) -> None:
    proven, other = crate(tmp_path / "proven", "proven"), crate(tmp_path / "other", "changed since")
    changed = packages.built(
        proven.registry, tmp_path, "tiny-base", "0.1.9", *proven.upload.files,
        source=other.upload.source, target_dir=tmp_path / "target",
    )  # fmt: skip
    with pytest.raises(ConflictError, match="Another cargo version can give other bytes") as error:
        release(changed, registries, credentials)
    for built in (proven, other):
        assert built.artifacts[0].sha256 in str(error.value)
    assert client_of(changed, registries).holdings("tiny-base").versions == ()


def test_only_the_missing_wheel_of_a_version_is_uploaded(
    tmp_path: Path, registries: LoopbackRegistries, credentials: Credentials
) -> None:
    platforms = ("manylinux_2_28_x86_64", "macosx_11_0_arm64")
    release(packages.wheel(tmp_path / "one", platforms=platforms[:1]), registries, credentials)
    both = packages.wheel(tmp_path / "both", platforms=platforms)
    result = release(both, registries, credentials)
    assert result.uploaded == (both.artifacts[1].file,)
    assert len(client_of(both, registries).holdings("tiny-py").files) == 2


def test_npm_moves_the_planned_tag_and_publishes_no_local_path(
    tmp_path: Path, registries: LoopbackRegistries, credentials: Credentials
) -> None:
    built = packages.npm_tarball(tmp_path / "it")
    release(built, registries, credentials)
    assert client_of(built, registries).holdings("@tiny-systems/tiny").tags["alpha"] == "0.1.9"
    packument = httpx.get(f"{registries.endpoints.npm}/@tiny-systems%2ftiny", trust_env=False).text
    assert str(tmp_path) not in packument


def test_a_gem_for_another_host_is_refused_on_loopback_as_in_earnest(
    tmp_path: Path, registries: LoopbackRegistries, credentials: Credentials
) -> None:
    built = packages.gem(tmp_path / "it", push_host="https://gems.example.org")
    with pytest.raises(ToolError, match=r"only allows .https://gems\.example\.org"):
        release(built, registries, credentials)


def test_a_client_that_is_too_slow_is_ended_and_what_it_did_is_asked(
    tmp_path: Path, registries: LoopbackRegistries, credentials: Credentials
) -> None:
    built = packages.wheel(tmp_path / "it").limited_to(0.001)
    try:
        ended = str(release(built, registries, credentials).status)
    except ToolError as error:
        ended = str(error)
    # A busy machine may end it later than it is done: then it is published, and nothing else.
    assert ended == str(PublishStatus.PUBLISHED) or "has nothing of it" in ended
    assert any("the upload failed" in line and "asking" in line for line in built.lines)
