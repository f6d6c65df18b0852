"""The worlds of the pipeline's tests, in which a first release is out."""

from ..pipeline.conftest import _cache, first_release, second, shared

__all__ = ["_cache", "first_release", "second", "shared"]
