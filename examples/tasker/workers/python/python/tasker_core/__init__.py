"""Tasker for Python."""

from ._tasker_core import __version__, core_version, request

__all__ = ["__version__", "core_version", "request"]
