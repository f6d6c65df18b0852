from tasker_release_pipeline.release.artifact import ReleaseManifest
from tasker_release_pipeline.release.gate import Gate, Verdict
from tasker_release_pipeline.release.outcome import Outcome, OutcomeKind
from tasker_release_pipeline.release.plan import Finding, Plan, Severity
from tasker_release_pipeline.release.settings import Mode
from tasker_release_pipeline.release.summary import manifest_table, plan_table, summary, table

from .building import CRATES, RUBY, SHARED, TASKER, artifact, files, outcome, planned

GEM = "rubygems/tasker-rb"
PUBLISHED = {key: outcome(key, OutcomeKind.PUBLISHED, files=(artifact(key),)) for key in TASKER.keys}


def told(
    mode: Mode,
    *,
    plan: Plan | None = None,
    manifest: ReleaseManifest | None = None,
    gate: Gate | None = None,
    outcomes: dict[str, Outcome] | None = None,
    failures: dict[str, str] | None = None,
) -> str:
    return summary(
        "v0.1.9",
        mode,
        plan=plan,
        manifest=manifest,
        gate=gate,
        outcomes=outcomes or {},
        failures=failures or {},
    )


def verdict(said: Verdict, *findings: Finding) -> Gate:
    return Gate(release="v0.1.9", manifest="m", mode=Mode.DRY_RUN, verdict=said, checks=(), findings=findings)


def row(text: str, package: str) -> list[str]:
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {package} |")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def commands(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("dagster ")]


def test_without_a_plan_it_says_so_and_what_to_run() -> None:
    text = told(Mode.DRY_RUN)
    assert text.startswith("# Release v0.1.9: not planned (dry run)\n")
    assert text.endswith("## Next\n\nNothing is planned yet. Run the `release` job, or `detect_and_calculate` first.\n")


def test_bad_input_is_told_with_its_message() -> None:
    text = told(Mode.DRY_RUN, failures={"input": "from_ref 'v9': no such tag;\nfetch it"})
    assert text.startswith("# Release v0.1.9: failed (dry run)\n")
    assert "- **input**: from_ref 'v9': no such tag; fetch it\n" in text
    assert "Nothing was uploaded by the failed steps." in text
    assert commands(text) == []


def test_a_dry_run_with_a_go_says_what_would_be_uploaded_and_how_to_release() -> None:
    text = told(Mode.DRY_RUN, plan=planned(RUBY), manifest=files(), gate=verdict(Verdict.GO))
    assert text.startswith("# Release v0.1.9: dry run, gate: go\n")
    assert row(text, "tasker-rb") == ["tasker-rb", "would be uploaded", "0.1.9", "rubygems", f"`{'a' * 16}`", ""]
    assert row(text, "tasker-cli")[1] == "unchanged"
    assert (
        "Nothing was uploaded. To release: `dry_run: false`, and for the public registries also RELEASE_DRY_RUN" in text
    )


def test_a_dry_run_with_a_no_go_does_not_send_anyone_to_release() -> None:
    finding = Finding(severity=Severity.ERROR, message="0.1.9 is taken")
    text = told(Mode.DRY_RUN, plan=planned(RUBY), manifest=files(), gate=verdict(Verdict.NO_GO, finding))
    assert text.startswith("# Release v0.1.9: dry run, gate: no-go\n")
    assert "- error: 0.1.9 is taken\n" in text
    assert text.endswith("Nothing was uploaded. Mend the errors above, then run the job again.\n")


def test_a_dry_run_that_did_not_reach_the_gate_says_how_to() -> None:
    text = told(Mode.DRY_RUN, plan=planned(RUBY))
    assert text.startswith("# Release v0.1.9: dry run, gate: not reached\n")
    assert row(text, "tasker-rb")[1] == "not_attempted"
    assert "run the jobs up to `gate` (or `release`)" in text


