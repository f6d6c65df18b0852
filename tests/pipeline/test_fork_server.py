"""The process that steps are forked from is a copy of the run."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

RUN = """
import multiprocessing, sys
from multiprocessing import forkserver
from tasker_release_pipeline.orchestration import fork_server
{before}
fork_server.loaded = "in the run"
fork_server.start_fork_server(["colorsys"])
modules = "__import__('sys').modules"
with multiprocessing.get_context("forkserver").Pool(1) as pool:
    print(pool.apply(eval, [f"getattr({{modules}}.get({{fork_server.__name__!r}}), 'loaded', '')"]))
    print(pool.apply(eval, [f"'colorsys' in {{modules}}"]), "colorsys" in sys.modules)
print(forkserver._forkserver._forkserver_pid, flush=True)
sys.stdin.read()
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Dagster's own is used")


@contextmanager
def running(before: str = "") -> Iterator[tuple[subprocess.Popen[str], tuple[str, str], int]]:
    """A run that has its fork server: itself, what a step sees of what it loaded, and the server's process id.

    A step sees as well whether a module was loaded beforehand for itself and for the run.
    """
    program = [sys.executable, "-c", RUN.format(before=before)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        try:
            seen = run.stdout.readline().strip(), run.stdout.readline().strip()
            yield run, seen, int(run.stdout.readline())
        finally:
            run.kill()


def test_a_step_has_what_the_run_has_loaded() -> None:
    with running() as (run, seen, server):
        assert seen == ("in the run", "True False")
        assert server != run.pid


def test_a_run_with_another_thread_is_not_copied() -> None:
    waiting = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"
    with running(waiting) as (_, seen, _server):
        assert seen == ("", "False False")


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_the_run_however_that_ends(by: signal.Signals) -> None:
    with running() as (run, _, server):
        gone = os.pidfd_open(server)
        try:
            os.kill(run.pid, by)
            assert select.select([gone], [], [], 10)[0] == [gone]  # readable as soon as it has ended
        finally:
            os.close(gone)
