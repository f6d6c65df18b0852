"""The worlds of the pipeline's tests, in which a first release is out."""

from ..pipeline.conftest import first_release, second, shared

__all__ = ["first_release", "second", "shared"]
