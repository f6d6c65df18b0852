"""Dagster: assets, checks, jobs, resources, the store, the executor."""