def test_a_release_that_published_everything_is_done() -> None:
    text = told(Mode.LIVE, plan=planned(SHARED), manifest=files(), outcomes=PUBLISHED)
    assert text.startswith("# Release v0.1.9: 9 of 9 packages published (live)\n")
    assert row(text, "tasker-rb")[1:4] == ["published", "0.1.9", "rubygems"]
    assert text.endswith("## Next\n\nDone.\n")


def test_what_is_there_already_counts_as_published() -> None:
    outcomes = {key: outcome(key, OutcomeKind.ALREADY_PUBLISHED) for key in TASKER.keys}
    assert "9 of 9 packages published" in told(Mode.REHEARSAL, plan=planned(SHARED), outcomes=outcomes)


def test_one_failed_binding_is_told_with_the_command_that_repairs_it() -> None:
    failed = outcome(GEM, OutcomeKind.FAILED, detail="403")
    text = told(
        Mode.LIVE, plan=planned(SHARED), outcomes={**PUBLISHED, GEM: failed}, failures={GEM: "RubyGems refused it: 403"}
    )
    assert text.startswith("# Release v0.1.9: failed (live)\n")
    assert row(text, "tasker-rb")[1] == "failed"
    assert "- **rubygems/tasker-rb**: RubyGems refused it: 403\n" in text
    assert commands(text) == [
        "dagster asset materialize -m tasker_release_pipeline --select 'key:\"rubygems/tasker-rb\"' --partition v0.1.9"
    ]


def test_a_failed_crate_is_repaired_first_and_what_waited_for_it_after_it_in_order() -> None:
    done = CRATES[:2]
    outcomes = {key: PUBLISHED[key] for key in done} | {CRATES[2]: outcome(CRATES[2], OutcomeKind.CONFLICT)}
    text = told(Mode.LIVE, plan=planned(SHARED), outcomes=outcomes, failures={CRATES[2]: "taken"})
    assert [line.split('"')[1] for line in commands(text)] == list(TASKER.keys[2:])


def test_what_was_not_attempted_yet_is_named() -> None:
    outcomes = {key: PUBLISHED[key] for key in CRATES}
    text = told(Mode.LIVE, plan=planned(SHARED), outcomes=outcomes)
    assert text.startswith("# Release v0.1.9: 6 of 9 packages published (live)\n")
    assert "Still to publish: rubygems/tasker-rb, pypi/tasker-py, npm/tasker." in text


def test_nothing_to_publish_says_so() -> None:
    text = told(Mode.LIVE, plan=planned(), gate=verdict(Verdict.GO))
    assert text.startswith("# Release v0.1.9: nothing to publish (live)\n")
    assert {row(text, package.name)[1] for package in TASKER.packages} == {"unchanged"}
    assert text.endswith("Nothing to do: no package changed since its base.\n")


def test_what_a_person_has_to_know_is_told() -> None:
    assert "## To know\n\n- warning: Cargo.toml changed" in told(Mode.DRY_RUN, plan=planned(RUBY, "Cargo.toml"))


def test_the_plan_as_a_table_says_what_and_why() -> None:
    text = plan_table(planned(RUBY))
    assert row(text, "tasker-rb")[2:] == ["0.1.9", "", "", f"rubygems/tasker-rb changed ({RUBY})"]
    assert row(text, "tasker-pgmq")[2:] == ["unchanged (0.1.8)", "1", "", "no change since v0.1.8"]
    assert row(text, "@tasker-systems/tasker")[4] == "alpha"


def test_the_manifest_as_a_table_has_whole_digests() -> None:
    assert row(manifest_table(files()), GEM) == [GEM, "tasker-rb-0.1.9.gem", "0.1.9", "3", f"`{'a' * 64}`"]


def test_a_cell_is_one_line_and_can_not_end_its_column() -> None:
    assert table(["a"], [["x | y\n z"]]).splitlines()[-1] == "| x \\| y z |"
