"""The two kinds of findings, in few words."""

from tasker_release_pipeline.release.plan import Finding, Severity


def error(message: str) -> Finding:
    """What the registry would refuse, or what would break users."""
    return Finding(severity=Severity.ERROR, message=message)


def warning(message: str) -> Finding:
    """What a person should decide."""
    return Finding(severity=Severity.WARNING, message=message)
