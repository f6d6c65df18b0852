"""What steps print, in files for the web UI and on the terminal, without Dagster's four processes for each step."""

import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import dagster as dg

# An instance's plug-ins derive from these; Dagster's documentation names them by this path alone.
from dagster._core.storage.compute_log_manager import CapturedLogContext, ComputeIOType
from dagster._core.storage.local_compute_log_manager import IO_TYPE_EXTENSION, LocalComputeLogManager

_LOOK_SECONDS = 0.1
_PIECE_BYTES = 1 << 16
_PATIENCE_SECONDS = 30.0
"""For a terminal that takes nothing."""


class StepLogs(LocalComputeLogManager):
    """Dagster's own files in its own place; a thread, not two `tail`s and two Pythons, shows them on the terminal."""

    @classmethod
    def config_type(cls) -> Any:
        """Nothing to configure."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> "StepLogs":  # noqa: ARG003  # Dagster's signature
        """From dagster.yaml."""
        return cls(base_dir="", inst_data=inst_data)

    def register_instance(self, instance: dg.DagsterInstance) -> None:
        """Dagster's call when the instance is there: its folder is known now."""
        super().register_instance(instance)
        self._base_dir = instance.storage_directory()

    @contextmanager
    def capture_logs(self, log_key: Sequence[str]) -> Iterator[CapturedLogContext]:
        """As Dagster's; all that was printed is on the terminal when it ends."""
        with ExitStack() as stack:
            for stream, kind in ((sys.stdout, ComputeIOType.STDOUT), (sys.stderr, ComputeIOType.STDERR)):
                path = Path(self.get_captured_local_path(log_key, IO_TYPE_EXTENSION[kind]))
                path.parent.mkdir(parents=True, exist_ok=True)
                stack.enter_context(_to_file(stream, path))
            yield CapturedLogContext(log_key)
        Path(self.complete_artifact_path(log_key)).touch()  # type: ignore[no-untyped-call]


@contextmanager
def _to_file(stream: TextIO, path: Path) -> Iterator[None]:
    try:
        number = stream.fileno()
    except (OSError, ValueError):  # a test's stand-in has none
        yield
        return
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    shown, begin, ended = os.dup(number), os.fstat(file).st_size, threading.Event()
    follower = threading.Thread(target=_show, args=(path, begin, shown, ended), daemon=True)
    stream.flush()
    os.dup2(file, number)
    os.close(file)
    follower.start()
    try:
        yield
    finally:
        stream.flush()
        os.dup2(shown, number)
        ended.set()
        follower.join(_PATIENCE_SECONDS)


def _show(path: Path, begin: int, shown: int, ended: threading.Event) -> None:
    """Write what the file gets from `begin` on to the descriptor `shown`, until the end; a terminal may be gone."""
    with path.open("rb", buffering=0) as file, os.fdopen(shown, "wb", buffering=0) as terminal, suppress(OSError):
        file.seek(begin)
        is_last = False
        while not is_last:
            is_last = ended.wait(_LOOK_SECONDS)
            while piece := file.read(_PIECE_BYTES):
                while piece:
                    piece = piece[terminal.write(piece) :]
