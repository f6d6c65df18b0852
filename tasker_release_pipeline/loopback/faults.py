"""Faults to order in the loopback registries: how a bad day is rehearsed.

An order names a registry, a kind of request, what goes wrong, and how often:

    FAULTS="npm:upload:drop-after; crates_io:upload:500x2; pypi:upload:429:retry-after=3; rubygems:index:late=10"

Orders are separated by `;` or line ends, the parts of one by `:`, as REGISTRY:REQUEST:FAULT and then options.

    REGISTRY  crates_io, rubygems, pypi, npm, any
    REQUEST   upload          a file that is to be published
              index (or read) what tells which versions there are, with which digests
              download        a published file
              any             all of these, and what is none of them (owners, dist-tags, pings)

    FAULT     delay=SECONDS   handled only then, also where the client has given up by that time
              refuse          answered 403 in the registry's form; `refuse=400`, or just `400`, for another 4xx
              429, 500, ...   answered with this status; nothing is read, nothing accepted
              drop-before     the connection breaks before anything is accepted
              drop-after      accepted, but the connection breaks before the answer
              late=SECONDS    (index) what is uploaded from now on is accepted, and served by the index this long after
              wrong-checksum  (index) the index states the digest of other bytes; (download) the bytes are others
              part=COUNT      (upload) this many uploads are accepted (one, if not said), then `times` get a 503
              full            (upload) answered 507, the disk is full
              new-names=COUNT (crates_io, upload) this many new crates are accepted at once (one, if not said), then one
                              `every` so many seconds; the others get crates.io's own 429, with an HTTP date

    OPTION    x2 right after the fault, or times=2: how often. always: until the order is withdrawn
              retry-after=3        a `Retry-After` of three seconds, beside a status
              retry-after-date=3   the same as an HTTP date
              every=600            the seconds of `new-names`
              package=NAME         only this package's requests

Once is the default; `late`, `wrong-checksum`, `full` and `new-names` are states and stand until they are withdrawn
(with a number they strike that many files or uploads). A request meets the orders in the sequence in which they were
given: delays add up, the first other one that strikes ends it. `GET /` and `/_holdings` always tell what is really
held.

Three ways to order: `orders.order(root, fault)` in Python, without a server, as all state is the registries' folder;
`serve(..., faults=...)`; and the server's own `/_faults`:

    curl http://127.0.0.1:PORT/_faults                                 all orders, and how often each struck
    curl -d '"npm:upload:500x2"' http://127.0.0.1:PORT/_faults         order, in words; or a `Fault` as JSON, or a list
    curl -X DELETE http://127.0.0.1:PORT/_faults/1                     withdraw one; without the number, all
"""

from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasker_release_pipeline.release.endpoints import RegistryName


class RequestKind(StrEnum):
    """What a request is for. As an order's: which requests it is about."""

    UPLOAD = "upload"
    INDEX = "index"
    DOWNLOAD = "download"
    ANY = "any"


class FaultKind(StrEnum):
    """What goes wrong; the module's text says what each does. `answer` is any status given in place of handling."""

    DELAY = "delay"
    ANSWER = "answer"
    DROP_BEFORE = "drop-before"
    DROP_AFTER = "drop-after"
    LATE = "late"
    WRONG_CHECKSUM = "wrong-checksum"
    PART = "part"
    FULL = "full"
    NEW_NAMES = "new-names"


STATES = (FaultKind.LATE, FaultKind.WRONG_CHECKSUM, FaultKind.FULL, FaultKind.NEW_NAMES)
"""What stands until it is withdrawn, unless a number is given."""

_REQUESTS = {
    FaultKind.LATE: (RequestKind.INDEX,),
    FaultKind.WRONG_CHECKSUM: (RequestKind.INDEX, RequestKind.DOWNLOAD),
    FaultKind.PART: (RequestKind.UPLOAD,),
    FaultKind.FULL: (RequestKind.UPLOAD,),
    FaultKind.NEW_NAMES: (RequestKind.UPLOAD,),
}
_TIMED = (FaultKind.DELAY, FaultKind.LATE, FaultKind.NEW_NAMES)


class Fault(BaseModel):
    """One order. `registry` None and `package` "" stand for all.

    `seconds` belongs to delay, late and new-names, `status` (400 to 599) and `retry_after` (seconds;
    `retry_after_date`: sent as an HTTP date) to answer, `accepted` to part and new-names.
    `times` None: until withdrawn.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    registry: RegistryName | None = None
    request: RequestKind
    kind: FaultKind
    package: str = Field(default="", pattern=r"^[^:;\s]*$")
    seconds: float = Field(default=0, ge=0, le=86_400)
    status: int | None = Field(default=None, ge=400, le=599)
    retry_after: float | None = Field(default=None, ge=0, le=86_400)
    retry_after_date: bool = False
    accepted: int = Field(default=1, ge=0)
    times: int | None = Field(default=1, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _states_stand(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("kind") in STATES:
            return {"times": None} | data
        return data

    @model_validator(mode="after")
    def _fits(self) -> Self:
        possible = _REQUESTS.get(self.kind, tuple(RequestKind))
        if self.request not in (*possible, RequestKind.ANY):
            raise ValueError(f"`{self.kind}` is a fault of {' or '.join(possible)}, not of `{self.request}`")
        if (self.kind in _TIMED) != (self.seconds > 0):
            raise ValueError(f"`{self.kind}` takes {'' if self.kind in _TIMED else 'no '}seconds")
        if (self.kind is FaultKind.ANSWER) != (self.status is not None):
            raise ValueError(f"`{self.kind}` takes {'a' if self.kind is FaultKind.ANSWER else 'no'} status")
        if self.retry_after is not None and self.status is None:
            raise ValueError(f"`{self.kind}` has no answer for a Retry-After to stand in")
        if self.kind is FaultKind.NEW_NAMES and self.registry is not RegistryName.CRATES_IO:
            raise ValueError(f"`{self.kind}` is a limit of crates_io alone")
        if self.kind is FaultKind.NEW_NAMES and not self.accepted:
            raise ValueError(f"`{self.kind}` accepts one at least")
        return self

    def concerns(self, registry: RegistryName, request: RequestKind) -> bool:
        """Whether it is about such a request, whatever the package."""
        possible = _REQUESTS.get(self.kind, (request,))
        return self.registry in (None, registry) and self.request in (RequestKind.ANY, request) and request in possible

    def __str__(self) -> str:
        """The order in words, as `fault_words.parse_faults` reads them."""
        words = {
            FaultKind.ANSWER: f"{self.status}",
            FaultKind.DELAY: f"delay={self.seconds:.12g}",
            FaultKind.LATE: f"late={self.seconds:.12g}",
            FaultKind.PART: "part" if self.accepted == 1 else f"part={self.accepted}",
            FaultKind.NEW_NAMES: f"new-names={self.accepted}",
        }
        usual = None if self.kind in STATES else 1
        often = "" if self.times == usual or self.times is None else f"x{self.times}"
        parts = [self.registry or "any", self.request, words.get(self.kind, self.kind) + often]
        if self.kind is FaultKind.NEW_NAMES:
            parts.append(f"every={self.seconds:.12g}")
        if self.retry_after is not None:
            parts.append(f"retry-after{'-date' if self.retry_after_date else ''}={self.retry_after:.12g}")
        if self.package:
            parts.append(f"package={self.package}")
        if self.times is None and usual is not None:
            parts.append("always")
        return ":".join(parts)
