"""A registry's no."""


class RefusedError(Exception):
    """What a registry does not take. `status` is the HTTP status; the message is worded as the public registry's."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
