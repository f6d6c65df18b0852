"""From an upload until the index serves it."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass

from tasker_release_pipeline.registries.compare import Verdict
from tasker_release_pipeline.registries.endpoints import TITLES
from tasker_release_pipeline.registries.question import Answer, Question
from tasker_release_pipeline.release.errors import NotVisibleError, RegistryError, UnavailableError

FIRST_PAUSE, GROWTH, LONGEST_PAUSE = 0.2, 1.6, 10.0


@dataclass(frozen=True)
class Sight:
    """The last look of a while. `seconds`: how long the while was. `answer` None: the registry could not be asked.

    `state`: what stands in the way, in words; empty where all of it is served. `retry_after`: as UnavailableError's.
    """

    seconds: float
    answer: Answer | None
    state: str
    retry_after: float | None = None

    @property
    def served(self) -> bool:
        """Whether everything that was looked for is there, with the same content."""
        return not self.state


def watch(question: Question, files: Collection[str], seconds: float, log: Callable[[str], None]) -> Sight:
    """Ask, with growing pauses, until the registry serves `files` or `seconds` have passed.

    It asks once at least, and at the very end. Raises ConflictError for other content.
    """
    title, started, pause = TITLES[question.client.registry], time.monotonic(), FIRST_PAUSE
    while True:
        sight = _look(question, files, started)
        if sight.served or sight.seconds >= seconds:
            return sight
        log(f"{question.name} {question.version}: {title} {sight.state}; {sight.seconds:.0f} of {seconds:.0f} s")
        time.sleep(min(max(pause, sight.retry_after or 0), seconds - sight.seconds))
        pause = min(pause * GROWTH, LONGEST_PAUSE)


def wait_until_visible(
    question: Question,
    files: Collection[str],
    limit_seconds: float,
    log: Callable[[str], None],
    known: str = "",
) -> Sight:
    """Ask until the registry serves `files` of the version with the same content.

    `known`: why they have to be there, if not as they were uploaded. Raises NotVisibleError past the
    limit, ConflictError for other content.
    """
    sight = watch(question, files, limit_seconds, log)
    if sight.served:
        return sight
    title = TITLES[question.client.registry]
    for_ever = "; if it stays so, it was yanked or deleted there, and its number is used up: release the next one"
    raise NotVisibleError(
        f"{question.name} {question.version}: {known or f'uploaded to {title}'}, not yet visible after "
        f"{sight.seconds:.0f} s ({title} {sight.state}); run again: what is there by then counts as published, and "
        f"nothing is uploaded twice{for_ever if known else ''}"
    )


def _look(question: Question, files: Collection[str], started: float) -> Sight:
    try:
        answer = question.look()
    except (UnavailableError, RegistryError) as error:
        wait = error.retry_after if isinstance(error, UnavailableError) else None
        return Sight(time.monotonic() - started, None, f"could not be asked: {error}", wait)
    seconds = time.monotonic() - started
    if answer.verdict is Verdict.UNKNOWN:
        return Sight(seconds, answer, f"contradicts itself: {'; '.join(answer.doubts)}")
    missing = [file for file in files if file in answer.comparison.missing]
    return Sight(seconds, answer, f"does not serve {', '.join(missing)} yet" if missing else "")
