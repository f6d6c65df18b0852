"""What became of one package in a release."""

from enum import StrEnum

from pydantic import AwareDatetime, BaseModel, ConfigDict

from tasker_release_pipeline.release.artifact import Artifact
from tasker_release_pipeline.release.settings import Mode


class OutcomeKind(StrEnum):
    """The outcomes, in the field's words."""

    PUBLISHED = "published"
    ALREADY_PUBLISHED = "already_published"
    UNCHANGED = "unchanged"
    NOT_ATTEMPTED = "not_attempted"
    CONFLICT = "conflict"
    FAILED = "failed"
    UPLOADED_NOT_VISIBLE = "uploaded_not_visible"
    UNKNOWN = "unknown"

    @property
    def good(self) -> bool:
        """Whether the package is where the release wants it."""
        return self in (OutcomeKind.PUBLISHED, OutcomeKind.ALREADY_PUBLISHED, OutcomeKind.UNCHANGED)

    @property
    def attempted(self) -> bool:
        """Whether an upload was begun."""
        return self not in (OutcomeKind.UNCHANGED, OutcomeKind.NOT_ATTEMPTED)

    @property
    def may_be_out(self) -> bool:
        """Whether the registry has the version by now, or may have it: an upload that was accepted, or perhaps was."""
        return self in (
            OutcomeKind.PUBLISHED,
            OutcomeKind.ALREADY_PUBLISHED,
            OutcomeKind.UPLOADED_NOT_VISIBLE,
            OutcomeKind.UNKNOWN,
        )


class Outcome(BaseModel):
    """What became of one package. Seconds are wall time; `page` is the registry's page for people.

    `seconds_wait`: until the same run's next attempt, where one follows. `detail`: for a failure what happened and the
    way out, in one message. `run`: the Dagster run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    package: str
    kind: OutcomeKind
    version: str
    registry: str
    mode: Mode
    files: tuple[Artifact, ...] = ()
    page: str = ""
    seconds_upload: float = 0.0
    seconds_propagation: float = 0.0
    seconds_wait: float = 0.0
    detail: str = ""
    run: str = ""
    attempt: int = 1
    at: AwareDatetime
