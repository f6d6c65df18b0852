"""One release is one partition."""

import dagster as dg

RELEASES = dg.DynamicPartitionsDefinition(name="releases")
PARTITION_TAG = "dagster/partition"
