"""`/_faults`: ordering faults, seeing which struck, withdrawing them, while a server runs."""

import json
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tasker_release_pipeline.loopback.fault_words import checked_fault, parse_faults
from tasker_release_pipeline.loopback.faults import Fault
from tasker_release_pipeline.loopback.orders import Order, order, orders, withdraw
from tasker_release_pipeline.release.errors import InputError


def routes(root: Path) -> list[Route]:
    """`GET`, `POST` and `DELETE /_faults`, and `DELETE /_faults/NUMBER`."""

    async def show(_: Request) -> Response:
        return JSONResponse([_told(placed) for placed in orders(root)])

    async def place(request: Request) -> Response:
        """All of the body's faults are ordered, or none."""
        try:
            faults = _read(await request.body())
        except InputError as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse([_told(order(root, fault)) for fault in faults], 201)

    async def take_back(request: Request) -> Response:
        number = request.path_params.get("number")
        withdrawn = withdraw(root, number)
        if number is not None and not withdrawn:
            return JSONResponse({"error": f"no fault {number} is ordered"}, 404)
        return JSONResponse({"withdrawn": withdrawn})

    return [
        Route("/_faults", show),
        Route("/_faults", place, methods=["POST"]),
        Route("/_faults", take_back, methods=["DELETE"]),
        Route("/_faults/{number:int}", take_back, methods=["DELETE"]),
    ]


def _told(placed: Order) -> dict[str, Any]:
    return {"words": str(placed.fault), "left": placed.left} | placed.model_dump(mode="json")


def _read(body: bytes) -> tuple[Fault, ...]:
    """A string in words, a fault as an object, or a list of these. Raises InputError."""
    try:
        data = json.loads(body)
    except ValueError as error:
        raise InputError(f"the body is not JSON: {error}") from None
    faults: list[Fault] = []
    for entry in data if isinstance(data, list) else [data]:
        if isinstance(entry, str):
            faults += parse_faults(entry)
        else:
            faults.append(checked_fault(entry, json.dumps(entry)))
    return tuple(faults)
