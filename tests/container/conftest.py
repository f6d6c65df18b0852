"""The processes of compose.yaml, over the session's own PostgreSQL and the example workspace."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.processes import ROOT, Stack, stack
from tests.shared.postgres import Postgres, running_postgres
from tests.ui.conftest import page

__all__ = ["page"]  # a fixture


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture
def services(postgres: Postgres, tmp_path: Path) -> Iterator[Stack]:
    source = tmp_path / "workspace"
    subprocess.run([sys.executable, ROOT / "examples" / "repository.py", source], check=True, capture_output=True)
    with stack(tmp_path, postgres, source) as made:
        yield made
