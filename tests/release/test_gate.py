from typing import Any

import pytest

from tasker_release_pipeline.release.artifact import Artifact, digest_of
from tasker_release_pipeline.release.catalogue import BUILD_ASSETS, catalogue
from tasker_release_pipeline.release.checks import CheckResult
from tasker_release_pipeline.release.errors import GateError
from tasker_release_pipeline.release.gate import Gate, Verdict, judge
from tasker_release_pipeline.release.plan import Finding, Severity
from tasker_release_pipeline.release.settings import Mode

from .building import artifact, files

LOADS = ("staged_install", "installs_and_loads")
MANIFEST = files()
OTHER = files(artifact(sha256="b" * 64))
SUBJECT = digest_of(MANIFEST.artifacts)


def result(**rest: Any) -> CheckResult:
    return CheckResult.model_validate({"asset": LOADS[0], "name": LOADS[1], "subject": SUBJECT, **rest})


def failed(severity: Severity = Severity.ERROR) -> CheckResult:
    return result(findings=(Finding(severity=severity, message="gem does not load"),))


def verdict(*results: CheckResult, findings: tuple[Finding, ...] = (), mode: Mode = Mode.LIVE) -> Gate:
    return judge(MANIFEST, mode, {(r.asset, r.name): r for r in results}, {LOADS: SUBJECT}, findings)


def against(gate: Gate) -> list[str]:
    return [finding.message for finding in gate.findings if finding.severity is Severity.ERROR]


def test_with_every_check_passed_it_is_a_go_for_that_manifest_and_mode() -> None:
    gate = verdict(result())
    assert (gate.verdict, gate.manifest, gate.mode, gate.findings) == (Verdict.GO, MANIFEST.digest, Mode.LIVE, ())
    assert gate.checks == (result(),)
    gate.admit(MANIFEST, Mode.LIVE)


def test_a_go_is_for_no_other_manifest() -> None:
    with pytest.raises(
        GateError, match=rf"spoke of another manifest \({MANIFEST.digest[:12]}, not .*run the `gate` job"
    ):
        verdict(result()).admit(OTHER, Mode.LIVE)


@pytest.mark.parametrize(
    ("given", "asked"), [(Mode.DRY_RUN, Mode.LIVE), (Mode.REHEARSAL, Mode.LIVE), (Mode.LIVE, Mode.REHEARSAL)]
)
def test_a_go_is_for_no_other_mode(given: Mode, asked: Mode) -> None:
    gate = verdict(result(), mode=given)
    assert gate.verdict is Verdict.GO
    with pytest.raises(GateError, match=f"the gate spoke for a {given}, this is {asked}; run the `gate` job"):
        gate.admit(MANIFEST, asked)


def test_a_check_that_has_not_run_is_a_no_go() -> None:
    gate = verdict()
    assert gate.verdict is Verdict.NO_GO
    assert against(gate) == ["staged_install: installs_and_loads: has not run; run the job that has staged_install"]


def test_a_check_of_an_older_state_is_a_no_go_even_where_it_passed() -> None:
    gate = verdict(result(subject="older"))
    assert gate.verdict is Verdict.NO_GO
    assert "looked at an older state; run the job that has staged_install again" in against(gate)[0]


def test_a_failed_check_is_a_no_go_that_says_what_it_found() -> None:
    gate = verdict(failed())
    assert gate.verdict is Verdict.NO_GO
    assert against(gate) == ["staged_install: installs_and_loads: gem does not load"]
    with pytest.raises(GateError, match=r"the gate says no-go: .*gem does not load; mend that and run the `gate` job"):
        gate.admit(MANIFEST, Mode.LIVE)


def test_a_failed_check_that_only_warns_is_told_and_stops_nothing() -> None:
    gate = verdict(failed(Severity.WARNING))
    assert gate.verdict is Verdict.GO
    assert [finding.severity for finding in gate.findings] == [Severity.WARNING]


def test_an_error_among_the_findings_is_a_no_go() -> None:
    gate = verdict(result(), findings=(Finding(severity=Severity.ERROR, message="no token"),))
    assert gate.verdict is Verdict.NO_GO
    with pytest.raises(GateError, match="no-go: no token; mend that"):
        gate.admit(MANIFEST, Mode.LIVE)


def test_warnings_are_told_and_stop_nothing() -> None:
    warning = Finding(severity=Severity.WARNING, message="Cargo.toml changed")
    gate = verdict(result(), findings=(warning,))
    assert gate.verdict is Verdict.GO
    assert gate.findings == (warning,)


def test_a_no_go_names_all_that_speaks_against_it() -> None:
    gate = verdict(failed(), findings=(Finding(severity=Severity.ERROR, message="no token"),))
    assert against(gate) == ["no token", "staged_install: installs_and_loads: gem does not load"]


def test_a_verdict_outlives_json() -> None:
    gate = verdict(failed())
    assert Gate.model_validate_json(gate.model_dump_json()) == gate


def test_the_manifests_digest_changes_with_each_thing_that_it_says() -> None:
    others = [MANIFEST.model_copy(update={name: "x"}) for name in ("release", "plan", "commit")] + [
        files(),
        OTHER,
        files(artifact(file="x")),
        files(artifact(), artifact(package="npm/tasker")),
    ]
    assert len({other.digest for other in others}) == len(others)
    assert files().digest == MANIFEST.digest


def test_the_digest_of_files_is_that_of_their_set() -> None:
    one, two = artifact(), artifact(file="other.gem")
    assert digest_of([one, two]) == digest_of([two, one]) != digest_of([one])


def test_an_artifact_is_measured_from_its_bytes(tmp_path: Any) -> None:
    (tmp_path / "a.gem").write_bytes(b"abc")
    measured = Artifact.of("rubygems/tasker-rb", "0.1.9", tmp_path / "a.gem")
    assert (measured.file, measured.size) == ("a.gem", 3)
    assert measured.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert measured.integrity.startswith("sha512-3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9")


@pytest.mark.parametrize("asset", BUILD_ASSETS.values())
def test_what_was_built_for_a_dry_run_counts_for_no_live_release(asset: str) -> None:
    (builds,) = [check for check in catalogue() if (check.asset, check.name) == (asset, "builds_from_source")]
    assert builds.subject("commit", Mode.DRY_RUN) != builds.subject("commit", Mode.LIVE)
