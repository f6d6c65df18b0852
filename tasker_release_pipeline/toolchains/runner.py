"""The one runner of every tool: its own process group, a time limit, an allow-listed environment, redacted output."""

import os
import re
import selectors
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tasker_release_pipeline.release.errors import ToolError
from tasker_release_pipeline.release.signals import signals_wait
from tasker_release_pipeline.toolchains.redaction import Redactor
from tasker_release_pipeline.toolchains.watchdog import unwatch, watch

GRACE_SECONDS = 3.0
"""From SIGTERM to SIGKILL."""
KEPT_LINES = 2000
SHOWN_LINES = 20

_ANYONES_NAMES = """
    PATH HOME USER LOGNAME SHELL LANG LANGUAGE TMPDIR TZ TERM SDKROOT DEVELOPER_DIR
    SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE NODE_EXTRA_CA_CERTS GIT_SSL_CAINFO NIX_SSL_CERT_FILE
    HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY http_proxy https_proxy no_proxy all_proxy
"""
_BUILDERS_NAMES = """
    CARGO_HOME PROTOC PROTOC_INCLUDE CC CXX AR LD_LIBRARY_PATH LIBCLANG_PATH PKG_CONFIG_PATH SOURCE_DATE_EPOCH
    OPENSSL_DIR OPENSSL_LIB_DIR OPENSSL_INCLUDE_DIR MACOSX_DEPLOYMENT_TARGET
"""
_ANYONES = frozenset(_ANYONES_NAMES.split())
_BUILDERS = frozenset(_BUILDERS_NAMES.split())
_ANYONES_PREFIXES = ("LC_", "RUSTUP_")
_BUILDERS_PREFIXES = ("CARGO_HTTP_", "CARGO_NET_")

_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_live: dict[int, subprocess.Popen[bytes]] = {}

_GET = {
    "cargo": "install Rust from https://rustup.rs",
    "rustc": "install Rust from https://rustup.rs",
    "ruby": "install Ruby 3.1 or newer with its headers (Debian: apt-get install ruby-dev)",
    "gem": "install Ruby 3.1 or newer (Debian: apt-get install ruby-dev)",
    "bundle": "gem install bundler",
    "uv": "pip install 'tasker-release-pipeline[tools]'",
    "maturin": "pip install 'tasker-release-pipeline[tools]'",
    "node": "install Node.js 22.14 or newer from https://nodejs.org",
    "npm": "install Node.js 22.14 or newer from https://nodejs.org",
    "bun": "npm install --global bun",
    "git": "install git (Debian: apt-get install git)",
}


