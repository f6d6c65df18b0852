"""Every environment variable that is read, and what it means: one list, which docs/settings.md is written from.

python -m tasker_release_pipeline.release.environment > docs/settings.md
"""

import sys
from dataclasses import dataclass
from enum import StrEnum

from tasker_release_pipeline.release.publish_from import PUBLISH_FROM
from tasker_release_pipeline.release.settings import LATCH, Settings


class Group(StrEnum):
    """What a variable is about; the heading of its table, with a word on all of it."""

    KNOBS = "The six knobs of a release"
    PLACES = "Where things are kept"
    CREDENTIALS = "What lets us in"
    GITHUB = "GitHub"
    REHEARSALS = "Rehearsals by night, releases by tag"
    NOTIFICATIONS = "Notifications"
    INSTANCE = "Dagster"
    CONTAINER = "compose.yaml"


_WORDS = {
    Group.KNOBS: (
        "Fields of the run config (`resources: settings: config:`), each optional. What a run's config says wins over "
        "the environment, that over what the release used before, that over the default; the latch overrides all."
    ),
    Group.PLACES: "Environment alone: they belong to the machine, not to the release.",
    Group.CREDENTIALS: (
        "Secrets, by these names alone: never in a config, an argument or a file of the store. "
        "[credentials.md](credentials.md) says who needs which; a machine that publishes nothing itself needs none."
    ),
    Group.GITHUB: "Set by GitHub in every job of Actions; elsewhere where a release is recorded, or started there.",
    Group.REHEARSALS: (
        "Read by the code server and the daemon when they start; [rehearsals.md](rehearsals.md) says what happens when."
    ),
    Group.NOTIFICATIONS: (
        "Each empty: nobody is told. The webhook's address and Slack's token are secrets: never in a config, an "
        "argument, a log or the store. [rehearsals.md](rehearsals.md) says who is told what, and when."
    ),
    Group.INSTANCE: "Read by Dagster, or by its configuration in `config/`.",
    Group.CONTAINER: "Read by `compose.yaml`, from the environment or from a file `.env` beside it.",
}


@dataclass(frozen=True)
class Variable:
    """An environment variable. `default`: what an unset or empty one means, as it is shown."""

    group: Group
    name: str
    meaning: str
    default: str = ""

    @property
    def knob(self) -> str:
        """The run config's field that it stands for; empty: none."""
        field = self.name.removeprefix("TASKER_RELEASE_").lower()
        return field if self.group is Group.KNOBS and field in Settings.model_fields else ""


def _knob(field: str, meaning: str) -> Variable:
    default = Settings.model_fields[field].default
    shown = f"`{str(default).lower() if isinstance(default, bool) else default}`" if default != "" else ""
    return Variable(Group.KNOBS, f"TASKER_RELEASE_{field.upper()}", meaning, shown)


