"""The faults that are ordered, in the folder that holds everything.

    faults/<number>.json     an order, and how often it struck; replaced whole
    faults/.lock             held while an order is changed; the kernel frees it when its holder dies

So orders hold in every server over the folder, those to come as well, and each strike is used up by exactly one
request.
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tasker_release_pipeline.loopback.faults import Fault
from tasker_release_pipeline.loopback.storage import replace


class Order(BaseModel):
    """A fault that was ordered, and when. `struck`: how often it did; `files`: what it struck, where it strikes files.

    `let_through`: the uploads that a `part` has let pass. `full_again`: when a `new-names` accepts all its burst again.
    Orders stay after their last strike, as a record.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    fault: Fault
    at: datetime
    struck: int = 0
    let_through: int = 0
    full_again: datetime | None = None
    files: tuple[str, ...] = ()

    @property
    def left(self) -> int | None:
        """How often it will strike yet; None: until it is withdrawn."""
        return None if self.fault.times is None else max(0, self.fault.times - self.struck)


def order(root: Path, fault: Fault) -> Order:
    """Order a fault in the registries over `root`, which need not exist or be served yet."""
    with _locked(root):
        number = max((placed.number for placed in orders(root)), default=0) + 1
        return _write(root, Order(number=number, fault=fault, at=datetime.now(UTC)))


def orders(root: Path) -> list[Order]:
    """All orders, in the sequence in which they were given; those that are used up are among them."""
    found = []
    for path in _folder(root).glob("[0-9]*.json"):
        with suppress(FileNotFoundError):  # withdrawn in this moment
            found.append(Order.model_validate_json(path.read_bytes()))
    return sorted(found, key=lambda placed: placed.number)


def withdraw(root: Path, number: int | None = None) -> int:
    """Withdraw one order, or all of them; how many there were."""
    with _locked(root):
        found = [placed for placed in orders(root) if number in (None, placed.number)]
        for placed in found:
            _path(root, placed.number).unlink()
    return len(found)


def strike(root: Path, number: int) -> bool:
    """Use up one strike; False if there is none left."""
    with _locked(root):
        placed = _current(root, number)
        if placed is None or placed.left == 0:
            return False
        _write(root, placed.model_copy(update={"struck": placed.struck + 1}))
        return True


def strike_file(root: Path, placed: Order, file: str) -> bool:
    """Whether the order strikes this file; one that it struck once it strikes for ever, at no further cost."""
    if file in placed.files:
        return True
    if placed.left == 0:
        return False
    with _locked(root):
        current = _current(root, placed.number)
        if current is None or (current.left == 0 and file not in current.files):
            return False
        if file not in current.files:
            _write(root, current.model_copy(update={"struck": current.struck + 1, "files": (*current.files, file)}))
        return True


def strike_after(root: Path, number: int) -> bool:
    """As `strike`, once as many as `Fault.accepted` have been let through."""
    with _locked(root):
        placed = _current(root, number)
        if placed is None or placed.left == 0:
            return False
        passes = placed.let_through < placed.fault.accepted
        counter = "let_through" if passes else "struck"
        _write(root, placed.model_copy(update={counter: getattr(placed, counter) + 1}))
        return not passes


def strike_over_rate(root: Path, number: int, now: datetime) -> datetime | None:
    """Take one of those that a `new-names` accepts; where none is left strike, and give the time of the next one."""
    with _locked(root):
        placed = _current(root, number)
        if placed is None or placed.left == 0:
            return None
        every = timedelta(seconds=placed.fault.seconds)
        full_again = max(placed.full_again or now, now) + every
        free = full_again - placed.fault.accepted * every
        if free > now:
            _write(root, placed.model_copy(update={"struck": placed.struck + 1}))
            return free
        _write(root, placed.model_copy(update={"full_again": full_again}))
        return None


def _folder(root: Path) -> Path:
    return root / "faults"


def _path(root: Path, number: int) -> Path:
    return _folder(root) / f"{number}.json"


def _current(root: Path, number: int) -> Order | None:
    try:
        return Order.model_validate_json(_path(root, number).read_bytes())
    except FileNotFoundError:
        return None


def _write(root: Path, placed: Order) -> Order:
    replace(_path(root, placed.number), placed.model_dump_json().encode())
    return placed


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    _folder(root).mkdir(parents=True, exist_ok=True)
    with (_folder(root) / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
