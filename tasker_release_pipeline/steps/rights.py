"""What may be done, and who vouches for it: as evidence, never a guess."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from tasker_release_pipeline.github.api import GitHub, RefusedError
from tasker_release_pipeline.release.plan import Plan
from tasker_release_pipeline.release.record import component_tag, release_tag
from tasker_release_pipeline.release.settings import Registries
from tasker_release_pipeline.steps.run import ReleaseRun


class State(StrEnum):
    """`unproven`: it could not be asked, or only another job could tell; that is neither a yes nor a no."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    UNPROVEN = "unproven"


@dataclass(frozen=True)
class Right:
    """What was found about one thing. `message`: what it is and, unless `ok`, the way out or why nobody knows."""

    name: str
    state: State
    message: str
    evidence: Mapping[str, str] = field(default_factory=dict)


Finding = tuple[State, str, dict[str, str]]
"""State, message and evidence of one check."""


@dataclass(frozen=True)
class Question:
    """What the checks of rights look at. `commit`: the released one; `repository`: GitHub's row of it."""

    run: ReleaseRun
    plan: Plan
    commit: str
    api: GitHub
    repository: Any

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags that this release will put."""
        components = dict.fromkeys(package.component for package in self.plan.packages if package.publish)
        return (*(component_tag(self.plan, name) for name in components), release_tag(self.plan))

    @property
    def branch(self) -> str:
        """The default branch."""
        return str(self.repository["default_branch"])

    @property
    def is_rehearsal(self) -> bool:
        """Whether the repository is one on loopback."""
        return self.run.settings.registries is Registries.REHEARSAL

    @cached_property
    def is_jobs_token(self) -> bool:
        """Whether the token is that of an installation, such as a job's: a person's may not ask this."""
        try:
            return self.api.token is not None and self.api.get("/installation/repositories", per_page="1") is not None
        except RefusedError:
            return False
