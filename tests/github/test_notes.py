"""The notes of a release, by git-cliff, and the summary's word on what is recorded."""

from pathlib import Path

import pytest

from tasker_release_pipeline.github.changelog import changelog
from tasker_release_pipeline.release import notes as notes_module
from tasker_release_pipeline.release.bases import BEGINNING, Base, BaseKind
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.notes import notes
from tasker_release_pipeline.release.outcome import OutcomeKind
from tasker_release_pipeline.release.record import Record, RecordState, notes_base
from tasker_release_pipeline.release.settings import Mode
from tasker_release_pipeline.release.summary import summary
from tests.release.building import PGMQ, Repository, artifact, files, outcome, planned

from .released import Released, everything


def changes(repository: Repository, base: str | None, folder: Path) -> str:
    (folder / "scratch").mkdir(exist_ok=True)
    head = repository.git("rev-parse", "HEAD")
    return changelog(
        repository.path, base, head, scratch=folder / "scratch", log=lambda _: None, logfile=folder / "log"
    )


def say(repository: Repository, *messages: str) -> None:
    for message in messages:
        repository.git("commit", "--quiet", "--allow-empty", f"--message={message}")


def test_commits_are_grouped_by_what_they_say_and_none_is_lost(repository: Repository, tmp_path: Path) -> None:
    base = repository.commit()
    say(repository, "feat(core): queues wait", "fix!: ids are longer", "perf: faster", "docs: more", "ci: less")
    say(repository, "No convention at all", "Merge branch 'side'", "chore(release): v0.1.9", "revert: that")
    said = changes(repository, base, tmp_path)
    headings = [line.removeprefix("### ") for line in said.splitlines() if line.startswith("### ")]
    assert headings == [
        *("Features", "Fixes", "Performance", "Documentation", "Reverted", "Under the hood", "Other changes")
    ]
    assert "- **core**: Queues wait (" in said
    assert "- **breaking**: Ids are longer (" in said
    assert "- No convention at all (" in said
    assert "Merge" not in said
    assert "v0.1.9" not in said


def test_without_a_base_it_is_the_whole_history_in_one_list(repository: Repository, tmp_path: Path) -> None:
    repository.commit()
    say(repository, "feat: one")
    repository.git("tag", "v0.1.0")
    say(repository, "feat: two")
    said = changes(repository, None, tmp_path)
    assert said.count("### Features") == 1
    assert said.count("\n- ") == 3


def test_a_range_without_commits_is_empty_and_the_notes_say_so(repository: Repository, tmp_path: Path) -> None:
    head = repository.commit()
    said = changes(repository, head, tmp_path)
    assert said == ""
    assert "No changes are told by the commits." in notes(planned(), files(), {}, base=BEGINNING, changes=said)


def test_notes_are_the_same_however_often_it_was_uploaded() -> None:
    plan, listed = planned(PGMQ), files(artifact())
    said = {
        notes(plan, listed, {"rubygems/tasker-rb": outcome("rubygems/tasker-rb", kind)}, base=BEGINNING, changes="x")
        for kind in (OutcomeKind.PUBLISHED, OutcomeKind.ALREADY_PUBLISHED)
    }
    assert len(said) == 1


def test_notes_that_github_would_refuse_are_cut_between_lines() -> None:
    long = "\n".join(f"- change {number}" for number in range(20_000))
    said = notes(planned(PGMQ), files(artifact()), {}, base=BEGINNING, changes=long)
    assert len(said) <= notes_module.LIMIT
    assert "the list is longer than GitHub takes" in said
    assert "## Packages" in said


def test_notes_begin_at_the_oldest_base_of_what_is_published(world: Released) -> None:
    everything(world)
    plan = world.plan
    newer = Base(kind=BaseKind.COMPONENT_TAG, ref="core-v0.1.8", commit=world.commit)
    changed = {**plan.components, "core": plan.components["core"].model_copy(update={"base": newer})}
    found = notes_base(plan.model_copy(update={"components": changed}), world.repository.checkout)
    assert found.commit == world.base


def test_a_shallow_clone_is_refused_for_notes(world: Released) -> None:
    everything(world)
    world.repository.git("clone", "--quiet", "--depth=1", f"file://{world.repository.path}", str(world.folder / "x"))
    shallow = type(world.repository.checkout)(world.folder / "x")
    with pytest.raises(InputError, match="fetch-depth: 0"):
        notes_base(world.plan, shallow)


def record(subject: str, state: RecordState, **rest: str) -> Record:
    at = outcome("x/y", OutcomeKind.PUBLISHED).at
    return Record(subject=subject, state=state, name="v0.1.9", commit="c" * 40, mode=Mode.LIVE, at=at, **rest)


def summarised(failures: dict[str, str], *, kind: OutcomeKind = OutcomeKind.PUBLISHED) -> str:
    plan = planned(PGMQ, dry_run=False)
    outcomes = {p.key: outcome(p.key, kind, version=p.version) for p in plan.packages}
    records = [
        record("tags/core", RecordState.MADE),
        record("github_release", RecordState.FAILED, detail="no | right"),
    ]
    return summary(
        "v0.1.9",
        Mode.LIVE,
        plan=plan,
        manifest=None,
        gate=None,
        outcomes=outcomes,
        failures=failures,
        records=records,
    )


def test_the_summary_tells_recording_from_publishing() -> None:
    said = summarised({"record_release": "no right", "tags__core": "no right"})
    assert "# Release v0.1.9: 9 of 9 packages published (live), recording failed" in said
    assert "| github_release | v0.1.9 | failed | `cccccccccccc` | no \\| right |" in said
    assert "run the `github_release` job" in said


@pytest.mark.parametrize(
    ("failures", "kind"),
    [
        ({"record_release": "x", "npm__tasker": "y"}, OutcomeKind.PUBLISHED),
        ({"record_release": "x"}, OutcomeKind.FAILED),
    ],
)
def test_a_failure_of_publishing_is_never_one_of_recording_alone(failures: dict[str, str], kind: OutcomeKind) -> None:
    assert "# Release v0.1.9: failed (live)" in summarised(failures, kind=kind)
