"""GitHub: its API, tags, releases, their notes; and what a job of GitHub Actions reads and shows."""
