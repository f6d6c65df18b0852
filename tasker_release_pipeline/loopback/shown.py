"""What the indexes show of what is held: the same, but for the orders `late` and `wrong-checksum`.

Uploads and downloads go by what is held; so a version that is not shown yet is refused as a duplicate all the same.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any

from tasker_release_pipeline.loopback import npm_publish, pypi_upload
from tasker_release_pipeline.loopback.faults import FaultKind, RequestKind
from tasker_release_pipeline.loopback.names import canonical
from tasker_release_pipeline.loopback.orders import Order, orders, strike_file
from tasker_release_pipeline.loopback.storage import Record, Storage


def records(storage: Storage, package: str) -> list[Record]:
    """As `Storage.records`."""
    found = storage.records(package)
    for placed in _concerned(storage, package) if found else ():
        found = [shown for record in found if (shown := _shown(storage, placed, record)) is not None]
    return found


def record(storage: Storage, package: str, key: str) -> Record | None:
    """As `Storage.record`."""
    found = storage.record(package, key)
    for placed in _concerned(storage, package):
        if found is not None:
            found = _shown(storage, placed, found)
    return found


def corrupted(data: bytes) -> bytes:
    """Other bytes of the same length."""
    return bytes([data[0] ^ 1]) + data[1:] if data else data


def _concerned(storage: Storage, package: str) -> list[Order]:
    kinds = (FaultKind.LATE, FaultKind.WRONG_CHECKSUM)
    return [
        placed
        for placed in orders(storage.root)
        if placed.fault.kind in kinds
        and placed.fault.concerns(storage.registry, RequestKind.INDEX)
        and (not placed.fault.package or canonical(storage.registry, placed.fault.package) == package)
    ]


def _shown(storage: Storage, placed: Order, held: Record) -> Record | None:
    """The record as this order has it shown; None if it has it hidden."""
    file = held["filename"]
    if placed.fault.kind is FaultKind.LATE:
        accepted = datetime.fromisoformat(held["created_at"])
        age = (datetime.now(UTC) - accepted).total_seconds()
        is_early = placed.at <= accepted and age < placed.fault.seconds
        return None if is_early and strike_file(storage.root, placed, file) else held
    return _with_other_digests(storage, held) if strike_file(storage.root, placed, file) else held


def _with_other_digests(storage: Storage, held: Record) -> Record:
    """The record of a file with other bytes, in whichever kinds of digest the registry states."""
    file = storage.file(held["sha256"])
    if not file.exists():  # an earlier order has changed its digests already
        return held
    other = corrupted(file.read_bytes())
    sha256 = hashlib.sha256(other).hexdigest()
    changed: dict[str, Any] = {"sha256": sha256}
    if "index" in held:
        changed["index"] = held["index"] | {"cksum": sha256}
    if "digests" in held:
        changed["digests"] = pypi_upload.digests_of(other)
    if "manifest" in held:
        dist = held["manifest"]["dist"] | npm_publish.digests_of(other)
        changed["manifest"] = held["manifest"] | {"dist": dist}
    return held | changed
