"""`tasker-release`, with its commands in the order of a release."""

import click

from tasker_release_pipeline.cli.changes import calculate_versions, detect_changes
from tasker_release_pipeline.cli.command import SETTINGS, ReleaseGroup
from tasker_release_pipeline.cli.doctor import doctor
from tasker_release_pipeline.cli.import_ import import_release
from tasker_release_pipeline.cli.loopback import faults, registries
from tasker_release_pipeline.cli.prepare import prepare
from tasker_release_pipeline.cli.run import run
from tasker_release_pipeline.cli.status import status
from tasker_release_pipeline.cli.versions import update_versions


@click.group(cls=ReleaseGroup, context_settings=SETTINGS)
@click.version_option(package_name="tasker-release-pipeline")
def main() -> None:
    """Take a Tasker workspace into crates.io, RubyGems, PyPI and npm.

    `doctor` says what would stop a release from here. A release, step by step: `detect-changes` and
    `calculate-versions` say what it would be, `prepare` writes it into a commit and tags that, `run` plans, builds,
    proves and publishes the tag, `status` says how it stands, `import` tells the web UI what CI did. One registry
    alone: `publish-crates`, `publish-ruby`, `publish-python`, `publish-typescript`.

    All exit with 0, with 1 and one message for a failure, with 2 for wrong usage.
    """


_COMMANDS = (
    doctor,
    detect_changes,
    calculate_versions,
    update_versions,
    prepare,
    run,
    status,
    import_release,
    registries,
    faults,
)
for command in _COMMANDS:
    main.add_command(command)
