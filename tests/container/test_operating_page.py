"""docs/operating.md tells of what compose.yaml has, and what it shows can be used as it stands."""

import re
from pathlib import Path

import dagster as dg
import pytest
import yaml

from tests.container.compose import COMPOSE

PAGE = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()
FILE = yaml.safe_load(COMPOSE.read_text())


def rows(section: str) -> set[str]:
    """The first words in code of a section's table rows."""
    part = PAGE.split(f"| {section}", 1)[1].split("\n\n", 1)[0]
    return {name for row in re.findall(r"^\|([^|]+)\|", part, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}


def test_every_service_and_volume_is_told_of() -> None:
    assert rows("service of `compose.yaml`") == set(FILE["services"])
    assert rows("volume") == set(FILE["volumes"])


def test_every_service_that_a_command_names_is_there() -> None:
    named = re.findall(r"docker compose (?:exec(?: -T)?|run --rm --no-deps(?: -T)?|top|logs|ps) (\w+)", PAGE)
    stopped = [name for words in re.findall(r"docker compose stop ([\w ]+)", PAGE) for name in words.split()]
    assert len(named) > 5
    assert {*named, *stopped} <= set(FILE["services"])


def test_what_stands_in_dagster_yaml_is_allowed_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
    assert len(blocks) == 2
    # The launcher's class is in a package of its own, which a web server without Kubernetes has no use for.
    settings = {key: value for block in blocks for key, value in block.items() if key != "run_launcher"}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(settings))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with dg.DagsterInstance.get() as instance:
        assert instance.get_settings("run_monitoring")["enabled"]


def test_every_link_to_another_page_leads_somewhere() -> None:
    folder = Path(__file__).parents[2] / "docs"
    for link in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", PAGE):
        assert link.startswith("https://") or (folder / link).exists(), link
