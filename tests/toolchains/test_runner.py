"""The runner with real processes."""

import base64
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tasker_release_pipeline.release.errors import ToolError
from tasker_release_pipeline.toolchains import runner
from tasker_release_pipeline.toolchains.redaction import Redactor
from tasker_release_pipeline.toolchains.runner import run

SECRET = "s3cret/Token+42"
UNWANTED = """
    CARGO_REGISTRY_TOKEN GEM_HOST_API_KEY UV_PUBLISH_TOKEN NPM_TOKEN NODE_AUTH_TOKEN npm_config_registry GITHUB_TOKEN
    ACTIONS_ID_TOKEN_REQUEST_TOKEN RUSTFLAGS CARGO_TARGET_DIR PYTHONPATH VIRTUAL_ENV GEM_HOME RUBYOPT BUNDLE_PATH
"""
WANTED = "PATH HOME LC_ALL SSL_CERT_FILE no_proxy RUSTUP_HOME CARGO_HOME CARGO_NET_RETRY SOURCE_DATE_EPOCH"


def shell(script: str) -> list[str]:
    return ["bash", "-c", script]


def wait_for(condition: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until, f"never happened: {what}"
        time.sleep(0.01)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def pid_in(path: Path) -> int:
    wait_for(lambda: path.exists() and path.read_text().endswith("\n"), f"{path} is written")
    return int(path.read_text())


def test_output_is_both_streams_in_order_and_reaches_log_and_logfile(tmp_path: Path) -> None:
    lines: list[str] = []
    logfile = tmp_path / "logs" / "tool.log"
    logfile.parent.mkdir()
    logfile.write_text("before\n")
    script = "echo one; echo two >&2; printf 'caf\\xc3\\xa9 \\xff\\n'; printf 'last, without an end'"
    done = run(shell(script), cwd=tmp_path, seconds=20, log=lines.append, logfile=logfile)
    assert done.output.splitlines() == ["one", "two", "café �", "last, without an end"]
    assert lines[0].startswith("$ bash -c")
    assert lines[1:] == done.output.splitlines()
    assert logfile.read_text().splitlines() == ["before", *lines]
    assert 0 < done.seconds < 20


def test_a_line_is_logged_while_the_tool_still_runs(tmp_path: Path) -> None:
    go = tmp_path / "go"

    def log(line: str) -> None:
        if line == "first":
            go.touch()  # the tool waits for what only the log of its first line makes

    run(shell(f"echo first; until [ -e {go} ]; do sleep 0.01; done; echo second"), cwd=tmp_path, seconds=20, log=log)


def test_only_the_tail_of_a_long_output_is_kept(tmp_path: Path) -> None:
    done = run(shell("seq 5000"), cwd=tmp_path, seconds=20, log=lambda _: None)
    assert done.output.splitlines() == [str(n) for n in range(3001, 5001)]


def test_a_tool_can_not_read_our_standard_input() -> None:
    program = """
import pathlib
from tasker_release_pipeline.toolchains.runner import run
run(["bash", "-c", "read answer && echo $answer || echo nobody there"], cwd=pathlib.Path("."), seconds=20, log=print)
"""
    ours = [sys.executable, "-c", program]
    done = subprocess.run(ours, input="somebody\n", capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "nobody there"


def test_a_failure_names_command_status_folder_and_the_last_lines(tmp_path: Path) -> None:
    with pytest.raises(ToolError) as error:
        run(shell("seq 100; exit 3"), cwd=tmp_path, seconds=20, log=lambda _: None)
    text = str(error.value)
    assert "bash -c 'seq 100; exit 3'" in text
    assert "exit status 3" in text
    assert str(tmp_path) in text
    assert text.endswith("\n99\n100")
    assert "\n79\n" not in text


def test_a_failure_shows_the_first_error_where_much_follows_it(tmp_path: Path) -> None:
    script = "seq 50; echo 'error: no such crate'; seq 1000 1100; echo 'error: could not compile'; exit 101"
    with pytest.raises(ToolError, match="error: no such crate\n1000") as error:
        run(shell(script), cwd=tmp_path, seconds=20, log=lambda _: None)
    assert str(error.value).endswith("1100\nerror: could not compile")


def test_a_tool_that_dies_of_a_signal_is_a_failure_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"ended by SIGKILL \(from outside; if memory was short, dmesg says so\)"):
        run(shell("kill -KILL $$"), cwd=tmp_path, seconds=20, log=lambda _: None)


def test_a_missing_tool_is_named_with_the_way_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"cargo is missing: install Rust from https://rustup\.rs"):
        run(["cargo", "--version"], cwd=tmp_path, seconds=20, log=lambda _: None, env={"PATH": str(tmp_path)})


