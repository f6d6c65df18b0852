"""Asks the registries what they hold, and uploads to them with the real clients."""
