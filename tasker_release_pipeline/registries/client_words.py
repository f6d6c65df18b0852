"""What became of an upload, by the words of the client that failed: cargo, gem, uv and npm.

Each says why it failed on its terminal only. A status is the registry's answer to the upload itself; the rest are the
clients' own words. Taken from their sources (cargo `crates/crates-io/lib.rs` and `ops/registry/publish.rs` with curl's
error codes; RubyGems `request.rb` and `gemcutter_utilities.rb`; uv `uv-publish/src/lib.rs` with reqwest and hyper; npm
`npm-registry-fetch` with Node's error codes), and each seen with cargo 1.95, RubyGems 3.3, uv 0.13 and npm 11 against
registries that fail to order. The registries' own words are from theirs: crates.io `rate_limiter.rs`, RubyGems
`pusher.rb`, PyPI `forklift/legacy.py`.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tasker_release_pipeline.registries.http import retry_after
from tasker_release_pipeline.release.endpoints import RegistryName


class Fate(StrEnum):
    """What became of a file whose upload failed.

    accepted: the client says so, and failed after that. duplicate: refused, as the registry has this version or file.
    busy: not accepted for the moment (408, 429, or the registry was not reached). lost: perhaps accepted; another try
    may tell (the connection broke, or 5xx). cut_off: perhaps accepted; we, or someone else, ended the client. refused:
    not accepted, and trying again alone does not help. untold: sent, and the client says nothing that we know.
    """

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    BUSY = "busy"
    LOST = "lost"
    CUT_OFF = "cut_off"
    REFUSED = "refused"
    UNTOLD = "untold"


@dataclass(frozen=True)
class Failure:
    """A failed upload. `retry_after`: seconds to wait, where the registry named them."""

    fate: Fate
    retry_after: float | None = None

    @property
    def passing(self) -> bool:
        """Whether another try may help."""
        return self.fate in (Fate.BUSY, Fate.LOST)

    @property
    def may_have_arrived(self) -> bool:
        """Whether the registry may have accepted the file all the same."""
        return self.fate in (Fate.LOST, Fate.CUT_OFF, Fate.UNTOLD)


@dataclass(frozen=True)
class _Words:
    """Patterns of one client. `sending`: it has begun to send; before that nothing can have arrived.

    `status`: the answer to the upload, as its group. `lost`, `unreached`: the connection broke, or there was none.
    `ahead`: the trouble of what comes before sending. `busy`: refused for now under a status that says otherwise.
    """

    sending: str
    status: str
    duplicate: str
    lost: str
    unreached: str
    ahead: str = "(?!)"
    busy: str = "(?!)"
    accepted: str = "(?!)"


_WORDS = {
    RegistryName.CRATES_IO: _Words(
        sending=r"^ *Uploading ",
        # With a body of JSON (since cargo 1.77, and before); with any other, which has the headers printed as well.
        status=r"(?:with an error \(status |api errors \(status |failed to get a 200 OK response, got )(\d{3})",
        duplicate=r"is already uploaded|already exists on ",
        lost=r"failed to publish.*\[(?:16|18|28|35|52|55|56|92)\] |Request timed out after 30 seconds",
        unreached=r"failed to publish.*\[[567]\] ",
        ahead=r"download of \S+ failed|failed to download from ",
        # Then it waits for its index, and fails if that can't be read.
        accepted=r"^ *Uploaded ",
    ),
    RegistryName.RUBYGEMS: _Words(
        # Ended from outside, it loses what it has printed.
        sending=r"^POST |its time limit, and ended|: ended by SIG",
        status=r"^POST \S+\n(\d{3})\b",
        duplicate=r"Repushing of gem versions is not allowed",
        # It sends a dropped request once more: whatever it says then, the first may have arrived.
        lost=r"^connection reset after \d|too many (?:connection resets|bad responses)|^bad response$|"
        r"\((?:EOFError|IOError|Net::\w*Timeout|Errno::(?:ECONN(?:RESET|ABORTED)|EPIPE|ETIMEDOUT))\)",
        unreached=r"Failed to open TCP connection",
        ahead=r"Failed to open TCP connection",
    ),
    RegistryName.PYPI: _Words(
        sending=r"^Uploading ",
        status=r"Server returned status code (\d{3})",
        duplicate=r"File already exists",
        lost=r"Failed to send POST request(?!.*client error \(Connect\))",
        unreached=r"client error \(Connect\)",
    ),
    RegistryName.NPM: _Words(
        sending=r"^npm notice Publishing to ",
        status=r"^npm (?:error|ERR!) code E(\d{3})$",
        duplicate=r"cannot publish over",
        lost=r"^npm (?:error|ERR!) code (?:ECONNRESET|ECONNABORTED|EPIPE|ETIMEDOUT|ESOCKETTIMEDOUT|ERR_SOCKET_TIMEOUT|"
        r"EIDLETIMEOUT|ERR_STREAM_PREMATURE_CLOSE)$",
        unreached=r"^npm (?:error|ERR!) code (?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH)$",
        # A 409: another write to the packument came in between.
        busy=r"Failed to save packument",
    ),
}
_BUSY = (408, 425, 429)
# The runner's words for a client that it ended, or that died of a signal.
_CUT_OFF = r"its time limit, and ended|: ended by SIG"
# crates.io's, which has no other way to be heard through cargo; and the header, where cargo prints it.
_WAIT = (
    r"Please try again after (\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} GMT)",
    r"^\s*retry-after: (.+?)\s*$",
)


def read(registry: RegistryName, said: str, now: datetime | None = None) -> Failure:
    """What a failed client's output tells of its upload. `said`: all its lines, and the runner's."""
    words = _WORDS[registry]

    def says(pattern: str) -> bool:
        return re.search(pattern, said, re.MULTILINE | re.DOTALL) is not None

    statuses = [int(status) for status in re.findall(words.status, said, re.MULTILINE)]
    status = statuses[-1] if statuses else 0
    # The first that holds.
    fates = (
        (Fate.ACCEPTED, says(words.accepted)),
        (Fate.DUPLICATE, says(words.duplicate)),
        (Fate.BUSY, not says(words.sending) and says(words.ahead)),
        (Fate.REFUSED, not says(words.sending)),
        (Fate.LOST, says(words.lost) or status >= 500),
        (Fate.BUSY, status in _BUSY or says(words.busy) or says(words.unreached)),
        (Fate.CUT_OFF, says(_CUT_OFF)),
        (Fate.REFUSED, status > 0),
    )
    fate = next((fate for fate, holds in fates if holds), Fate.UNTOLD)
    return Failure(fate, _wait(said, now))


def _wait(said: str, now: datetime | None) -> float | None:
    named = (found[1] for pattern in _WAIT if (found := re.search(pattern, said, re.MULTILINE | re.IGNORECASE)))
    return next((seconds for value in named if (seconds := retry_after(value, now)) is not None), None)
