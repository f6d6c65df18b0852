"""Publishing, step by step: wheels go to the loopback PyPI by hand, so that failures can be put anywhere."""

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from starlette.responses import PlainTextResponse

from tasker_release_pipeline.loopback.server import LoopbackRegistries
from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.registries.model import Holdings, Upload
from tasker_release_pipeline.registries.publish import PublishResult, PublishStatus, publish
from tasker_release_pipeline.registries.pypi import PyPIClient
from tasker_release_pipeline.release.artifact import Artifact
from tasker_release_pipeline.release.errors import (
    ConflictError,
    InputError,
    NotVisibleError,
    ReleaseError,
    ToolError,
    UnavailableError,
)

from . import packages
from .answers import Answers, answering, json_answer
from .packages import Built

LINUX, MAC, WINDOWS = "manylinux_2_28_x86_64", "macosx_11_0_arm64", "win_amd64"
FAILED = ToolError("the tool failed: connection reset")


class ByHand(PyPIClient):
    """Uploads by plain HTTP: the first `arrive` files only, and then fails with `error`."""

    def __init__(self, registries: LoopbackRegistries, arrive: int = 99, error: ReleaseError | None = None) -> None:
        super().__init__(registries.endpoints)
        self.token, self.arrive, self.error = registries.token, arrive, error
        self.sent: list[str] = []

    def upload(self, upload: Upload, credentials: Credentials) -> None:  # noqa: ARG002
        for path in upload.files[: self.arrive]:
            post(self.endpoints.pypi_upload, path, self.token)
            self.sent.append(path.name)
        if self.error is not None:
            raise self.error


def post(url: str, path: Path, token: str) -> None:
    content = path.read_bytes()
    name, version = path.name.split("-")[:2]
    form = {
        ":action": "file_upload", "protocol_version": "1", "name": name, "version": version,
        "filetype": "bdist_wheel", "pyversion": "py3", "sha256_digest": hashlib.sha256(content).hexdigest(),
    }  # fmt: skip
    with httpx.Client(trust_env=False) as client:
        answer = client.post(url, data=form, files={"content": (path.name, content)}, auth=("__token__", token))
    assert answer.status_code == 200, answer.text


def release(client: PyPIClient, built: Built, propagation_seconds: float = 5) -> PublishResult:
    return publish(
        client, built.upload, built.artifacts, Credentials(), propagation_seconds=propagation_seconds,
        settle_seconds=0.1,
    )  # fmt: skip


@pytest.fixture
def server() -> Iterator[Answers]:
    with answering() as answers:
        yield answers


def test_what_is_absent_is_uploaded_and_then_it_is_already_there(
    tmp_path: Path, registries: LoopbackRegistries
) -> None:
    client, built = ByHand(registries), packages.wheel(tmp_path / "it", platforms=(LINUX, MAC))
    first = release(client, built)
    assert (first.status, list(first.uploaded)) == (PublishStatus.PUBLISHED, client.sent)
    second = release(client, built)
    assert (second.status, second.uploaded) == (PublishStatus.ALREADY_PUBLISHED, ())
    assert client.sent == [path.name for path in built.upload.files]


def test_a_failed_upload_that_arrived_all_the_same_is_published(tmp_path: Path, registries: LoopbackRegistries) -> None:
    built = packages.wheel(tmp_path / "it")
    assert release(ByHand(registries, error=FAILED), built).status is PublishStatus.PUBLISHED
    assert any("asking PyPI whether it arrived" in line for line in built.lines)


def test_a_failed_upload_that_did_not_arrive_fails_with_the_tools_words(
    tmp_path: Path, registries: LoopbackRegistries
) -> None:
    with pytest.raises(ToolError, match=r"PyPI has nothing of it.*connection reset"):
        release(ByHand(registries, arrive=0, error=FAILED), packages.wheel(tmp_path / "it"))


def test_an_upload_that_broke_off_names_what_is_missing_and_is_taken_up_there(
    tmp_path: Path, registries: LoopbackRegistries
) -> None:
    built = packages.wheel(tmp_path / "it", platforms=(LINUX, MAC, WINDOWS))
    names = [path.name for path in built.upload.files]
    with pytest.raises(ToolError, match=f"all but {names[2]}"):
        release(ByHand(registries, arrive=2, error=FAILED), built)
    again = ByHand(registries)
    assert release(again, built).uploaded == (names[2],)
    assert again.sent == [names[2]]


