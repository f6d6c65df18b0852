"""What can go wrong, one class for each thing that a caller does differently.

ReleaseError                 says what is wrong, where, and the way out, in one message
├── InputError               bad input: refused before anything starts
├── ToolError                a tool failed, was too slow, or is missing
│   └── TransientError       an upload failed for the moment, and did not arrive; running again may help
├── RegistryError            a registry refused for good (a 4xx); running again changes nothing
│   └── UntoldError          it refused to say what it holds, or contradicts itself: unknown, never "no"
├── UnavailableError         a registry could not be asked, or answered 408, 429 or 5xx; running again may help
├── ConflictError            other content is published under the same version
├── TryAgainError            failed for the moment, and the same run is to wait and try again
├── NotVisibleError          uploaded, but the index does not serve it yet; running again resolves it
└── GateError                no `go` for this very manifest and mode
"""


class ReleaseError(Exception):
    """Base of all errors that this package raises on purpose."""


class InputError(ReleaseError):
    """Configuration, source, manifest or environment that no release can start with."""


class ToolError(ReleaseError):
    """A tool that failed, overran its time limit, or is not installed."""


class TransientError(ToolError):
    """An upload that failed for the moment (a lost connection, 408, 429, 5xx), and the registry lacks the files.

    `retry_after`: seconds to wait, where the registry named them.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RegistryError(ReleaseError):
    """A registry's refusal that running again does not change."""


class UntoldError(RegistryError):
    """A registry that does not let itself be asked, or gives other bytes than it states: what it holds is unknown."""


class UnavailableError(ReleaseError):
    """A registry that could not be asked. What it holds is unknown, which is never "no".

    `retry_after`: seconds to wait, where the registry named them.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TryAgainError(ReleaseError):
    """A package that failed for the moment: who runs it waits `seconds`, then tries again, `attempts` times in all."""

    def __init__(self, message: str, *, seconds: int, attempts: int) -> None:
        super().__init__(message)
        self.seconds = seconds
        self.attempts = attempts


class ConflictError(ReleaseError):
    """The version is taken by other content."""


class NotVisibleError(ReleaseError):
    """The upload was accepted, but the registry's index does not serve it within the limit."""


class GateError(ReleaseError):
    """An upload without the gate's `go`."""
