"""The faults that strike requests, in front of all registries."""

import asyncio
import math
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tasker_release_pipeline.loopback import crates_io, npm
from tasker_release_pipeline.loopback.dropping import drop
from tasker_release_pipeline.loopback.fault_rate import TooManyNewCratesError, http_date
from tasker_release_pipeline.loopback.fault_requests import Asked, asked, package_of
from tasker_release_pipeline.loopback.faults import Fault, FaultKind, RequestKind
from tasker_release_pipeline.loopback.names import canonical
from tasker_release_pipeline.loopback.orders import Order, orders, strike, strike_after, strike_file
from tasker_release_pipeline.loopback.shown import corrupted
from tasker_release_pipeline.release.endpoints import RegistryName

_STATUS = {FaultKind.PART: 503, FaultKind.FULL: 507}
_SAYING = {
    FaultKind.PART: "the service is unavailable",
    FaultKind.FULL: "no space left on device, nothing was stored",
}


class Faults:
    """ASGI middleware: lets the orders in the folder `root` strike.

    But `late` and an index's digests, which are in `shown`, and `new-names`, which knows what is new, in `fault_rate`.
    """

    def __init__(self, app: ASGIApp, root: Path) -> None:
        self.app = app
        self.root = root

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request, or not."""
        about = asked(scope["method"], scope["path"]) if scope["type"] == "http" else None
        concerned = [placed for placed in orders(self.root) if about and _concerns(placed, about)] if about else []
        if about is None or not concerned:
            await self.app(scope, receive, send)
            return
        # Read whole first: a client can't tell "dropped before" from "dropped after" by how far it got with sending.
        if (body := await _read(receive)) is None:
            return
        content_type = Headers(scope=scope).get("content-type", "")
        for placed in concerned:
            fault = placed.fault
            if not _is_package(fault, about, content_type, body) or not self._strikes(placed, about):
                continue
            if fault.kind is FaultKind.DELAY:
                await asyncio.sleep(fault.seconds)
            elif fault.kind is FaultKind.WRONG_CHECKSUM:
                send = _corrupting(send)
            elif fault.kind is FaultKind.DROP_BEFORE:
                await drop(scope, receive)
                return
            elif fault.kind is FaultKind.DROP_AFTER:
                await self.app(scope, _again(body), _nowhere)
                await drop(scope, receive)
                return
            else:
                await _answer(placed, about.registry)(scope, receive, send)
                return
        await self.app(scope, _again(body), send)

    def _strikes(self, placed: Order, about: Asked) -> bool:
        if placed.fault.kind is FaultKind.PART:
            return strike_after(self.root, placed.number)
        if placed.fault.kind is FaultKind.WRONG_CHECKSUM:
            return strike_file(self.root, placed, about.file)
        return strike(self.root, placed.number)


def _concerns(placed: Order, about: Asked) -> bool:
    """Whether the order may strike this request, as far as the path tells."""
    fault = placed.fault
    elsewhere = fault.kind in (FaultKind.LATE, FaultKind.NEW_NAMES) or (
        fault.kind is FaultKind.WRONG_CHECKSUM and about.kind is RequestKind.INDEX
    )
    # A file that was struck once stays struck.
    is_over = placed.left == 0 and about.file not in placed.files
    return fault.concerns(about.registry, about.kind) and not elsewhere and not is_over


def _is_package(fault: Fault, about: Asked, content_type: str, body: bytes) -> bool:
    if not fault.package:
        return True
    name = package_of(about.registry, content_type, body) if about.package is None else about.package
    return canonical(about.registry, name) == canonical(about.registry, fault.package)


def _answer(placed: Order, registry: RegistryName) -> Response:
    """A refusal in the form in which the registry's client looks for words."""
    fault = placed.fault
    status = fault.status or _STATUS[fault.kind]
    message = f"{_saying(fault, status, registry)} (fault {placed.number} that was ordered: {fault})"
    if registry is RegistryName.CRATES_IO:
        response: Response = crates_io.refused(message, status)
    elif registry is RegistryName.NPM:
        response = npm.failed(message, status)
    elif registry is RegistryName.PYPI:
        response = PlainTextResponse(f"{status} {_title(status)}\n\n{message}\n", status)
    else:
        response = PlainTextResponse(message, status)
    if fault.retry_after is not None:
        response.headers["retry-after"] = _retry_after(fault.retry_after, fault.retry_after_date)
    return response


def _saying(fault: Fault, status: int, registry: RegistryName) -> str:
    """The registry's own words for a limit, as some clients show nothing else; for the rest, ours."""
    if status == 429 and registry is RegistryName.CRATES_IO and fault.retry_after is not None:
        return str(TooManyNewCratesError(datetime.now(UTC) + timedelta(seconds=fault.retry_after)))
    if status == 429 and registry is RegistryName.RUBYGEMS:
        return "Retry later"
    return _SAYING.get(fault.kind, "try again later" if status == 429 or status >= 500 else "refused")


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _retry_after(seconds: float, as_date: bool) -> str:
    """Whole seconds in both forms, never fewer than ordered."""
    if not as_date:
        return str(math.ceil(seconds))
    return http_date(datetime.now(UTC) + timedelta(seconds=seconds))


async def _read(receive: Receive) -> bytes | None:
    """The request's body; None if the client went away before its end."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


def _again(body: bytes) -> Receive:
    """Hands out a body that was read already; then the client is silent, as it waits for the answer."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    return receive


async def _nowhere(_: Message) -> None:
    """Swallow an answer."""


def _corrupting(send: Send) -> Send:
    """Passes an answer on; of a file that is found, with other bytes."""
    at_start = False

    async def sending(message: Message) -> None:
        nonlocal at_start
        if message["type"] == "http.response.start":
            at_start = message["status"] == 200
        elif at_start and message.get("body"):
            message = {**message, "body": corrupted(message["body"])}
            at_start = False
        await send(message)

    return sending