@dataclass(frozen=True)
class Finished:
    """A tool that succeeded. `output`: stdout and stderr as they came, redacted, the last 2,000 lines. `seconds`."""

    output: str
    seconds: float


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    seconds: float,
    log: Callable[[str], None],
    env: Mapping[str, str] | None = None,
    secrets: Iterable[str] = (),
    logfile: Path | None = None,
    builds: bool = True,
) -> Finished:
    """Run a tool to its end, and give each line of its output to `log` the moment it is there.

    `command`: the tool and its arguments. `seconds`: after this long the tool and all that it started are ended.
    `env`: added to (and over) what the environment's allow-list passes on; without `builds` nothing passes that is set
    for compilers, as a user of what was built would not have it. `secrets`: replaced by `***`, also where
    they are URL-quoted or in base64, in `log`, `logfile` (which is appended to), the result and errors. Standard input
    is closed, so that nothing can ask. When `run` is left, by whatever exception too, no process of the tool's group
    is left. Raises ToolError: the tool is missing, was too slow, or failed.
    """
    redact = Redactor(secrets)
    shown = redact(shlex.join(command))
    environment = {**passed_on(os.environ, builds=builds), **(env or {})}
    tool = _find(command[0], cwd, environment)
    with ExitStack() as stack:
        sinks: list[Callable[[str], object]] = [log]
        if logfile is not None:
            logfile.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context(logfile.open("a", encoding="utf-8", buffering=1))
            sinks.append(lambda line: file.write(line + "\n"))
        tail: deque[str] = deque(maxlen=KEPT_LINES)

        def take(raw: bytes) -> None:
            # Colours go first: one within a secret would hide it from the redaction.
            line = redact(_COLOUR.sub("", raw.decode("utf-8", errors="replace")).rstrip("\r"))
            tail.append(line)
            for sink in sinks:
                sink(line)

        for sink in sinks:
            sink(f"$ {shown}")
        started = time.monotonic()
        with signals_wait() as signals_go_on:
            process = subprocess.Popen(
                [*_dies_with_us(), tool, *command[1:]],
                cwd=cwd,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            in_time = False
            try:
                _live[process.pid] = process
                watch(process.pid)
                in_time = _follow(process, started + seconds, take, signals_go_on)
            finally:
                # What a tool leaves behind could still write into the tree that the next step reads.
                _end_group(process, 0 if in_time else GRACE_SECONDS)
    took = time.monotonic() - started
    if not in_time:
        raise ToolError(
            f"{shown} in {cwd}: not done after {seconds:g} s, its time limit, and ended; raise the limit in the "
            f"manifest, or see what it waits for:\n{_relevant(tail)}"
        )
    if process.returncode != 0:
        raise ToolError(f"{shown} in {cwd}: {_status(process.returncode)}:\n{_relevant(tail)}")
    return Finished(output="\n".join(tail), seconds=took)


def end_all() -> None:
    """End every tool that runs now, in whichever thread: `run` raises there. For when the main thread is to stop."""
    for process in list(_live.values()):
        _signal_group(process, signal.SIGKILL)


def passed_on(environment: Mapping[str, str], *, builds: bool = True) -> dict[str, str]:
    """What of `environment` every tool gets: where things are and whom to trust, no tokens and no build flags.

    Without `builds` nothing either that tells compilers where things are.
    """
    names = _ANYONES | _BUILDERS if builds else _ANYONES
    prefixes = _ANYONES_PREFIXES + _BUILDERS_PREFIXES if builds else _ANYONES_PREFIXES
    return {name: value for name, value in environment.items() if name in names or name.startswith(prefixes)}


def _find(tool: str, cwd: Path, environment: Mapping[str, str]) -> str:
    if not cwd.is_dir():
        raise ToolError(f"{tool}: its working folder {cwd} does not exist")
    # A path with a slash is relative to the tool's own working folder.
    candidate = str(cwd / tool) if "/" in tool else tool
    found = shutil.which(candidate, path=environment.get("PATH", os.defpath))
    if found is None:
        name = Path(tool).name
        raise ToolError(f"{name} is missing: {_GET.get(name, f'install it, or add the folder of {tool} to PATH')}")
    return found


@cache
def _dies_with_us() -> tuple[str, ...]:
    """The wrapper that ends the tool when this process is killed outright (Linux), where util-linux has it.

    It sets PR_SET_PDEATHSIG and then becomes the tool. `preexec_fn` could do the same, but runs Python between fork
    and exec, which can deadlock where other threads (Dagster's) hold locks.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return ()
    wrapper = (setpriv, "--pdeathsig", "KILL", "--")
    probe = subprocess.run([*wrapper, "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return wrapper if probe.returncode == 0 else ()


def _follow(
    process: subprocess.Popen[bytes], deadline: float, take: Callable[[bytes], None], signals_go_on: Callable[[], None]
) -> bool:
    """Read the output until the tool has ended; False if it has not by `deadline` (of the monotonic clock)."""
    assert process.stdout is not None  # noqa: S101 - for mypy: it was started with a pipe
    pipe, rest, ended = process.stdout.fileno(), b"", False
    os.set_blocking(pipe, False)
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0:
            signals_go_on()
            # Asked before reading: all that the tool itself wrote is then in the pipe already. A process that it
            # left behind may hold the pipe open, or write, for ever, and is not waited for.
            if not ended and process.poll() is not None:
                ended, deadline = True, min(deadline, time.monotonic() + 1)
            if selector.select(0 if ended else min(left, 0.05)):
                chunk = os.read(pipe, 1 << 16)
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    take(line)
                if chunk:
                    continue
                selector.unregister(pipe)  # closed, but the tool may go on
            if ended:
                break
        if rest:
            take(rest)
    return process.poll() is not None


def _end_group(process: subprocess.Popen[bytes], grace: float) -> None:
    """End the tool and all that it started: SIGTERM, and SIGKILL for what is left after `grace` seconds."""
    try:
        if grace:
            _signal_group(process, signal.SIGTERM)
            _wait_for_group(process, grace)
    finally:
        _signal_group(process, signal.SIGKILL)
        if process.stdout is not None:
            process.stdout.close()
        process.wait()
        # On a busy machine the killed take a moment to go, and could still write.
        _wait_for_group(process, 2.0)
        _live.pop(process.pid, None)
        unwatch(process.pid)


def _wait_for_group(process: subprocess.Popen[bytes], seconds: float) -> None:
    until = time.monotonic() + seconds
    while _runs(process) and time.monotonic() < until:
        process.poll()  # a leader that was not waited for still counts as a member
        time.sleep(0.02)


def _runs(process: subprocess.Popen[bytes]) -> bool:
    """Whether anybody of the group does. Orphans that were killed count until init has waited for them: seconds."""
    if not _signal_group(process, 0):
        return False
    if sys.platform != "linux":
        return True
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            state, _, group, *_ = stat.read_text().rpartition(")")[2].split()
            if group == str(process.pid) and state not in "ZX":
                return True
    return False


def _signal_group(process: subprocess.Popen[bytes], number: int) -> bool:
    """Whether there was anybody in the group. (macOS refuses to signal a group of zombies: nobody, too.)"""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
        return True
    return False


def _relevant(tail: Iterable[str]) -> str:
    """The last lines; where an error was named earlier (compilers do, then say much), from there, and the very end."""
    lines = list(tail)
    errors = [i for i, line in enumerate(lines) if re.match(r"\s*(npm )?(error|err!)\b", line, re.IGNORECASE)]
    if errors and errors[0] < len(lines) - SHOWN_LINES:
        lines = [*lines[errors[0] : errors[0] + SHOWN_LINES - 5], "...", *lines[-5:]]
    return "\n".join(lines[-SHOWN_LINES - 1 :]) or "(it printed nothing)"


def _status(code: int) -> str:
    if code > 0:
        return f"exit status {code}"
    # A tool that the system ends for want of memory has no words of its own.
    why = " (from outside; if memory was short, dmesg says so)" if -code == signal.SIGKILL else ""
    return f"ended by {signal.Signals(-code).name}{why}"