def test_a_missing_folder_is_not_taken_for_a_missing_tool(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"working folder .*gone does not exist"):
        run(["bash"], cwd=tmp_path / "gone", seconds=20, log=lambda _: None)


def test_past_its_limit_the_whole_group_ends_even_where_it_ignores_sigterm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "GRACE_SECONDS", 0.3)
    pid = tmp_path / "pid"
    script = f"trap '' TERM; echo started; (trap '' TERM; echo $BASHPID > {pid}; while :; do sleep 0.1; done) & wait"
    with pytest.raises(ToolError, match=r"(?s)not done after 2 s.*started"):
        run(shell(script), cwd=tmp_path, seconds=2, log=lambda _: None)
    assert not lives(pid_in(pid))


def test_past_its_limit_a_tool_may_clean_up(tmp_path: Path) -> None:
    script = "trap 'echo cleaned > cleaned; exit' TERM; while :; do sleep 0.05; done"
    with pytest.raises(ToolError, match="not done after"):
        run(shell(script), cwd=tmp_path, seconds=2, log=lambda _: None)
    assert (tmp_path / "cleaned").read_text() == "cleaned\n"


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit, ValueError])
def test_any_exception_ends_the_whole_group_before_it_goes_on(tmp_path: Path, kind: type[BaseException]) -> None:
    pid = tmp_path / "pid"

    def log(line: str) -> None:
        if line == "started":
            raise kind

    script = f"(echo $BASHPID > {pid}; sleep 60) & until [ -s {pid} ]; do sleep 0.01; done; echo started; wait"
    with pytest.raises(kind):
        run(shell(script), cwd=tmp_path, seconds=60, log=log)
    assert not lives(pid_in(pid))


def test_a_signal_handler_that_exits_ends_the_whole_group(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    program = f"""
import pathlib, signal, sys
from tasker_release_pipeline.toolchains.runner import run
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
run(["bash", "-c", "sleep 60 & echo $! > {pid}; wait"], cwd=pathlib.Path("."), seconds=60, log=print)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL) as ours:
        grandchild = pid_in(pid)
        ours.send_signal(signal.SIGTERM)
        assert ours.wait(20) == 7
    assert not lives(grandchild)


def test_a_signal_is_not_lost_where_python_forgets_exceptions(tmp_path: Path) -> None:
    program = """
import pathlib, signal, sys
from tasker_release_pipeline.toolchains.runner import run

class Forgetful:
    def __del__(self):  # as a weak reference's callback: what is raised in here is printed and forgotten
        signal.raise_signal(signal.SIGTERM)

def log(line):
    if line == "here":
        Forgetful()

signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
run(["bash", "-c", "echo here; sleep 60"], cwd=pathlib.Path("."), seconds=60, log=log)
"""
    ended = subprocess.run([sys.executable, "-c", program], timeout=30, check=False, cwd=tmp_path)
    assert ended.returncode == 7


@pytest.mark.skipif(not runner._dies_with_us(), reason="needs util-linux's setpriv")
def test_a_tool_dies_with_a_pipeline_that_is_killed_outright(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    program = f"""
import pathlib
from tasker_release_pipeline.toolchains.runner import run
run(["bash", "-c", "echo $$ > {pid}; while :; do sleep 0.1; done"], cwd=pathlib.Path("."), seconds=60, log=print)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.DEVNULL) as ours:
        tool = pid_in(pid)
        ours.kill()
    wait_for(lambda: not lives(tool), "the tool ends")


