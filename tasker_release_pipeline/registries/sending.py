"""One file onto a registry: sent, and sent again where that may help, with a look at the registry before every try."""

import random
import time
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from pathlib import Path

from tasker_release_pipeline.registries.client_words import Failure, Fate, read
from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.registries.endpoints import TITLES
from tasker_release_pipeline.registries.model import Upload
from tasker_release_pipeline.registries.propagation import Sight, wait_until_visible, watch
from tasker_release_pipeline.registries.question import Question
from tasker_release_pipeline.release.errors import ReleaseError, ToolError, TransientError, UnavailableError


@dataclass(frozen=True)
class Patience:
    """How long an upload is tried, and looked for, before the caller is told. Times in seconds.

    `tries` of one file in all, none of which starts later than `retry` after the first one failed. A wait that the
    registry names is kept; else the pause before try n+1 is random, below `pause` * 2**n. `settle`: how long the index
    may take to serve what was accepted although its client failed.
    """

    tries: int = 3
    retry: float = 20.0
    pause: float = 1.0
    settle: float = 5.0


PATIENCE = Patience()


@dataclass
class Sending:
    """The files of one upload on their way. `accepted`: those that the registry took from us.

    `there`: those of ours that it showed when it was last asked; an earlier run may have sent them.
    """

    question: Question
    upload: Upload
    credentials: Credentials
    patience: Patience
    propagation_seconds: float
    accepted: list[str] = field(default_factory=list)
    there: Collection[str] = ()

    def send(self, path: Path) -> None:
        """Bring one file onto the registry.

        Raises ToolError (refused for good), TransientError (refused for the moment, or not reached), UnavailableError
        (not known whether it arrived), ConflictError, NotVisibleError (refused as a duplicate that is not shown).
        """
        doubtful, first_failed = False, 0.0
        for attempt in range(1, self.patience.tries + 1):
            try:
                failed = self._try(path)
            except ReleaseError as no:
                if not doubtful:
                    raise
                failed = Failure(Fate.REFUSED), no
            if failed is None:
                self.accepted.append(path.name)
                return
            failure, error = failed
            if failure.fate is Fate.DUPLICATE:
                self._log(f"{self._title} has {path.name} already; waiting for its index to say what it is")
                known = f"refused by {self._title} as a duplicate"
                self._note(
                    wait_until_visible(self.question, [path.name], self.propagation_seconds, self.upload.log, known)
                )
                return
            first_failed = first_failed or time.monotonic()
            doubtful = doubtful or failure.may_have_arrived
            # Full jitter: packages that failed together do not come back together.
            pause = random.uniform(0, self.patience.pause * 2**attempt)  # noqa: S311 - no secret hangs on it
            pause = max(pause, failure.retry_after or 0)
            in_time = time.monotonic() + pause <= first_failed + self.patience.retry
            again = failure.passing and attempt < self.patience.tries and in_time
            sight = self._looked_for(path, failure, pause if again else 0)
            if sight.served:
                return
            if not again or sight.answer is None or sight.answer.doubts:
                raise self._end(path, failure, error, sight, doubtful=doubtful, attempt=attempt) from error
            self._log(f"sending {path.name} again, try {attempt + 1} of {self.patience.tries}")

    def _try(self, path: Path) -> tuple[Failure, ReleaseError] | None:
        """Send the file; what the failure tells, where it is one."""
        said: list[str] = []

        def log(line: str) -> None:
            said.append(line)
            self.upload.log(line)

        try:
            self.question.client.upload(replace(self.upload, files=(path,), log=log), self.credentials)
        except UnavailableError as error:  # no credential to be had for the moment: nothing was sent
            return Failure(Fate.BUSY, error.retry_after), error
        except ToolError as error:
            # The error has the last lines only.
            failure = read(self.question.client.registry, "\n".join([*said, str(error)]))
            return None if failure.fate is Fate.ACCEPTED else (failure, error)
        return None

    def _looked_for(self, path: Path, failure: Failure, pause: float) -> Sight:
        """Look for the file while the pause lasts; where it may be there, for as long as the index may take."""
        settle = 0.0 if failure.fate in (Fate.BUSY, Fate.REFUSED) else self.patience.settle
        seconds = max(pause, settle)
        wait = f", and trying again in {seconds:.1f} s" if pause else ""
        self._log(f"the upload failed ({failure.fate}); asking {self._title} whether it arrived all the same{wait}")
        return self._note(watch(self.question, [path.name], seconds, self.upload.log))

    def _note(self, sight: Sight) -> Sight:
        if sight.answer is not None:
            self.there = sight.answer.same
        return sight

    def _end(
        self, path: Path, failure: Failure, error: ReleaseError, sight: Sight, *, doubtful: bool, attempt: int
    ) -> ReleaseError:
        """The error for a file that is not there, as far as is known."""
        start = f"{self.upload.name} {self.upload.version}: the upload failed"
        tried = f" {attempt} times" if attempt > 1 else ""
        words = f"The upload's own words: {error}"
        if sight.answer is None or sight.answer.doubts:
            shown = f"{self._title} {sight.state}"
        else:
            missing = [file for file in sight.answer.comparison.missing if file not in self.accepted]
            has_some = len(missing) < len(self.question.artifacts)
            shown = f"{self._title} has " + (f"all but {', '.join(missing)}" if has_some else "nothing of it")
        wait = failure.retry_after or sight.retry_after
        if doubtful:
            return UnavailableError(
                f"{start}{tried}, and whether {path.name} arrived is unknown: it may have been accepted, but after "
                f"{sight.seconds:.0f} s {shown}. Run again: it asks first, and sends nothing twice. {words}",
                retry_after=wait,
            )
        if failure.passing:
            when = f"in {wait:.0f} s" if wait else "later"
            return TransientError(
                f"{start}{tried}, for the moment; {shown}. Run again {when}: what is there is not sent twice. {words}",
                retry_after=wait,
            )
        return ToolError(
            f"{start}; {shown}. When the cause is mended, run again: what is there is not sent twice. {words}"
        )

    @property
    def _title(self) -> str:
        return TITLES[self.question.client.registry]

    def _log(self, line: str) -> None:
        self.upload.log(f"{self.upload.name} {self.upload.version}: {line}")
