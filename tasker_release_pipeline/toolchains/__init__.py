"""Builds and clean installs with the real tools, through one runner for every subprocess."""
