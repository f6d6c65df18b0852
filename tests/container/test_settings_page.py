"""The table of settings tells of every variable that is read, and of none besides."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tasker_release_pipeline.registries import client_env, credentials, id_token
from tasker_release_pipeline.release.environment import VARIABLES, Group, settings_page
from tasker_release_pipeline.release.settings import Settings
from tests.container.compose import COMPOSE

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tasker_release_pipeline"
TABLE = Path("release", "environment.py")
OURS = re.compile(r"(TASKER_RELEASE|TASKER|RELEASE|DAGSTER|GITHUB|POSTGRES)_[A-Z][A-Z_]*[A-Z]")


def named() -> dict[str, list[str]]:
    """The variables that the code names, as whole strings or as words in a text, and where."""
    found: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE) == TABLE:
            continue
        for text in strings(ast.parse(path.read_text())):
            if OURS.fullmatch(text):
                found.setdefault(text, []).append(str(path.relative_to(ROOT)))
    return found


def strings(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_the_page_is_what_the_code_writes() -> None:
    page = ROOT / "docs" / "settings.md"
    assert page.read_text() == settings_page(), (
        "docs/settings.md is stale: python -m tasker_release_pipeline.release.environment > docs/settings.md"
    )


def test_every_variable_that_the_code_names_is_in_the_table() -> None:
    listed = {variable.name for variable in VARIABLES}
    missing = {name: where for name, where in named().items() if name not in listed}
    assert not missing, f"name, meaning and default belong into release/environment.py: {missing}"


def test_every_variable_of_the_table_is_read_somewhere() -> None:
    everything = [*PACKAGE.rglob("*.py"), *(ROOT / "config").glob("*.yaml"), COMPOSE]
    texts = "\n".join(path.read_text() for path in everything if path != PACKAGE / TABLE)
    knobs = {variable.name for variable in VARIABLES if variable.knob}
    unread = [v.name for v in VARIABLES if v.name not in knobs and not re.search(rf"\b{v.name}\b", texts)]
    assert not unread


def test_each_knob_has_its_variable_and_its_default() -> None:
    assert [variable.knob for variable in VARIABLES if variable.knob] == list(Settings.model_fields)
    rows = [line for line in settings_page().splitlines() if line.startswith("| `dry_run` |")]
    assert rows == ["| `dry_run` | `TASKER_RELEASE_DRY_RUN` | `true` | end at the gate and upload nothing |"]


def test_every_secret_is_among_the_credentials() -> None:
    secrets = {*credentials.VARIABLES.values(), *credentials.ALSO.values(), client_env.ID_TOKEN, id_token.REQUEST_URL}
    assert secrets <= {variable.name for variable in VARIABLES if variable.group is Group.CREDENTIALS}


def test_no_variable_is_told_twice() -> None:
    names = [variable.name for variable in VARIABLES]
    assert len(names) == len(set(names))
