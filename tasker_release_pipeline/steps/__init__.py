"""What each asset does, without Dagster: plan, source, builds, staged install, manifest, gate, publish."""