@pytest.mark.parametrize("noise", ["sleep 60", "yes noise"])
def test_what_a_tool_leaves_behind_neither_hangs_the_runner_nor_lives_on(tmp_path: Path, noise: str) -> None:
    pid = tmp_path / "pid"
    script = f"echo here; (echo $BASHPID > {pid}; {noise}) & until [ -s {pid} ]; do sleep 0.01; done; exit 0"
    done = run(shell(script), cwd=tmp_path, seconds=60, log=lambda _: None)
    assert "here" in done.output or "noise" in done.output
    assert done.seconds < 20
    wait_for(lambda: not lives(pid_in(pid)), "the left-behind process ends")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nobody can be made to adopt orphans")
def test_what_was_killed_is_not_waited_for_though_nobody_buries_it(tmp_path: Path) -> None:
    # Whoever starts this adopts the orphans, as a container's first process does, and waits for none of them.
    script = """
        import ctypes, time
        from pathlib import Path
        from tasker_release_pipeline.toolchains.runner import run
        ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
        before = time.monotonic()
        run(["bash", "-c", "sleep 60 & echo $!"], cwd=Path.cwd(), seconds=20, log=lambda _: None)
        print(time.monotonic() - before)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=60)
    assert float(done.stdout) < 1.9, done.stdout


def test_it_works_in_threads_beside_each_other(tmp_path: Path) -> None:
    outputs: dict[int, str] = {}

    def one(number: int) -> None:
        outputs[number] = run(shell(f"echo {number}"), cwd=tmp_path, seconds=20, log=lambda _: None).output

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outputs == {number: str(number) for number in range(8)}


def test_the_environment_is_an_allow_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unwanted, wanted = UNWANTED.split(), WANTED.split()
    for name in (*unwanted, *wanted):
        monkeypatch.setenv(name, os.environ.get(name) or "value")
    done = run(["env"], cwd=tmp_path, seconds=20, log=lambda _: None, env={"NPM_TOKEN": "ours", "HOME": "/nowhere"})
    seen = dict(line.split("=", 1) for line in done.output.splitlines() if "=" in line)
    assert set(seen) & set(unwanted) == {"NPM_TOKEN"}
    assert set(wanted) <= set(seen)
    assert (seen["NPM_TOKEN"], seen["HOME"]) == ("ours", "/nowhere")


@pytest.mark.parametrize(
    "shown",
    [
        SECRET,
        "s3cret%2FToken%2B42",
        base64.b64encode(f"__token__:{SECRET}".encode()).decode(),
        base64.b64encode(f"me:{SECRET}".encode()).decode(),
        base64.b64encode(f"you:{SECRET}".encode()).decode(),
        base64.urlsafe_b64encode(f"{SECRET}:and more behind it".encode()).decode(),
    ],
)
def test_no_form_of_a_secret_gets_through(tmp_path: Path, shown: str) -> None:
    lines: list[str] = []
    logfile = tmp_path / "log"
    options = {"cwd": tmp_path, "seconds": 20.0, "log": lines.append, "logfile": logfile, "secrets": ["", SECRET]}
    done = run(["bash", "-c", 'echo "Authorization: $S!"', shown], env={"S": shown}, **options)  # type: ignore[arg-type]
    assert done.output == "Authorization: ***!"
    with pytest.raises(ToolError) as error:
        run(["bash", "-c", 'echo "$1" >&2; exit 1', "-", shown], **options)  # type: ignore[arg-type]
    assert "***" in str(error.value)
    for text in (*lines, logfile.read_text(), str(error.value)):
        assert shown not in text
        assert SECRET not in text


def test_colours_are_taken_away_and_hide_no_secret(tmp_path: Path) -> None:
    script = f"printf '\\033[32;1mINFO\\033[0m token {SECRET[:4]}\\033[1m{SECRET[4:]}\\n'"
    done = run(shell(script), cwd=tmp_path, seconds=20, log=lambda _: None, secrets=[SECRET])
    assert done.output == "INFO token ***"


def test_what_a_tool_asks_github_to_mask_is_a_secret_from_then_on() -> None:
    redact = Redactor([])
    assert redact("::add-mask::minted-token-1") == "::add-mask::***"
    assert redact("using minted-token-1 now") == "using *** now"


def test_without_secrets_nothing_is_replaced() -> None:
    assert Redactor([""])("plain *** text") == "plain *** text"
