"""What Dagster's loops over steps lack: they rest while nothing but waits is left, and a signal ends them for good.

And a step that is done is not kept waiting by those that have nothing to say; nor the signal by one that is dead.
"""

import threading
import time
from collections.abc import Iterator
from typing import Any

# Nothing public has a hold on it: the multiprocess executor's loop never pauses, and takes a core while a step waits.
# And it tells those steps alone to end that have a process already: one whose turn it is in that very moment starts
# after the signal, and runs to its end, an upload too. The loop in one process hears of no signal while a step waits.
from dagster._core.errors import raise_execution_interrupts
from dagster._core.execution.plan.active import ActiveExecution
from dagster._core.executor import child_process_executor, multiprocess

# How long the loop listens to each running step in turn, for one event. By default 0.02: a step's twenty events beside
# five silent steps would take two seconds.
_LISTEN_SECONDS = 0.002
_REST_SECONDS = 0.1  # a signal is noticed this much later at most

_start_step = multiprocess.execute_step_out_of_process


class StepLoop(ActiveExecution):
    """Asks ten times a second while no step runs and one waits; starts no step after a signal."""

    is_ending = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        StepLoop.is_ending = False  # a process has one run at a time

    def check_for_interrupts(self) -> bool:
        """As Dagster's, which calls it once a round."""
        if not self.has_in_flight_steps:
            until_next: float = self.sleep_interval()  # type: ignore[no-untyped-call]
            time.sleep(max(0.0, min(until_next, _REST_SECONDS)))
        return super().check_for_interrupts()

    def mark_interrupted(self) -> None:
        """As Dagster's, which calls it when a signal came."""
        StepLoop.is_ending = True
        super().mark_interrupted()


def mend_step_loop() -> None:
    """Let the executors of this process rest, and end."""
    ActiveExecution.sleep_til_ready = _sleep_til_ready  # type: ignore[assignment]
    multiprocess.ActiveExecution = StepLoop  # type: ignore[attr-defined]
    child_process_executor.TICK = _LISTEN_SECONDS
    multiprocess.execute_step_out_of_process = _unless_ending  # type: ignore[assignment]


def _sleep_til_ready(loop: ActiveExecution) -> None:
    with raise_execution_interrupts():
        time.sleep(max(0.0, loop.sleep_interval()))  # type: ignore[no-untyped-call]


class _Told:
    """A step's event whose setter waits for nobody: it would wait for ever until a step wakes up that died asleep."""

    def __init__(self, event: Any) -> None:
        self._event = event

    def set(self) -> None:
        """Tell the step to end."""
        threading.Thread(target=self._event.set, name="tell-step", daemon=True).start()


def _unless_ending(*arguments: Any) -> Iterator[Any]:
    events, step, term_events = _start_step(*arguments), arguments[3], arguments[6]
    about_to_start = next(events)
    term_events[step.key] = _Told(term_events[step.key])
    yield about_to_start
    if not StepLoop.is_ending:
        yield from events
