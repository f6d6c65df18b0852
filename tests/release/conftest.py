"""A git that knows no configuration of the machine, and repositories in temporary folders."""

import os
from pathlib import Path

import pytest

from .building import Repository, workspace


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "A")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "a@example.invalid")
        monkeypatch.setenv(f"GIT_{role}_DATE", "2026-03-01T00:00:00Z")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    return Repository(tmp_path / "repository")


@pytest.fixture
def tasker(repository: Repository) -> Repository:
    """A repository of the manifest `tasker`, one commit, everything at 0.1.8."""
    repository.commit(files=workspace())
    return repository
