"""What a run shows while it works: on a terminal one line that changes, elsewhere every line as it comes."""

import re
import shutil
import sys
import threading
import time
from types import TracebackType

import click

_LINE = re.compile(r"(\d\d:\d\d:\d\d) (\S+) +(.*)")
_WARNED = ("WARNING ", "ERROR ", "CRITICAL ")


class Progress:
    """Takes the lines of a run: `12:34:56 step  message`, and whatever else it prints.

    On a terminal the tools' lines pass by on the last line, with the time since the start; what lasts is the start of
    each step, warnings, errors, and the summary. Elsewhere each line lasts.
    """

    def __init__(self) -> None:
        self._live = sys.stdout.isatty()
        self._started = time.monotonic()
        self._last = ""
        self._seen: set[str] = set()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._clock = threading.Thread(target=self._tick, name="progress", daemon=True)

    def __enter__(self) -> "Progress":
        if self._live:
            self._clock.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._live:
            self._clock.join()
            self._wipe()

    def line(self, line: str) -> None:
        """One line of the run's output."""
        if not self._live:
            click.echo(line)
            return
        match = _LINE.fullmatch(line)
        with self._lock:
            if match is None:
                self._wipe()
                click.echo(line)
                return
            at, step, said = match.groups()
            if said.startswith(_WARNED):
                self._wipe()
                click.secho(line, fg="yellow" if said.startswith("WARNING ") else "red")
            elif step not in self._seen:
                self._seen.add(step)
                self._wipe()
                click.echo(f"{at} {click.style(step, bold=True)}")
            self._last = f"{step}  {said}"
            self._draw()

    def _tick(self) -> None:
        while not self._ended.wait(1):
            with self._lock:
                self._draw()

    def _draw(self) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        width = shutil.get_terminal_size().columns - 1
        click.echo(f"\r\033[K{f'{minutes:02}:{seconds:02}  {self._last}'[:width]}", nl=False)

    def _wipe(self) -> None:
        click.echo("\r\033[K", nl=False)
