"""Dagster's loop over the steps rests while all that is left waits for its next attempt."""

import time

# Nothing public has a hold on it: the multiprocess executor's loop never pauses, and takes a core while a step waits.
from dagster._core.execution.plan.active import ActiveExecution
from dagster._core.executor import multiprocess

_REST_SECONDS = 0.1  # a signal is noticed this much later at most


class RestingExecution(ActiveExecution):
    """Asks ten times a second while no step runs and one waits."""

    def check_for_interrupts(self) -> bool:
        """As Dagster's, which calls it once a round."""
        if not self.has_in_flight_steps:
            until_next: float = self.sleep_interval()  # type: ignore[no-untyped-call]
            time.sleep(max(0.0, min(until_next, _REST_SECONDS)))
        return super().check_for_interrupts()


def rest_while_steps_wait() -> None:
    """Let the multiprocess executor of this process rest."""
    multiprocess.ActiveExecution = RestingExecution  # type: ignore[attr-defined]