VARIABLES = (
    _knob("source", "a git checkout of the workspace"),
    _knob("manifest", "what is released: a packaged manifest (`tasker`, `tasker-ctl`), or a path to one"),
    _knob("dry_run", "end at the gate and upload nothing"),
    _knob("on_duplicate", "a version is out already, with the same content: `skip`, `warn` or `fail`"),
    _knob("from_ref", "the base for change detection; empty: what was last published"),
    _knob("registries", "`live`, or `rehearsal`: registries on loopback, which the run starts"),
    Variable(
        Group.KNOBS,
        LATCH,
        "the latch: where live registries are meant, every run is a dry run unless this says `false`",
        "`true`",
    ),
    Variable(
        Group.PLACES,
        "TASKER_RELEASE_STORE",
        "the release store: a folder, or any fsspec URL; one that several machines share is in S3, GCS or Azure",
        "`.tasker-release/store`",
    ),
    Variable(
        Group.PLACES,
        "TASKER_RELEASE_WORK",
        "worktrees, builds and caches of this machine; may be thrown away between releases",
        "`.tasker-release/work`",
    ),
    Variable(
        Group.PLACES,
        "TASKER_RELEASE_REHEARSAL_REGISTRIES",
        "a folder of registries that several rehearsals share; empty: each has its own",
    ),
    Variable(Group.CREDENTIALS, "CARGO_REGISTRY_TOKEN", "crates.io"),
    Variable(Group.CREDENTIALS, "GEM_HOST_API_KEY", "RubyGems"),
    Variable(Group.CREDENTIALS, "UV_PUBLISH_TOKEN", "PyPI, outside of GitHub Actions"),
    Variable(Group.CREDENTIALS, "MATURIN_PYPI_TOKEN", "PyPI, read where `UV_PUBLISH_TOKEN` is not set"),
    Variable(Group.CREDENTIALS, "NPM_TOKEN", "npm, outside of GitHub Actions"),
    Variable(
        Group.CREDENTIALS, "GITHUB_TOKEN", "GitHub: writes tags and releases; without it only what is public is read"
    ),
    Variable(Group.CREDENTIALS, "GH_TOKEN", "GitHub, read where `GITHUB_TOKEN` is not set"),
    Variable(Group.CREDENTIALS, "ACTIONS_ID_TOKEN_REQUEST_URL", "set by GitHub in a job that may have ID tokens"),
    Variable(Group.CREDENTIALS, "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "the same"),
    Variable(
        Group.GITHUB, "GITHUB_REPOSITORY", "`owner/name` of the workspace's repository", "the checkout's `origin`"
    ),
    Variable(Group.GITHUB, "GITHUB_API_URL", "another address of the API, such as GitHub Enterprise's"),
    Variable(
        Group.GITHUB,
        PUBLISH_FROM,
        "who uploads a proven live release outside of Actions: `github`, the release workflow, which the run starts "
        "and follows, or `here`; in a run config `publish_from`",
        "`here` where the latch is open, else `github`",
    ),
    Variable(Group.GITHUB, "GITHUB_ACTIONS", "`true` within a job of Actions alone"),
    Variable(Group.GITHUB, "GITHUB_OUTPUT", "the file that takes a job's outputs"),
    Variable(Group.GITHUB, "GITHUB_STEP_SUMMARY", "the file that takes a job's summary"),
    Variable(Group.GITHUB, "GITHUB_SERVER_URL", "the address of the pages, for links to a run"),
    Variable(Group.GITHUB, "GITHUB_RUN_ID", "the run of the workflow, for links to it"),
    Variable(
        Group.REHEARSALS,
        "TASKER_RELEASE_REHEARSALS",
        "`on`: the schedules `nightly_rehearsal` and `nightly_pruning` run from the start",
        "off, `on` in `compose.yaml`",
    ),
    Variable(Group.REHEARSALS, "TASKER_RELEASE_REHEARSAL_CRON", "when, in five fields of cron", "`0 3 * * *`"),
    Variable(Group.REHEARSALS, "TASKER_RELEASE_REHEARSAL_TIMEZONE", "where that is meant: `Europe/Berlin`", "`UTC`"),
    Variable(
        Group.REHEARSALS,
        "TASKER_RELEASE_REHEARSAL_BRANCH",
        "the branch that is rehearsed",
        "the one that the source's remote has as its main branch",
    ),
    Variable(
        Group.REHEARSALS,
        "TASKER_RELEASE_REHEARSAL_KEEP_DAYS",
        "rehearsals of which nothing was written for as many days are removed",
        "`14`",
    ),
    Variable(
        Group.REHEARSALS,
        "TASKER_RELEASE_REHEARSAL_KEEP_GB",
        "the oldest rehearsals are removed where all of them take more than as many 10^9 bytes",
        "`20`",
    ),
    Variable(
        Group.REHEARSALS,
        "TASKER_RELEASE_TAGS",
        "`on`: the sensor `release_tags` runs from the start; with the latch closed it makes dry runs",
        "off",
    ),
    Variable(Group.NOTIFICATIONS, "TASKER_RELEASE_SLACK_TOKEN", "a bot's token with the scope `chat:write`; a secret"),
    Variable(Group.NOTIFICATIONS, "TASKER_RELEASE_SLACK_CHANNEL", "the channel that the bot was invited to"),
    Variable(
        Group.NOTIFICATIONS, "TASKER_RELEASE_SLACK_API", "another address of Slack's API", "`https://slack.com/api/`"
    ),
    Variable(Group.NOTIFICATIONS, "TASKER_RELEASE_WEBHOOK_URL", "takes a POST with a small JSON body; a secret"),
    Variable(
        Group.NOTIFICATIONS, "TASKER_RELEASE_UI_URL", "the web UI's address, as people reach it: for links to the run"
    ),
    Variable(
        Group.INSTANCE,
        "DAGSTER_GRPC_TIMEOUT_SECONDS",
        "how long a tick of a schedule or sensor may take; three quarters of it are there to fetch the source",
        "`60`",
    ),
    Variable(
        Group.INSTANCE,
        "DAGSTER_HOME",
        "the folder of the instance: `dagster.yaml`, logs of runs, and, without Postgres, their history",
        "`.tasker-release/dagster` (`make`, `tasker-release run`)",
    ),
    Variable(
        Group.INSTANCE,
        "DAGSTER_POSTGRES_URL",
        "the shared instance's database, `postgresql://user:password@host:5432/name`; empty: SQLite in `DAGSTER_HOME`",
    ),
    Variable(
        Group.INSTANCE,
        "TASKER_RELEASE_EXECUTOR",
        "what runs the steps: `processes` of the run's machine, or `celery`: workers, which may be on several",
        "`processes`",
    ),
    Variable(
        Group.INSTANCE, "DAGSTER_CELERY_BROKER_URL", "the broker of runs and workers, `redis://...`; may hold a secret"
    ),
    Variable(Group.INSTANCE, "DAGSTER_CELERY_BACKEND_URL", "where workers leave their results", "the broker's address"),
    Variable(Group.INSTANCE, "DAGSTER_CODE_SERVER_HOST", "the code server: where it listens, where it is found"),
    Variable(Group.INSTANCE, "DAGSTER_CODE_SERVER_PORT", "the code server's port", "`4000` in `compose.yaml`"),
    Variable(Group.INSTANCE, "DAGSTER_WEBSERVER_HOST", "where the web server listens", "`127.0.0.1`"),
    Variable(Group.INSTANCE, "DAGSTER_WEBSERVER_PORT", "its port", "`3000`"),
    Variable(Group.CONTAINER, "POSTGRES_PASSWORD", "the database's password, letters and digits; has to be set"),
    Variable(
        Group.CONTAINER,
        "TASKER_SOURCE_URL",
        "what to clone as the source: the URL of the workspace's repository; has to be set",
    ),
    Variable(Group.CONTAINER, "WEB_PORT", "the port on the host's loopback that shows the web UI", "`3000`"),
    Variable(Group.CONTAINER, "VIEWER_PORT", "the same for the read-only web UI (profile `viewer`)", "`3001`"),
)


def settings_page() -> str:
    """docs/settings.md: one table for each group, in Markdown."""
    lines = [
        "# Settings",
        "",
        "Written by `python -m tasker_release_pipeline.release.environment > docs/settings.md`; a test compares them.",
        "An empty variable counts as unset.",
    ]
    for group in Group:
        found = [variable for variable in VARIABLES if variable.group is group]
        has_knobs = any(variable.knob for variable in found)
        lines += ["", f"## {group}", "", _WORDS[group], ""]
        lines += [_row("setting", "environment", "default", "meaning", has_knobs=has_knobs)]
        lines += [_row("---", "---", "---", "---", has_knobs=has_knobs)]
        for variable in found:
            knob = f"`{variable.knob}`" if variable.knob else ""
            lines.append(_row(knob, f"`{variable.name}`", variable.default, variable.meaning, has_knobs=has_knobs))
    return "\n".join(lines) + "\n"


def _row(setting: str, *cells: str, has_knobs: bool) -> str:
    shown = [setting, *cells] if has_knobs else cells
    return "| " + " | ".join(shown) + " |"


if __name__ == "__main__":
    sys.stdout.write(settings_page())
