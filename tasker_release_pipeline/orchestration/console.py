"""What a run prints: the time, the step, the line. All else of Dagster's events is in the web UI."""

import logging
import sys
from typing import Any

import dagster as dg

from tasker_release_pipeline.orchestration.failures import why, why_again


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        of_dagster: dict[str, Any] = getattr(record, "dagster_meta", {})
        step = of_dagster.get("step_key") or "-"
        event = of_dagster.get("dagster_event")
        said = str(of_dagster.get("orig_message", record.msg))
        data = event.event_specific_data if event is not None else None
        # A run's failure repeats that of its first failed step, which has had its line.
        repeated = getattr(data, "first_step_failure_event", None) is not None
        known = why(event) or why_again(event)
        unforeseen = getattr(data, "error", None) is not None and not repeated and known is None
        message = record.getMessage() if unforeseen else known or said  # what nobody foresaw keeps its stack
        level = "" if record.levelno < logging.WARNING else f"{record.levelname} "
        return f"{self.formatTime(record, '%H:%M:%S')} {step:<28} {level}{message}"


def _matters(record: logging.LogRecord) -> bool:
    # One failed step, or a dry run, makes a line for each step behind it; the summary says what was not attempted.
    said = record.getMessage()
    return not (said.endswith(" Not executing.") or " - Skipping step " in said)


_LEVEL = dg.Field(str, default_value="INFO", is_required=False, description="The least level that is shown.")


@dg.logger(config_schema={"log_level": _LEVEL}, description="One short line for each line of a tool's output.")
def console(init_context: dg.InitLoggerContext) -> logging.Logger:
    """The logger that `loggers: console:` in a run config means."""
    logger = logging.Logger("tasker-release", level=init_context.logger_config["log_level"].upper())
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_OneLine())
    handler.addFilter(_matters)
    logger.addHandler(handler)
    return logger
