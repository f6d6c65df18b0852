"""`SHA256SUMS`, as `sha256sum --check` reads it."""

import hashlib
import re
from collections.abc import Mapping


def asset_name(file: str) -> str:
    """The name that GitHub gives a file of a release: what is neither letter, digit, `.`, `-` nor `_` becomes a dot."""
    return re.sub(r"[^A-Za-z0-9._-]", ".", file).strip(".")


def sums(digests: Mapping[str, str]) -> str:
    """One line for each file, sorted by name. `digests`: SHA-256 in hex by file."""
    return "".join(f"{digests[file]}  {file}\n" for file in sorted(digests))


def sha256(content: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()
