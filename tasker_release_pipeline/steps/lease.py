"""One machine at a time uploads a release to a registry, where its store is remote and no kernel can lock a file.

`<store>/<release>/.lease/<registry>/<number>.json` says who uploads, and until when. A run takes the next number by a
conditional write, which one run alone can win, once the greatest number was given back or has expired; it renews its
own file as long as it works. Nobody ever writes another's file, so that a run which was frozen past its lease can
disturb nobody: it finds the greater number, or no time left, and ends itself.
"""

import inspect
import os
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fsspec import AbstractFileSystem  # type: ignore[import-untyped]
from fsspec.asyn import AsyncFileSystem  # type: ignore[import-untyped]
from pydantic import AwareDatetime, BaseModel, ConfigDict
from upath import UPath

from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.settings import Mode
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.store import make_folder, os_errors

LEASE_SECONDS = 180.0
"""How long a lease holds without being renewed: as long does a killed run keep others out."""
RENEW_SECONDS = 30.0
MARGIN_SECONDS = 60.0
"""A holder that could not renew ends this long before others may take over; clocks may differ by less than that."""


class Lease(BaseModel):
    """Who uploads, and until when. `token` tells this holder from all others; `released`: given back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: str
    run: str
    host: str
    pid: int
    expires: AwareDatetime
    released: bool = False


@dataclass(frozen=True)
class Times:
    """Seconds; see the constants."""

    lease: float = LEASE_SECONDS
    renew: float = RENEW_SECONDS
    margin: float = MARGIN_SECONDS


def _end_this_run(message: str) -> None:
    print(message, file=sys.stderr, flush=True)  # noqa: T201  # the run ends, and nobody else could say why
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def leases(
    run: ReleaseRun,
    registries: Collection[RegistryName],
    *,
    times: Times = Times(),  # frozen
    lost: Callable[[str], None] = _end_this_run,
) -> Iterator[None]:
    """Be the only machine that uploads this release to `registries`, until the block ends.

    Only a live release with a remote store needs it; all else goes on with the machine's own lock. Where a lease is
    lost all the same (the store did not answer for too long), `lost` is called from a thread with the reason.
    Raises InputError: another run holds one, and who, or the store offers no conditional write.
    """
    with ExitStack() as stack:
        if run.mode is Mode.LIVE and run.store.local is None:
            for registry in sorted(registries):
                stack.enter_context(_Chain(run, registry, times).held(lost))
        yield


@dataclass(frozen=True)
class _Chain:
    """The leases of one registry, numbered; the greatest number counts."""

    run: ReleaseRun
    registry: RegistryName
    times: Times

    @property
    def folder(self) -> UPath:
        return self.run.store.folder / ".lease" / self.registry.value

    @contextmanager
    def held(self, lost: Callable[[str], None]) -> Iterator[None]:
        if not offers_conditional_write(type(self.folder.fs)):
            raise InputError(
                f"store {self.run.store.root}: its file system ({type(self.folder.fs).__name__}) offers no conditional "
                "write, without which two machines could upload this release at once; name a store in S3, GCS or "
                "Azure, or a folder of this machine, in TASKER_RELEASE_STORE"
            )
        token = uuid.uuid4().hex
        number = self._take(token)
        ended = threading.Event()
        renewing = threading.Thread(
            target=self._keep, args=(number, token, ended, lost), name=f"lease-{self.registry}", daemon=True
        )
        renewing.start()
        try:
            yield
        finally:
            ended.set()
            renewing.join(self.times.margin)  # it may hang in a store that does not answer
            # One that can't be given back expires.
            with suppress(OSError):
                self._write(number, token, released=True, mode="overwrite")

    def _take(self, token: str) -> int:
        """The number of the lease that is ours from now on. Raises InputError."""
        greatest = self._greatest()
        if greatest and not (holder := self._read(greatest)).released and datetime.now(UTC) < holder.expires:
            raise self._taken(holder)
        number = greatest + 1
        try:
            self._write(number, token, mode="create")
        except OSError as error:
            # Each file system has its own error for "is there already" (s3fs: EINVAL). Or it is ours, and the answer to
            # the first try got lost.
            if number not in self._numbers():
                raise InputError(
                    f"store {self.run.store.root}: the lease cannot be written ({error.strerror or error}); mend its "
                    "permissions, or name another store in TASKER_RELEASE_STORE"
                ) from None
            if (holder := self._read(number)).token != token:
                raise self._taken(holder) from None
        # Numbers below are cleared away by their successor: what we created may be such a one.
        if (latest := self._greatest()) != number:
            raise self._taken(self._read(latest))
        for older in self._numbers():
            if older < number:
                with suppress(OSError), os_errors():
                    (self.folder / f"{older}.json").unlink()
        return number

    def _keep(self, number: int, token: str, ended: threading.Event, lost: Callable[[str], None]) -> None:
        why = "it could not be renewed: the store does not answer"

        def lose() -> None:
            if ended.is_set():  # the uploads are done, and only the store hangs
                return
            ended.set()
            lost(f"release {self.run.release}: the lease for {self.registry} is lost ({why}); this run ends, run again")

        with ExitStack() as last_moment:
            # A clock of its own: a store may also hang instead of failing.
            last_moment.enter_context(_after(self.times.lease - self.times.margin, lose))
            while not ended.wait(self.times.renew):
                now = time.monotonic()
                try:
                    if self._greatest() != number:
                        why = "another run has taken it over"
                        lose()
                        return
                    self._write(number, token, mode="overwrite")
                except Exception as error:  # whatever the file system raises: without an answer the time runs out
                    why = f"it could not be renewed: {error}"
                    continue
                last_moment.close()
                last_moment.enter_context(_after(now + self.times.lease - self.times.margin - time.monotonic(), lose))

    def _write(self, number: int, token: str, *, released: bool = False, mode: str) -> None:
        lease = Lease(
            token=token,
            run=self.run.run,
            host=socket.gethostname(),
            pid=os.getpid(),
            expires=datetime.now(UTC) + timedelta(seconds=self.times.lease),
            released=released,
        )
        content = lease.model_dump_json(indent=2).encode()
        with os_errors():
            make_folder(self.folder)
            self.folder.fs.pipe_file((self.folder / f"{number}.json").path, content, mode=mode)

    def _read(self, number: int) -> Lease:
        path = f".lease/{self.registry}/{number}.json"
        return self.run.store.demand(path, Lease, "another run takes or gives back the release; run again")

    def _greatest(self) -> int:
        return max(self._numbers(), default=0)

    def _numbers(self) -> list[int]:
        self.folder.fs.invalidate_cache()  # of listings, where a file system keeps them
        with os_errors():
            found = list(self.folder.iterdir()) if self.folder.is_dir() else []
        return [int(path.name.removesuffix(".json")) for path in found if path.name.removesuffix(".json").isdigit()]

    def _taken(self, holder: Lease) -> InputError:
        until = holder.expires.astimezone(UTC).isoformat(timespec="seconds")
        return InputError(
            f"release {self.run.release}: run {holder.run} (process {holder.pid} on {holder.host}) is uploading to "
            f"{self.registry}; wait for its end and run again; if it was killed, its lease ends at {until}"
        )


@contextmanager
def _after(seconds: float, act: Callable[[], None]) -> Iterator[None]:
    """Act in a thread once so much time has passed, unless the block has ended before."""
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def offers_conditional_write(kind: type[AbstractFileSystem]) -> bool:
    """Whether `pipe_file(..., mode="create")` is one act in such a file system (s3fs, gcsfs, adlfs).

    fsspec's fallback looks first and writes then, and file systems that do not know `mode` swallow it.
    """
    # Asynchronous file systems make `pipe_file` of a `_pipe_file`.
    writes = getattr(kind, "_pipe_file", kind.pipe_file)
    fallbacks = (AsyncFileSystem._pipe_file, AbstractFileSystem.pipe_file)
    return writes not in fallbacks and "mode" in inspect.signature(writes).parameters
