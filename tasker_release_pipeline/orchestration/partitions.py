"""One release is one partition."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

RELEASES = dg.DynamicPartitionsDefinition(name="releases")
PARTITION_TAG = "dagster/partition"


@contextmanager
def partitioned_checks() -> Iterator[None]:
    """Around definitions of checks by release: a preview feature of Dagster's, without which a check's row has none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        yield
