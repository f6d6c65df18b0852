"""What a probe of credentials told: whether a release would be let in. No secret is ever part of it."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from tasker_release_pipeline.release.settings import Mode


class Access(StrEnum):
    """Whether a release would be let in. `unproven`: nobody refused, and not everything could be asked."""

    ACCEPTED = "accepted"
    UNPROVEN = "unproven"
    REFUSED = "refused"
    NOT_NEEDED = "not needed"


class Probed(BaseModel):
    """What a probe told of one target (a registry, or `github`), for one plan (its digest) in one mode."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    target: str
    plan: str
    mode: Mode
    packages: tuple[str, ...]
    access: Access
    told: tuple[str, ...]
