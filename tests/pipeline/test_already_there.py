"""What is published already, as gate and upload see it: by content, and by commit where nothing of ours was sent."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from upath import UPath

from tasker_release_pipeline.loopback.fault_words import parse_faults
from tasker_release_pipeline.loopback.orders import order
from tasker_release_pipeline.loopback.server import LoopbackRegistries, serve
from tasker_release_pipeline.registries.compare import Verdict
from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.release.artifact import Artifact, ReleaseManifest
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import ConflictError
from tasker_release_pipeline.release.outcome import Outcome, OutcomeKind
from tasker_release_pipeline.release.plan import Finding, PackagePlan, Severity
from tasker_release_pipeline.release.settings import Mode, OnDuplicate, Registries, Settings
from tasker_release_pipeline.steps.gate import _already_there
from tasker_release_pipeline.steps.registry_sets import RegistrySet
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.steps.uploads import asked
from tasker_release_pipeline.store import ReleaseStore

from ..loopback import packages
from ..registries.archives import CRATE
from ..release.building import TASKER

RECORD = {"one-1.0.0/.cargo_vcs_info.json": b'{"git": {"sha1": "0123456789012345678901234567890123456789"}}'}
PACKAGE = PackagePlan(
    key="crates_io/one", name="one", registry=RegistryName.CRATES_IO, component="core", phase=1, publish=True,
    version="1.0.0", reasons=("a test",),
)  # fmt: skip


@pytest.fixture
def registries(tmp_path: Path) -> Iterator[LoopbackRegistries]:
    with serve(tmp_path / "registries", reserved={}) as running:
        yield running


@pytest.fixture
def run(tmp_path: Path) -> ReleaseRun:
    settings = Settings(dry_run=False, registries=Registries.REHEARSAL)
    store = ReleaseStore(UPath(tmp_path / "store"), "v1.0.0")
    return ReleaseRun("v1.0.0", settings, TASKER, store, tmp_path / "work", print, run="now")


def published(registries: LoopbackRegistries, archive: bytes) -> None:
    with httpx.Client(trust_env=False) as client:
        packages.put_crate(client, registries, packages.crate_body("one", "1.0.0", archive)).raise_for_status()


def built(run: ReleaseRun, archive: bytes) -> Artifact:
    path = run.work / CRATE.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(archive)
    run.store.put_artifact(path)
    return Artifact.of(PACKAGE.key, "1.0.0", path)


def of_commit(text: bytes) -> bytes:
    return CRATE.packed({**CRATE.files, **RECORD, "one-1.0.0/src/lib.rs": text})


def outcome(run: ReleaseRun, kind: OutcomeKind, by: str) -> None:
    run.store.write_outcome(
        Outcome(
            package=PACKAGE.key,
            kind=kind,
            version="1.0.0",
            registry=PACKAGE.registry,
            mode=Mode.REHEARSAL,
            run=by,
            at=datetime.now(UTC),
        )
    )


@pytest.mark.parametrize(
    ("kind", "by", "counts"),
    [
        (None, "", True),
        (OutcomeKind.UNKNOWN, "now", True),  # this very upload, begun
        (OutcomeKind.NOT_ATTEMPTED, "before", True),
        (OutcomeKind.FAILED, "before", True),  # it did not arrive
        (OutcomeKind.ALREADY_PUBLISHED, "before", True),
        (OutcomeKind.UNKNOWN, "before", False),
        (OutcomeKind.UPLOADED_NOT_VISIBLE, "before", False),
        (OutcomeKind.PUBLISHED, "before", False),
    ],
)
def test_a_crate_of_the_same_commit_counts_until_the_store_knows_of_files_that_this_release_sent(
    registries: LoopbackRegistries, run: ReleaseRun, kind: OutcomeKind | None, by: str, counts: bool
) -> None:
    published(registries, of_commit(b"// by one cargo\n"))
    ours = built(run, of_commit(b"// by another cargo\n"))
    if kind is not None:
        outcome(run, kind, by)
    question = asked(run, PACKAGE, (ours,), registries.endpoints)
    if counts:
        assert question.answer().verdict is Verdict.SAME
    else:
        with pytest.raises(ConflictError):
            question.answer()


def findings(run: ReleaseRun, registries: LoopbackRegistries, ours: Artifact, **settings: object) -> list[Finding]:
    run = replace(run, settings=run.settings.model_copy(update=settings))
    manifest = ReleaseManifest(release=run.release, plan="", commit="", artifacts=(ours,))
    return list(_already_there(run, PACKAGE, manifest, RegistrySet(registries.endpoints, Credentials()), said=False))


def test_the_gate_tells_by_which_rule_it_is_the_same_and_lets_on_duplicate_judge(
    registries: LoopbackRegistries, run: ReleaseRun
) -> None:
    published(registries, CRATE.packed())
    ours = built(run, CRATE.packed(level=0))
    assert findings(run, registries, ours, on_duplicate=OnDuplicate.SKIP) == []
    (warned,) = findings(run, registries, ours, on_duplicate=OnDuplicate.WARN)
    (failed,) = findings(run, registries, ours, on_duplicate=OnDuplicate.FAIL)
    assert (warned.severity, failed.severity) == (Severity.WARNING, Severity.ERROR)
    for said in (warned.message, failed.message):
        assert "with the same content (the same files inside, packed in another way)" in said


def test_the_gate_says_where_both_contents_of_a_conflict_come_from(
    registries: LoopbackRegistries, run: ReleaseRun
) -> None:
    published(registries, CRATE.packed())
    ours = built(run, CRATE.packed({**CRATE.files, "one-1.0.0/src/lib.rs": b"// other\n"}))
    (finding,) = findings(run, registries, ours)
    assert finding.severity is Severity.ERROR
    for said in (ours.sha256, str(run.store.folder / "artifacts" / CRATE.file), registries.endpoints.cargo_api):
        assert said in finding.message


@pytest.mark.parametrize(("dry_run", "severity"), [(True, Severity.WARNING), (False, Severity.ERROR)])
def test_an_index_that_its_own_file_contradicts_is_unknown_to_the_gate(
    registries: LoopbackRegistries, run: ReleaseRun, dry_run: bool, severity: Severity
) -> None:
    published(registries, CRATE.packed())
    order(registries.root, *parse_faults("crates_io:index:wrong-checksum"))
    (finding,) = findings(run, registries, built(run, CRATE.packed()), dry_run=dry_run)
    assert finding.severity is severity
    assert "unknown what is published" in finding.message
    assert "what it gives" in finding.message
