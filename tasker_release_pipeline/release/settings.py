"""The six knobs of a release, where their values come from, and what a release may be called."""

import os
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.versions import parse


class OnDuplicate(StrEnum):
    """What to do about a version that is published already, with the same content."""

    SKIP = "skip"
    WARN = "warn"
    FAIL = "fail"


class Registries(StrEnum):
    """Which registries a release is meant for."""

    LIVE = "live"
    REHEARSAL = "rehearsal"


class Mode(StrEnum):
    """What a run may do: nothing irreversible; upload to loopback registries; upload to the public ones."""

    DRY_RUN = "dry run"
    REHEARSAL = "rehearsal"
    LIVE = "live"


class Settings(BaseModel):
    """The settings of one release. Each is optional in the run config; `resolve` says which value wins."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = "."
    manifest: str = "tasker"
    dry_run: bool = True
    on_duplicate: OnDuplicate = OnDuplicate.WARN
    from_ref: str = ""
    registries: Registries = Registries.LIVE

    @property
    def mode(self) -> Mode:
        """What a run with these settings may do."""
        if self.dry_run:
            return Mode.DRY_RUN
        return Mode.LIVE if self.registries is Registries.LIVE else Mode.REHEARSAL


LATCH = "RELEASE_DRY_RUN"

_RELEASE_KEY = re.compile(r"v\S+|(release|rehearsal)-[0-9A-Za-z][0-9A-Za-z._-]*")
_Choice = TypeVar("_Choice", bound=StrEnum)


def resolve(
    config: Mapping[str, Any], environment: Mapping[str, str] = os.environ, remembered: Settings | None = None
) -> Settings:
    """Settle each setting: run config, environment (`TASKER_RELEASE_SOURCE`, ...), what is remembered, the default.

    The latch `RELEASE_DRY_RUN` overrides all where live registries are meant: it holds unless it says `false`.
    Raises InputError for an unknown name or value.
    """
    known = Settings.model_fields
    for name in config:
        if name not in known:
            raise InputError(f"settings: {name!r} is no setting; there are {', '.join(known)}")
    values: dict[str, Any] = remembered.model_dump() if remembered else {}
    for name in known:
        variable = f"TASKER_RELEASE_{name.upper()}"
        if environment.get(variable):
            values[name] = _read(name, environment[variable], variable)
        if config.get(name) is not None:
            values[name] = _read(name, config[name], f"settings.{name}")
    settings = Settings(**values)
    if settings.registries is Registries.LIVE and _read("dry_run", environment.get(LATCH) or "true", LATCH):
        settings = settings.model_copy(update={"dry_run": True})
    return settings


def is_release_key(name: str) -> bool:
    """Whether a name has the form of a release's or a rehearsal's key."""
    return _RELEASE_KEY.fullmatch(name) is not None


def is_rehearsal(release: str) -> bool:
    """Whether a key is a rehearsal's."""
    return is_release_key(release) and release.startswith("rehearsal-")


def check_release_key(release: str, settings: Settings) -> None:
    """Refuse a key that names no release, or one that belongs to the other kind of registries. Raises InputError."""
    if not is_release_key(release):
        raise InputError(
            f"release {release!r}: a release is named by its tag, like v0.1.9 or release-20260208-1828; "
            "a rehearsal like rehearsal-20260301-0300"
        )
    if release.startswith("v"):
        parse(release[1:], f"release {release}")
    if is_rehearsal(release) and settings.registries is Registries.LIVE:
        raise InputError(
            f"release {release}: a rehearsal's key with `registries: live`; "
            "set `registries: rehearsal`, or name the release by its tag"
        )
    if not is_rehearsal(release) and settings.registries is Registries.REHEARSAL:
        raise InputError(
            f"release {release}: a release's key with `registries: rehearsal`; "
            "name it like rehearsal-20260301-0300, or set `registries: live`"
        )


def _read(name: str, value: Any, where: str) -> Any:
    if name == "dry_run":
        if isinstance(value, bool):
            return value
        if str(value).lower() in ("true", "1", "yes"):
            return True
        if str(value).lower() in ("false", "0", "no"):
            return False
        raise InputError(f"{where}: {value!r} is neither true nor false")
    if name == "on_duplicate":
        return _choice(OnDuplicate, value, where)
    if name == "registries":
        return _choice(Registries, value, where)
    return str(value)


def _choice(kind: type[_Choice], value: Any, where: str) -> _Choice:
    text = value.value if isinstance(value, StrEnum) else str(value)
    if text not in [member.value for member in kind]:
        raise InputError(f"{where}: {text!r} is none of {', '.join(kind)}")
    return kind(text)
