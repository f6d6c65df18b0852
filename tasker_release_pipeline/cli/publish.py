"""`publish-crates`, `publish-ruby`, `publish-python`, `publish-typescript`: one registry's part of a release."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click
from semver import Version

from tasker_release_pipeline.cli.command import SETTINGS, ReleaseCommand
from tasker_release_pipeline.cli.options import Place, common_options
from tasker_release_pipeline.cli.table import table
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError, ReleaseError
from tasker_release_pipeline.release.settings import LATCH, OnDuplicate, Registries
from tasker_release_pipeline.release.versions import parse

if TYPE_CHECKING:
    from tasker_release_pipeline.steps.run import ReleaseRun

_HELP = """Publish {what} of one release to {title}.

    Uploads the files that the release built and proved, byte for byte; builds nothing. The release has to be in the
    store with the gate's go for this mode: `tasker-release run` brings it there. Everything is asked first: what is on
    {title} already with the same content is a success, other content an error, and a second call does no harm.{order}

    VERSION has to be what the release has for {what}; anything else is an error. The release is the one in the store
    that publishes this VERSION, v{{VERSION}} first among several; `--release` names another.

    With `--registries live` nothing is uploaded unless RELEASE_DRY_RUN=false is set: without that it is a dry run. The
    token comes from the environment: {token}.

    Exits with 0; with 1 for a failed publish, after a list of what is out; with 2 for wrong usage.

    \b
    Examples:
      {command} 0.1.9 --dry-run
      RELEASE_DRY_RUN=false {command} 0.1.9
    """
_ORDER = """

    Crates go out phase by phase, in the order of their dependencies; the first failure stops."""


def _version(_ctx: click.Context, _param: click.Parameter, text: str) -> Version:
    try:
        return parse(text, "VERSION")
    except InputError as error:
        raise click.BadParameter(str(error)) from None


def _command(name: str, registry: RegistryName, what: str, title: str, token: str) -> click.Command:
    @click.command(
        name,
        cls=ReleaseCommand,
        context_settings=SETTINGS,
        help=_HELP.format(
            command=name,
            what=what,
            title=title,
            token=token,
            order=_ORDER if registry is RegistryName.CRATES_IO else "",
        ),
    )
    @click.argument("version", callback=_version)
    @click.option(
        "--dry-run/--no-dry-run",
        default=False,
        envvar="TASKER_RELEASE_DRY_RUN",
        show_envvar=True,
        help="Print what would be uploaded, and what the registry holds of it; upload nothing.",
    )
    @click.option(
        "--on-duplicate",
        type=click.Choice([choice.value for choice in OnDuplicate]),
        default=OnDuplicate.WARN.value,
        show_default=True,
        envvar="TASKER_RELEASE_ON_DUPLICATE",
        show_envvar=True,
        help="What to do about a version that is published already with the same content.",
    )
    @click.option("--release", metavar="KEY", help="The release, as its tag names it.")
    @common_options
    def publish(place: Place, version: Version, dry_run: bool, on_duplicate: str, release: str | None) -> None:
        key = release or _release_of(place, registry, version)
        run = place.run_on(
            key,
            log=lambda line: click.echo(f"{datetime.now(UTC):%H:%M:%S} {line}", err=True),
            run=f"{name}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
            dry_run=dry_run,
            on_duplicate=on_duplicate,
        )
        _check_version(run, registry, version)
        if run.settings.dry_run:
            if not dry_run:
                click.secho(f"A dry run: {LATCH} is not false, and {key} is meant for live registries.", fg="yellow")
            _show(run, registry)
            return
        from tasker_release_pipeline.steps.publish_registry import publish_registry  # noqa: PLC0415

        for outcome in publish_registry(run, registry):
            click.echo(f"{outcome.package} {outcome.version}: {outcome.kind} {outcome.page}".rstrip())

    return publish


def _release_of(place: Place, registry: RegistryName, version: Version) -> str:
    """The release in the store that has this version. Raises UsageError, ReleaseError with what to run."""
    from tasker_release_pipeline.release.stamping import versions_at  # noqa: PLC0415
    from tasker_release_pipeline.steps.known_releases import release_of  # noqa: PLC0415
    from tasker_release_pipeline.store import ReleaseStore  # noqa: PLC0415

    settings, checkout, manifest = place.opened()
    if found := release_of(registry, version, settings.registries, place.environment):
        return found
    says = versions_at(checkout, "HEAD", manifest, "HEAD")
    component = next((package.component for package in manifest.of_registry(registry)), None)
    if component is None:
        raise click.UsageError(f"the manifest {manifest.name} has nothing for {registry}")
    if says[component] != version:
        raise click.UsageError(
            f"VERSION {version}: {checkout.path} has {component} {says[component]}, and no release in the store has "
            f"{version}; say {says[component]}, or name the release with --release"
        )
    key = f"v{says[manifest.core]}" if manifest.core else f"v{version}"
    rest = "" if settings.registries is Registries.LIVE else " --registries rehearsal"
    named = key if settings.registries is Registries.LIVE else "rehearsal-KEY"
    jobs = " ".join(f"--job {job}" for job in _PROVING)
    raise ReleaseError(
        f"{version}: no release in the store {ReleaseStore.of('', place.environment).root} publishes it to {registry} "
        f"({settings.registries}); build and prove it first: tasker-release run {named} --no-dry-run{rest} {jobs}"
    )


_PROVING = (
    "detect_and_calculate",
    "pre_flight_check",
    "build_ruby",
    "build_python",
    "build_typescript",
    "probe_pypi",
    "probe_npm",
    "gate",
)


def _check_version(run: "ReleaseRun", registry: RegistryName, version: Version) -> None:
    from tasker_release_pipeline.release.plan import Plan  # noqa: PLC0415
    from tasker_release_pipeline.steps.known_releases import planned_version  # noqa: PLC0415

    plan = run.store.demand("plan.json", Plan, f"run `tasker-release run {run.release}` first")
    planned = planned_version(plan, registry)
    if planned != version:
        raise click.UsageError(f"VERSION {version}: {run.release} has {planned} for {registry}; say that")


def _show(run: "ReleaseRun", registry: RegistryName) -> None:
    """What an upload would send, and what the registry holds. Exits with 1 where it would be refused."""
    from tasker_release_pipeline.release.artifact import ReleaseManifest  # noqa: PLC0415
    from tasker_release_pipeline.steps.gate import admit  # noqa: PLC0415
    from tasker_release_pipeline.steps.status import Presence, look_up  # noqa: PLC0415

    manifest = run.store.demand("manifest.json", ReleaseManifest, f"run `tasker-release run {run.release}` first")
    found = look_up(run, [registry])
    rows: list[list[Any]] = []
    for package in found.packages:
        files = manifest.of_package(package.package) if package.publish else ()
        shown = [[file.file, file.size, file.sha256[:16]] for file in files] or [["nothing: it is unchanged", "", ""]]
        rows += [[package.name, package.version, *file, package.presence] for file in shown]
    click.echo(table(["package", "version", "would upload", "bytes", "SHA-256", "registry now"], rows))
    problems = [f"{p.name}: {p.detail}" for p in found.packages if p.presence is Presence.OTHER_CONTENT and p.publish]
    try:
        admit(replace(run, settings=run.settings.model_copy(update={"dry_run": False})))
    except ReleaseError as error:
        problems.append(str(error))
    for package in found.packages:
        if package.presence is Presence.UNKNOWN:
            click.secho(f"warning: {package.name}: {package.detail}", fg="yellow", err=True)
    if problems:
        raise ReleaseError("it would be refused: " + "; ".join(problems))


_Publish = Callable[..., Any]
publish_crates: _Publish = _command(
    "publish-crates", RegistryName.CRATES_IO, "the crates", "crates.io", "CARGO_REGISTRY_TOKEN"
)
publish_ruby: _Publish = _command("publish-ruby", RegistryName.RUBYGEMS, "the gem", "RubyGems", "GEM_HOST_API_KEY")
publish_python: _Publish = _command(
    "publish-python", RegistryName.PYPI, "the wheels", "PyPI", "UV_PUBLISH_TOKEN, or trusted publishing in CI"
)
publish_typescript: _Publish = _command(
    "publish-typescript", RegistryName.NPM, "the npm package", "npm", "NPM_TOKEN, or trusted publishing in CI"
)
