"""Publishing, step by step: wheels go to the loopback PyPI by hand, so that failures can be put anywhere."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from starlette.responses import PlainTextResponse, Response

from tasker_release_pipeline.loopback.server import LoopbackRegistries
from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.registries.model import Holdings, Upload
from tasker_release_pipeline.registries.propagation import wait_until_visible
from tasker_release_pipeline.registries.publish import PublishResult, PublishStatus, publish
from tasker_release_pipeline.registries.pypi import PyPIClient
from tasker_release_pipeline.registries.question import Question
from tasker_release_pipeline.registries.sending import Patience
from tasker_release_pipeline.release.artifact import Artifact
from tasker_release_pipeline.release.errors import (
    ConflictError,
    InputError,
    NotVisibleError,
    RegistryError,
    ReleaseError,
    ToolError,
    TransientError,
    UnavailableError,
)

from . import packages
from .answers import Answers, answering, json_answer
from .packages import Built

LINUX, MAC, WINDOWS = "manylinux_2_28_x86_64", "macosx_11_0_arm64", "win_amd64"
LOST = ToolError(
    "uv publish: exit status 2:\nUploading tiny_py-0.1.9-py3-none-any.whl (795B)\nerror: Failed to publish\n"
    "  cause: Failed to send POST request\n  cause: connection reset"
)
BUSY = ToolError(
    "uv publish: exit status 2:\nUploading tiny_py-0.1.9-py3-none-any.whl (795B)\nerror: Failed to publish\n"
    "  cause: Server returned status code 429 Too Many Requests. Server says: 429 Too many new projects created"
)
TAKEN = ToolError(
    "uv publish: exit status 2:\nUploading tiny_py-0.1.9-py3-none-any.whl (795B)\nerror: Failed to publish\n"
    "  cause: Server returned status code 400 Bad Request. Server says: File already exists"
)
BROKEN = ToolError("uv publish: exit status 2:\nerror: no such option")


class ByHand(PyPIClient):
    """Uploads by plain HTTP: `arrive` files get through. `error` is raised for the others, with `lost` for all."""

    def __init__(
        self, registries: LoopbackRegistries, arrive: int = 99, error: ReleaseError | None = None, *, lost: bool = False
    ) -> None:
        super().__init__(registries.endpoints)
        self.token, self.arrive, self.error, self.lost = registries.token, arrive, error, lost
        self.sent: list[str] = []

    def upload(self, upload: Upload, credentials: Credentials) -> None:  # noqa: ARG002
        (path,) = upload.files
        arrives = len(self.sent) < self.arrive
        if arrives:
            post(self.endpoints.pypi_upload, path, self.token)
            self.sent.append(path.name)
        if self.error is not None and (self.lost or not arrives):
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
        patience=Patience(pause=0.01, settle=0.1),
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
    assert release(ByHand(registries, error=LOST, lost=True), built).status is PublishStatus.PUBLISHED
    assert any("asking PyPI whether it arrived" in line for line in built.lines)


@pytest.mark.parametrize(
    ("error", "end", "said"),
    [
        (LOST, UnavailableError, r"whether tiny_py.* arrived is unknown.*PyPI has nothing of it.*connection reset"),
        (BUSY, TransientError, r"failed 3 times, for the moment; PyPI has nothing of it.*429 Too many new projects"),
        (BROKEN, ToolError, r"PyPI has nothing of it.*no such option"),
        (InputError("no token"), InputError, "no token"),
    ],
)
def test_a_failed_upload_that_did_not_arrive_says_what_it_is_with_the_tools_words(
    tmp_path: Path, registries: LoopbackRegistries, error: ReleaseError, end: type[ReleaseError], said: str
) -> None:
    with pytest.raises(end, match=f"(?s){said}") as raised:
        release(ByHand(registries, arrive=0, error=error), packages.wheel(tmp_path / "it"))
    assert type(raised.value) is end


def test_a_credential_that_can_not_be_had_for_the_moment_is_tried_for_and_then_transient(
    tmp_path: Path, registries: LoopbackRegistries
) -> None:
    error = UnavailableError("the exchange: HTTP 503", retry_after=0.02)
    with pytest.raises(TransientError, match=r"(?s)nothing of it.*HTTP 503") as raised:
        release(ByHand(registries, arrive=0, error=error), packages.wheel(tmp_path / "it"))
    assert raised.value.retry_after == 0.02


def test_what_may_have_arrived_stays_unknown_whatever_the_next_try_meets(
    tmp_path: Path, registries: LoopbackRegistries
) -> None:
    class ThenRefused(ByHand):
        def upload(self, upload: Upload, credentials: Credentials) -> None:  # noqa: ARG002
            self.sent.append(upload.files[0].name)
            raise LOST if len(self.sent) == 1 else RegistryError("the exchange: no such publisher")

    client = ThenRefused(registries)
    with pytest.raises(UnavailableError, match=r"failed 2 times, and whether .* unknown.*no such publisher"):
        release(client, packages.wheel(tmp_path / "it"))
    with pytest.raises(RegistryError, match=r"^the exchange: no such publisher"):
        release(client, packages.wheel(tmp_path / "it"))


def test_an_upload_that_broke_off_names_what_is_missing_and_is_taken_up_there(
    tmp_path: Path, registries: LoopbackRegistries
) -> None:
    built = packages.wheel(tmp_path / "it", platforms=(LINUX, MAC, WINDOWS))
    names = [path.name for path in built.upload.files]
    with pytest.raises(ToolError, match=f"all but {names[2]}"):
        release(ByHand(registries, arrive=2, error=BROKEN), built)
    again = ByHand(registries)
    assert release(again, built).uploaded == (names[2],)
    assert again.sent == [names[2]]


class OfAnEarlierRun(ByHand):
    """The first try is refused; meanwhile `comes` what a run sent that was killed before it was answered."""

    def __init__(self, registries: LoopbackRegistries, comes: Path, taken: tuple[Path, ...] = ()) -> None:
        super().__init__(registries)
        self.comes, self.taken, self.came = comes, taken, False

    def upload(self, upload: Upload, credentials: Credentials) -> None:
        if not self.came:
            post(self.endpoints.pypi_upload, self.comes, self.token)
            self.came = True
            raise BUSY
        if upload.files[0] in self.taken:
            raise TAKEN
        super().upload(upload, credentials)


def test_what_comes_while_another_file_is_tried_again_is_not_sent_any_more(
    tmp_path: Path, registries: LoopbackRegistries
) -> None:
    built = packages.wheel(tmp_path / "it", platforms=(LINUX, MAC))
    first, second = built.upload.files
    client = OfAnEarlierRun(registries, second)
    done = release(client, built)
    assert (done.status, done.uploaded, client.sent) == (PublishStatus.PUBLISHED, (first.name,), [first.name])
    assert any(line.endswith(f"{second.name} has come meanwhile") for line in built.lines)


def test_what_has_come_is_not_said_to_be_unsent(tmp_path: Path, registries: LoopbackRegistries) -> None:
    built = packages.wheel(tmp_path / "it", platforms=(LINUX, MAC, WINDOWS))
    _, second, third = built.upload.files
    with pytest.raises(NotVisibleError, match=f"does not serve {second.name} yet") as raised:
        release(OfAnEarlierRun(registries, third, taken=(second,)), built, propagation_seconds=0.2)
    assert third.name not in str(raised.value)


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
        release(Overtaken(registries, error=LOST, lost=True), mine)
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
            raise LOST

    with pytest.raises(UnavailableError, match=r"(?s)arrived is unknown.*could not ask.*connection reset"):
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


def wait(server: Answers, built: Built, limit: float, log: Callable[[str], None] = lambda _: None) -> float:
    paths = {path.name: path for path in built.upload.files}
    question = Question(
        PyPIClient(server.endpoints()), "tiny-py", "0.1.9", built.artifacts,
        ours=lambda artifact: paths[artifact.file].read_bytes(), place=lambda artifact: str(paths[artifact.file]),
    )  # fmt: skip
    return wait_until_visible(question, list(paths), limit, log).seconds


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
    assert 0.4 < wait(server, built, 30, lines.append) < 30
    assert [two.file in line for line in lines] == [True, True]
    assert [one.file in line for line in lines] == [True, False]


def test_an_index_that_never_serves_it_is_not_visible_with_the_way_out(tmp_path: Path, server: Answers) -> None:
    with pytest.raises(NotVisibleError, match=r"(?s)not yet visible after 0 s .*run again"):
        wait(server, packages.wheel(tmp_path / "it"), 0.3)


def test_other_content_on_the_index_is_not_waited_for(tmp_path: Path, server: Answers) -> None:
    built, others = packages.wheel(tmp_path / "1", "1"), packages.wheel(tmp_path / "22", "22")
    (one,), (other,) = built.artifacts, others.artifacts
    server.give("/simple/tiny-py/", json_answer(page_with(other)))
    url = server.give(f"/f/{other.file}", Response(others.upload.files[0].read_bytes()))
    with pytest.raises(ConflictError) as error:
        wait(server, built, 300)
    for said in (one.sha256, other.sha256, url, str(built.upload.files[0])):
        assert said in str(error.value)


def test_an_index_that_contradicts_its_own_file_is_waited_for_and_the_file_fetched_once(
    tmp_path: Path, server: Answers
) -> None:
    built = packages.wheel(tmp_path / "it")
    (artifact,) = built.artifacts
    wrong = json_answer(page_with(artifact.model_copy(update={"sha256": "0" * 64})))
    server.give("/simple/tiny-py/", wrong, wrong, json_answer(page_with(artifact)))
    server.give(f"/f/{artifact.file}", Response(built.upload.files[0].read_bytes()))
    lines: list[str] = []
    wait(server, built, 30, lines.append)
    assert [("0" * 64 in line, artifact.sha256 in line) for line in lines] == [(True, True)] * 2
    assert [request.url.path for request in server.asked].count(f"/f/{artifact.file}") == 1


def test_a_file_that_is_listed_with_another_digest_but_not_given_is_not_called_a_conflict(
    tmp_path: Path, server: Answers
) -> None:
    built = packages.wheel(tmp_path / "it")
    (artifact,) = built.artifacts
    server.give("/simple/tiny-py/", json_answer(page_with(artifact.model_copy(update={"sha256": "0" * 64}))))
    with pytest.raises(NotVisibleError, match=r"contradicts itself: PyPI states 0{64}.*but does not give it"):
        wait(server, built, 0.1)


def test_an_index_that_is_down_for_a_moment_is_waited_for(tmp_path: Path, server: Answers) -> None:
    built = packages.wheel(tmp_path / "it")
    down = [PlainTextResponse("down", 503)] * 3  # all of one question's tries
    server.give("/simple/tiny-py/", *down, json_answer(page_with(*built.artifacts)))
    lines: list[str] = []
    wait(server, built, 60, lines.append)
    assert any("could not be asked" in line for line in lines)
