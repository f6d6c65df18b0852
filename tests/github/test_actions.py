"""What a job of GitHub Actions shows, read as the runner reads it."""

from pathlib import Path

import pytest

from tasker_release_pipeline.github import actions
from tasker_release_pipeline.release.outputs import outputs
from tests.release.building import PGMQ, RUBY, planned


@pytest.fixture
def job(tmp_path: Path) -> dict[str, str]:
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
    }


def read_outputs(path: str) -> dict[str, str]:
    """As the runner does: `NAME<<DELIMITER`, lines, `DELIMITER`."""
    found: dict[str, str] = {}
    lines = iter(Path(path).read_text().splitlines())
    for line in lines:
        name, _, delimiter = line.partition("<<")
        value = []
        while (following := next(lines)) != delimiter:
            value.append(following)
        found[name] = "\n".join(value)
    return found


def test_outputs_of_any_text_come_out_as_they_went_in(job: dict[str, str]) -> None:
    values = {"PLAIN": "v0.1.9", "LINES": "one\ntwo\nPLAIN=evil\nEOF\n<<", "EMPTY": ""}
    actions.set_outputs(job, values)
    assert read_outputs(job["GITHUB_OUTPUT"]) == values


def test_a_name_that_would_be_read_as_something_else_is_refused(job: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="letters, digits"):
        actions.set_outputs(job, {"a=b": "c"})


def test_a_summary_is_added_once(job: dict[str, str]) -> None:
    Path(job["GITHUB_STEP_SUMMARY"]).write_text("# Before\n")
    for _ in range(2):
        actions.append_summary(job, "# Release\n")
    assert Path(job["GITHUB_STEP_SUMMARY"]).read_text() == "# Before\n# Release\n\n"


def test_a_summary_that_is_too_long_is_cut(job: dict[str, str]) -> None:
    actions.append_summary(job, "ü" * actions.SUMMARY_LIMIT)
    written = Path(job["GITHUB_STEP_SUMMARY"]).read_text()
    assert len(written.encode()) <= actions.SUMMARY_LIMIT
    assert written.endswith("cut: GitHub takes no more\n")


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("workers/ruby/Gemfile.lock:12: is stale", "file=workers/ruby/Gemfile.lock,line=12::"),
        ("GET http://127.0.0.1:443/x: no", "::error title=gate::GET http"),
        ("GET https://registry.invalid:443/x: no", "::error title=gate::GET https"),
        ("/build/src/lib.rs:3:5: no", "file=/build/src/lib.rs,line=3::"),
        ("VERSION says 0.1.8", "::error title=gate::VERSION says 0.1.8"),
        ("100% of\nit: a, b", "::error title=gate::100%25 of%0Ait: a, b"),
    ],
)
def test_an_error_is_shown_at_the_file_and_line_that_it_names(
    job: dict[str, str], capfd: pytest.CaptureFixture[str], message: str, said: str
) -> None:
    actions.annotate(job, "error", message, title="gate")
    assert said in capfd.readouterr().out


def test_a_title_ends_no_command(job: dict[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    actions.annotate(job, "warning", "x", title="a::b,c")
    assert capfd.readouterr().out == "::warning title=a%3A%3Ab%2Cc::x\n"


def test_a_tools_log_gives_no_orders(job: dict[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    actions.show_log(job, "wheels", "::add-mask::release\n::endgroup::\n")
    first, stop, *text, resume, last = capfd.readouterr().out.splitlines()
    assert (first, last) == ("::group::wheels", "::endgroup::")
    word = stop.removeprefix("::stop-commands::")
    assert resume == f"::{word}::"
    assert text == ["::add-mask::release", "::endgroup::"]


def test_elsewhere_nothing_is_shown_or_written(job: dict[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    elsewhere = {**job, "GITHUB_ACTIONS": ""}
    actions.append_summary(elsewhere, "x")
    actions.set_outputs(elsewhere, {"A": "b"})
    actions.annotate(elsewhere, "error", "x")
    actions.show_log(elsewhere, "log", "x")
    assert capfd.readouterr().out == ""
    assert not Path(job["GITHUB_OUTPUT"]).exists()
    assert not Path(job["GITHUB_STEP_SUMMARY"]).exists()


def test_a_plans_outputs_have_the_names_of_the_command_line() -> None:
    core = outputs(planned(PGMQ))
    assert core == {
        "CHANGES_BASE_REF": "v0.1.8",
        "FFI_CORE_CHANGED": "true",
        "SERVER_CORE_CHANGED": "false",
        "CORE_CHANGED": "true",
        "RUBY_CHANGED": "false",
        "PYTHON_CHANGED": "false",
        "TYPESCRIPT_CHANGED": "false",
        "CURRENT_CORE_VERSION": "0.1.8",
        "NEXT_CORE_VERSION": "0.1.9",
        "NEXT_RUBY_VERSION": "0.1.9",
        "NEXT_PYTHON_VERSION": "0.1.9",
        "NEXT_TYPESCRIPT_VERSION": "0.1.9",
        "DRY_RUN": "true",
    }
    gem = outputs(planned(RUBY))
    assert (gem["CORE_CHANGED"], gem["RUBY_CHANGED"]) == ("false", "true")
    assert (gem["NEXT_CORE_VERSION"], gem["NEXT_RUBY_VERSION"]) == ("unchanged", "0.1.9")
