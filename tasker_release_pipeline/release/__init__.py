"""Pure data and functions: what is released and why. No Dagster, no network, no subprocess but git."""
