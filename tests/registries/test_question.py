"""What counts as the same content, asked of real registries; and what is left to send."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tasker_release_pipeline.loopback.fault_words import parse_faults
from tasker_release_pipeline.loopback.holdings import holdings
from tasker_release_pipeline.loopback.orders import order, withdraw
from tasker_release_pipeline.loopback.server import LoopbackRegistries
from tasker_release_pipeline.registries.client import CLIENTS
from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.registries.model import Upload
from tasker_release_pipeline.registries.publish import PublishResult, PublishStatus, publish
from tasker_release_pipeline.registries.question import Sameness
from tasker_release_pipeline.registries.sending import Patience
from tasker_release_pipeline.release.artifact import Artifact
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import ConflictError, NotVisibleError, ToolError

from ..faults import spoken
from ..loopback import packages
from ..loopback.actions import ALL, CARGO, PYPI, Actions
from .archives import CRATE, GEM, NPM, WHEEL, Kind

KINDS: dict[RegistryName, Kind] = dict(zip(RegistryName, (CRATE, GEM, WHEEL, NPM), strict=True))
REGISTRIES = pytest.mark.parametrize("actions", ALL, ids=lambda actions: str(actions.registry))
Publish = Callable[..., PublishResult]


@pytest.fixture
def release(tmp_path: Path, registries: LoopbackRegistries) -> Publish:
    """Publish files as version 1.0.0 of `one`. What is sent goes by plain HTTP; `lines` takes what is logged."""

    def run(
        actions: Actions, *contents: bytes, lines: list[str] | None = None,
        after_sending: Callable[[], object] = lambda: None, **options: Any,
    ) -> PublishResult:  # fmt: skip
        sent: list[str] = []

        class ByHand(CLIENTS[actions.registry]):  # type: ignore[misc]
            def upload(self, upload: Upload, _: Credentials) -> None:
                (path,) = upload.files
                sent.append(path.name)
                with httpx.Client(timeout=20, trust_env=False) as client:
                    if actions is PYPI:
                        answer = packages.upload_wheel(client, registries, path.name, path.read_bytes())
                    else:
                        answer = actions.upload(client, registries, path.read_bytes(), "1.0.0")
                after_sending()
                if not answer.is_success:
                    raise ToolError(spoken.refused(actions.registry, answer))

        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        names = [KINDS[actions.registry].file.replace("any", platform) for platform in ("any", "win_amd64")]
        paths = [folder / name for name in names[: len(contents)]]
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
        upload = Upload(
            "one", "1.0.0", tuple(paths), folder, seconds=60, log=[].append if lines is None else lines.append
        )
        artifacts = [Artifact.of("one", "1.0.0", path) for path in paths]
        done = publish(
            ByHand(registries.endpoints), upload, artifacts, Credentials(dict.fromkeys(CLIENTS, registries.token)),
            propagation_seconds=0.5, patience=Patience(pause=0.01, settle=0.1), **options,
        )  # fmt: skip
        assert tuple(sent) == done.uploaded
        return done

    return run


@REGISTRIES
def test_the_same_files_in_other_bytes_are_already_published_and_the_log_says_so(
    registries: LoopbackRegistries, release: Publish, actions: Actions
) -> None:
    kind = KINDS[actions.registry]
    assert release(actions, kind.packed()).status is PublishStatus.PUBLISHED
    lines: list[str] = []
    done = release(actions, kind.packed(level=0, mtime=7, backwards=True), lines=lines)
    assert (done.status, done.same) == (PublishStatus.ALREADY_PUBLISHED, {kind.file: Sameness.FILES})
    assert "with the same files inside, packed in another way" in lines[-1]
    assert release(actions, kind.packed()).same == {kind.file: Sameness.BYTES}
    assert len(holdings(registries.root)[actions.registry]["one"]["1.0.0"]) == 1


@REGISTRIES
def test_one_other_byte_inside_is_a_conflict_with_both_digests_and_where_each_came_from(
    release: Publish, actions: Actions
) -> None:
    kind = KINDS[actions.registry]
    path, *_ = (name for name in kind.files if not name.endswith(("Cargo.toml", "METADATA", "package.json")))
    release(actions, kind.packed())
    with pytest.raises(ConflictError, match=r"has (\S+) \(http\S+\), ours is (?!\1)\S+ \(/\S+\)"):
        release(actions, kind.packed({**kind.files, path: b"# other\n"}))


def test_the_missing_wheel_of_a_version_whose_other_one_has_the_same_files_is_sent(
    registries: LoopbackRegistries, release: Publish
) -> None:
    release(PYPI, WHEEL.packed())
    other = WHEEL.packed({**WHEEL.files, "one/windows.py": b""})
    done = release(PYPI, WHEEL.packed(level=0), other)
    windows = WHEEL.file.replace("any", "win_amd64")
    assert (done.status, done.uploaded) == (PublishStatus.PUBLISHED, (windows,))
    assert done.same == {WHEEL.file: Sameness.FILES, windows: Sameness.BYTES}
    assert len(holdings(registries.root)[RegistryName.PYPI]["one"]["1.0.0"]) == 2
    again = release(PYPI, WHEEL.packed(level=0), other)
    assert (again.status, again.same) == (PublishStatus.ALREADY_PUBLISHED, done.same)


def crate(sha1: str, lib: bytes = b"", **git: object) -> bytes:
    record = json.dumps({"git": {"sha1": sha1, **git}, "path_in_vcs": "one"}).encode()
    return CRATE.packed({**CRATE.files, "one-1.0.0/src/lib.rs": lib, "one-1.0.0/.cargo_vcs_info.json": record})


A, B = "a" * 40, "b" * 40


def test_a_crate_of_the_same_commit_is_the_same_where_this_release_has_sent_none_of_its_own(release: Publish) -> None:
    release(CARGO, crate(A, b"// by one cargo\n"))
    done = release(CARGO, crate(A, b"// by another cargo\n"), same_commit_counts=True)
    assert (done.status, done.same) == (PublishStatus.ALREADY_PUBLISHED, {CRATE.file: Sameness.COMMIT})


@pytest.mark.parametrize(
    ("theirs", "ours", "counts"),
    [
        (crate(A, b"1"), crate(A, b"2"), False),
        (crate(A, b"1"), crate(B, b"2"), True),
        (crate(A, b"1"), crate(A, b"2", dirty=True), True),
        (crate(A, b"1", dirty=True), crate(A, b"2"), True),
        (CRATE.packed(), crate(A, b"2"), True),
        (crate(A, b"1"), CRATE.packed(), True),
    ],
    ids=[
        "own files were sent",
        "another commit",
        "ours is dirty",
        "theirs is dirty",
        "theirs is silent",
        "ours is silent",
    ],
)
def test_a_crate_is_a_conflict_unless_both_name_the_same_clean_commit_and_that_counts(
    release: Publish, theirs: bytes, ours: bytes, counts: bool
) -> None:
    release(CARGO, theirs)
    with pytest.raises(ConflictError):
        release(CARGO, ours, same_commit_counts=counts)


def test_a_commit_counts_for_crates_alone(release: Publish) -> None:
    record = {"package/.cargo_vcs_info.json": json.dumps({"git": {"sha1": A}}).encode()}
    npm = next(actions for actions in ALL if actions.registry is RegistryName.NPM)
    release(npm, NPM.packed({**NPM.files, **record}))
    with pytest.raises(ConflictError):
        release(npm, NPM.packed({**NPM.files, **record, "package/index.js": b"2\n"}), same_commit_counts=True)


@REGISTRIES
def test_an_upload_refused_as_a_duplicate_ends_well_once_the_index_shows_the_same_files(
    registries: LoopbackRegistries, release: Publish, actions: Actions
) -> None:
    kind = KINDS[actions.registry]
    order(registries.root, *parse_faults(f"{actions.registry}:index:late=3600"))
    with pytest.raises(NotVisibleError):
        release(actions, kind.packed())
    done = release(actions, kind.packed(level=0), after_sending=lambda: withdraw(registries.root))
    assert (done.status, done.same) == (PublishStatus.PUBLISHED, {kind.file: Sameness.FILES})
    assert len(holdings(registries.root)[actions.registry]["one"]["1.0.0"]) == 1
