"""Dagster's loop over the steps, in a job of two, ended in the moment between them."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

JOB = textwrap.dedent("""
    import logging
    import os
    import signal
    import time
    from pathlib import Path

    import dagster as dg

    from tasker_release_pipeline.orchestration.step_loop import mend_step_loop


    class Ends(logging.Handler):
        def emit(self, record):
            if 'Launching subprocess for "second"' in record.getMessage():
                os.kill(os.getpid(), signal.SIGTERM)


    @dg.logger
    def ends(_):
        logger = logging.Logger("ends", level=logging.DEBUG)
        logger.addHandler(Ends())
        return logger


    @dg.executor(
        config_schema=dg.multiprocess_executor.config_schema, requirements=dg.multiple_process_executor_requirements()
    )
    def mended(context):
        mend_step_loop()
        return dg.multiprocess_executor.executor_creation_fn(context)


    @dg.op
    def first():
        Path("first").touch()


    @dg.op(ins={"after": dg.In(dg.Nothing)})
    def second():
        Path("second").touch()


    @dg.job(executor_def=mended, logger_defs={"ends": ends})
    def two():
        second(first())


    @dg.op
    def talks():
        for number in range(200):
            yield dg.ExpectationResult(success=True, label=str(number))
        yield dg.Output(time.monotonic())


    @dg.op
    def after(begun):
        Path("after").write_text(str(time.monotonic() - begun))


    def silent(number):
        @dg.op(name=f"silent{number}")
        def waits():
            until = time.monotonic() + 60
            while not Path("after").exists() and time.monotonic() < until:
                time.sleep(0.05)

        return waits


    @dg.job(executor_def=mended)
    def many():
        for number in range(5):
            silent(number)()
        after(talks())


    @dg.op
    def sleeps():
        Path("step").write_text(f"{os.getpid()}\\n")
        time.sleep(100)


    @dg.job(executor_def=mended)
    def long():
        sleeps()


    defs = dg.Definitions(jobs=[two, many, long])
""")


def command(folder: Path, job: str, config: str) -> list[str]:
    (folder / "jobs.py").write_text(JOB)
    (folder / "config.yaml").write_text(config)
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    dagster = str(Path(sys.executable).with_name("dagster"))
    return [dagster, "job", "execute", "-f", "jobs.py", "-j", job, "-c", "config.yaml"]


def execute(folder: Path, job: str, config: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, job, config),
        cwd=folder,
        env={**os.environ, "DAGSTER_HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )


def test_a_step_whose_turn_it_is_when_the_signal_comes_does_not_start(tmp_path: Path) -> None:
    done = execute(tmp_path, "two", "loggers: {ends: {}}\n")
    assert done.returncode == 1, done.stdout + done.stderr
    assert (tmp_path / "first").exists(), done.stdout + done.stderr
    assert not (tmp_path / "second").exists()


def test_a_step_that_is_done_is_not_kept_waiting_by_silent_ones(tmp_path: Path) -> None:
    done = execute(tmp_path, "many", "execution: {config: {max_concurrent: 7}}\n")
    assert done.returncode == 0, done.stdout + done.stderr
    # Dagster's loop would hear one of the two hundred events each tenth of a second.
    assert float((tmp_path / "after").read_text()) < 10


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells who started the step")
def test_a_run_ends_by_a_signal_though_a_step_died_in_that_moment(tmp_path: Path) -> None:
    words = command(tmp_path, "long", "execution: {config: {start_method: {forkserver: {}}}}\n")
    printed = tmp_path / "printed"
    with printed.open("wb") as output:
        home = {**os.environ, "DAGSTER_HOME": str(tmp_path)}
        run = subprocess.Popen(words, cwd=tmp_path, env=home, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        told = tmp_path / "step"
        until(lambda: told.exists() and told.read_text().endswith("\n"), printed)
        step = int(told.read_text())
        server = int(Path(f"/proc/{step}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(server, signal.SIGSTOP)  # nobody tells the run that its step is dead
        try:
            os.kill(step, signal.SIGKILL)
            threads = Path(f"/proc/{run.pid}/task")
            before = len(list(threads.iterdir()))
            run.terminate()
            until(lambda: "received termination signal" in printed.read_text(), printed)
            until(lambda: len(list(threads.iterdir())) > before, printed)  # one tells the step, and waits for it
        finally:
            os.kill(server, signal.SIGCONT)
        assert run.wait(30) != 0
    finally:
        run.kill()
        run.wait()


def until(condition: Callable[[], bool], printed: Path) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, printed.read_text()
        time.sleep(0.02)
