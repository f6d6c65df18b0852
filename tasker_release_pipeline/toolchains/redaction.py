"""Takes secrets out of what tools print."""

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus


class Redactor:
    """Replaces secrets by `***`: as they are, URL-quoted, and inside any base64 such as that of `user:token`."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._learn(*secrets)

    def __call__(self, line: str) -> str:
        """The line without its secrets. What a tool asks GitHub to mask is a secret from then on."""
        if masked := re.match(r"::add-mask::(.+)", line):
            self._learn(masked[1].strip())
        return self._pattern.sub("***", line) if self._pattern else line

    def _learn(self, *secrets: str) -> None:
        self._secrets |= set(secrets) - {"", "***"}
        forms = {form for secret in self._secrets for form in (secret, quote(secret, safe=""), quote_plus(secret))}
        patterns = [re.escape(form) for form in sorted(forms, key=len, reverse=True)]
        # The base64 of a short secret would match innocent text.
        cores = {core for secret in self._secrets if len(secret) >= 8 for core in _base64_cores(secret)}
        patterns += [rf"[\w+/-]*{re.escape(core)}[\w+/-]*={{0,2}}" for core in sorted(cores)]
        self._pattern = re.compile("|".join(patterns)) if patterns else None


def _base64_cores(secret: str) -> Iterable[str]:
    """What base64 makes of `secret` whatever stands before and behind it, for each of the three alignments."""
    raw = secret.encode()
    for offset, start in ((0, 0), (1, 2), (2, 3)):
        groups, rest = divmod(offset + len(raw), 3)
        core = base64.b64encode(b"\0" * offset + raw).decode()[start : groups * 4 + rest]
        yield core
        yield core.replace("+", "-").replace("/", "_")
