"""Dagster's loop over the steps, in a job of two, ended in the moment between them."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

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


    defs = dg.Definitions(jobs=[two, many])
""")


def execute(folder: Path, job: str, config: str) -> subprocess.CompletedProcess[str]:
    (folder / "jobs.py").write_text(JOB)
    (folder / "config.yaml").write_text(config)
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    dagster = str(Path(sys.executable).with_name("dagster"))
    return subprocess.run(
        [dagster, "job", "execute", "-f", "jobs.py", "-j", job, "-c", "config.yaml"],
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
