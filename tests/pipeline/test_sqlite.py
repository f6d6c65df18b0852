"""Dagster's SQLite databases in a run."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import os, sys
opened = []
sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "sqlite3.connect" else None)
import dagster as dg
from tasker_release_pipeline.orchestration.sqlite import keep_connections

@dg.op
def talks(context):
    before = len(opened)
    for line in range(100):
        context.log.info("line %d", line)
    print(len(opened) - before, flush=True)

@dg.job
def job():
    talks()

keep_connections()
with dg.DagsterInstance.from_config(sys.argv[1]) as instance:
    result = job.execute_in_process(instance=instance)
    said = [log.user_message for log in instance.all_logs(result.run_id)]
    assert [line for line in said if line.startswith("line")] == [f"line {line}" for line in range(100)]
    if not os.fork():  # in a copy of the process nothing may be used that was open before
        del opened[:]
        job.execute_in_process(instance=dg.DagsterInstance.from_ref(instance.get_ref()))
        os._exit(0 if any("index.db" in str(path) for path in opened) else 1)
    os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def test_a_process_opens_each_database_once_and_its_copy_opens_its_own(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    (tmp_path / "script.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "script.py"), str(tmp_path)],
        env={**os.environ, "DAGSTER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [int(count) for count in done.stdout.split()] == [0, 0]