def test_two_runs_at_once_both_end_well_with_one_content(tmp_path: Path, registries: LoopbackRegistries) -> None:
    built = packages.wheel(tmp_path / "it")
    results: list[PublishStatus] = []
    threads = [
        threading.Thread(target=lambda: results.append(release(ByHand(registries), built).status)) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2


def test_a_rival_that_was_quicker_with_other_bytes_is_a_conflict(
    tmp_path: Path, registries: LoopbackRegistries
) -> None:
    mine, theirs = packages.wheel(tmp_path / "mine", "1"), packages.wheel(tmp_path / "theirs", "22")

    class Overtaken(ByHand):
        def upload(self, upload: Upload, credentials: Credentials) -> None:
            super().upload(replace(upload, files=theirs.upload.files), credentials)

    with pytest.raises(ConflictError) as error:
        release(Overtaken(registries, error=FAILED), mine)
    for built in (mine, theirs):
        assert built.artifacts[0].sha256 in str(error.value)


def test_what_could_not_be_asked_stops_before_anything_is_sent(tmp_path: Path, registries: LoopbackRegistries) -> None:
    client = ByHand(registries)
    client.endpoints = registries.endpoints.model_copy(update={"pypi": "http://127.0.0.1:1"})
    with pytest.raises(UnavailableError):
        release(client, packages.wheel(tmp_path / "it"))
    assert client.sent == []


def test_a_failed_upload_whose_fate_can_not_be_asked_is_unknown_not_failed(
    tmp_path: Path, registries: LoopbackRegistries
) -> None:
    class CutOff(ByHand):
        def upload(self, upload: Upload, credentials: Credentials) -> None:  # noqa: ARG002
            self.endpoints = self.endpoints.model_copy(update={"pypi": "http://127.0.0.1:1"})
            raise FAILED

    with pytest.raises(UnavailableError, match=r"whether it arrived is unknown.*connection reset"):
        release(CutOff(registries), packages.wheel(tmp_path / "it"))


def test_digests_that_the_registry_does_not_state_are_taken_from_its_files(
    tmp_path: Path, registries: LoopbackRegistries
) -> None:
    class Silent(ByHand):
        def holdings(self, name: str) -> Holdings:
            held = super().holdings(name)
            files = tuple(f.model_copy(update={"sha256": None}) for f in held.files)
            return held.model_copy(update={"files": files})

    one, other = packages.wheel(tmp_path / "one", "1"), packages.wheel(tmp_path / "other", "22")
    assert release(Silent(registries), one).status is PublishStatus.PUBLISHED
    assert release(Silent(registries), one).status is PublishStatus.ALREADY_PUBLISHED
    with pytest.raises(ConflictError):
        release(Silent(registries), other)


def test_a_file_that_was_changed_since_the_gate_is_not_uploaded(tmp_path: Path, registries: LoopbackRegistries) -> None:
    client, built = ByHand(registries), packages.wheel(tmp_path / "it")
    built.upload.files[0].write_bytes(b"something else")
    with pytest.raises(InputError, match=built.artifacts[0].sha256):
        release(client, built)
    built.upload.files[0].unlink()
    with pytest.raises(InputError, match="missing in the store"):
        release(client, built)
    assert client.sent == []


def test_files_and_artifacts_must_be_the_same_ones(tmp_path: Path, registries: LoopbackRegistries) -> None:
    built = packages.wheel(tmp_path / "it", platforms=(LINUX, MAC))
    for files, artifacts in ((built.upload.files[:1], built.artifacts), ((), ())):
        with pytest.raises(InputError, match="asked to upload"):
            release(ByHand(registries), replace(built, upload=replace(built.upload, files=files), artifacts=artifacts))


def page_with(*artifacts: Artifact) -> dict[str, object]:
    files = [{"filename": a.file, "url": f"/f/{a.file}", "hashes": {"sha256": a.sha256}} for a in artifacts]
    return {"meta": {"api-version": "1.1"}, "files": files}


def test_an_index_is_waited_for_until_it_serves_all_files(tmp_path: Path, server: Answers) -> None:
    built = packages.wheel(tmp_path / "it", platforms=(LINUX, MAC))
    one, two = built.artifacts
    server.give(
        "/simple/tiny-py/",
        PlainTextResponse("", 404),
        json_answer(page_with(one)),
        json_answer(page_with(one, two)),
    )
    lines: list[str] = []
    digests = {artifact.file: artifact.sha256 for artifact in built.artifacts}
    waited = PyPIClient(server.endpoints()).wait_until_visible("tiny-py", "0.1.9", digests, 30, lines.append)
    assert 0.4 < waited < 30
    assert [two.file in line for line in lines] == [True, True]
    assert [one.file in line for line in lines] == [True, False]


def test_an_index_that_never_serves_it_is_not_visible_with_the_way_out(tmp_path: Path, server: Answers) -> None:
    (artifact,) = packages.wheel(tmp_path / "it").artifacts
    with pytest.raises(NotVisibleError, match=r"(?s)not yet visible after 0 s .*run again"):
        PyPIClient(server.endpoints()).wait_until_visible(
            "tiny-py", "0.1.9", {artifact.file: artifact.sha256}, 0.3, lambda _: None
        )


def test_other_content_on_the_index_is_not_waited_for(tmp_path: Path, server: Answers) -> None:
    one, other = (packages.wheel(tmp_path / text, text).artifacts[0] for text in ("1", "22"))
    server.give("/simple/tiny-py/", json_answer(page_with(other)))
    with pytest.raises(ConflictError) as error:
        PyPIClient(server.endpoints()).wait_until_visible(
            "tiny-py", "0.1.9", {one.file: one.sha256}, 300, lambda _: None
        )
    assert one.sha256 in str(error.value)
    assert other.sha256 in str(error.value)
    assert f"{server.url}/f/{other.file}" in str(error.value)


def test_an_index_that_is_down_for_a_moment_is_waited_for(tmp_path: Path, server: Answers) -> None:
    (artifact,) = packages.wheel(tmp_path / "it").artifacts
    down = [PlainTextResponse("down", 503)] * 3  # all of one question's tries
    server.give("/simple/tiny-py/", *down, json_answer(page_with(artifact)))
    lines: list[str] = []
    PyPIClient(server.endpoints()).wait_until_visible(
        "tiny-py", "0.1.9", {artifact.file: artifact.sha256}, 60, lines.append
    )
    assert any("could not be asked" in line for line in lines)
