"""Takes a Tasker workspace into crates.io, RubyGems, PyPI and npm."""
