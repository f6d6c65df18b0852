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
""")


def test_a_step_whose_turn_it_is_when_the_signal_comes_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text(JOB)
    (tmp_path / "config.yaml").write_text("loggers: {ends: {}}\n")
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("dagster")), "job", "execute", "-f", "two.py", "-j", "two"),
            "-c",
            "config.yaml",
        ],
        cwd=tmp_path,
        env={**os.environ, "DAGSTER_HOME": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert (tmp_path / "first").exists(), done.stdout + done.stderr
    assert not (tmp_path / "second").exists()
