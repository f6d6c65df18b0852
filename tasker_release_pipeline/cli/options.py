"""The options that all commands take: where the source is, what is released, where it is kept, which registries."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.git import Checkout, GitError, git
from tasker_release_pipeline.release.manifest import Manifest, load
from tasker_release_pipeline.release.settings import Registries, Settings, resolve

if TYPE_CHECKING:
    from tasker_release_pipeline.steps.run import ReleaseRun

Function = TypeVar("Function", bound=Callable[..., Any])


def _say_nothing(_line: str) -> None:
    pass


@dataclass(frozen=True)
class Place:
    """What the user gave of these options; None where nothing."""

    source: str | None
    manifest: str | None
    store: str | None
    registries: str | None

    @property
    def environment(self) -> dict[str, str]:
        """This process's environment, with the store that was named."""
        return {**os.environ, **({"TASKER_RELEASE_STORE": self.store} if self.store else {})}

    def config(self, **more: Any) -> dict[str, Any]:
        """What was given, as a run config's settings. Paths are absolute, as another process may read them."""
        given = {
            "source": self.source and str(Path(self.source).expanduser().absolute()),
            "manifest": self.manifest and _absolute(self.manifest),
            "registries": self.registries,
            **more,
        }
        return {name: value for name, value in given.items() if value is not None}

    def settings(self, remembered: Settings | None = None, **more: Any) -> Settings:
        """The settings, as a run would settle them; the source is the working directory's repository by default.

        `remembered`: what the release used before. Raises InputError.
        """
        settings = resolve(self.config(**more), self.environment, remembered)
        return settings if settings.source != "." else settings.model_copy(update={"source": repository_here()})

    def opened(self, **more: Any) -> tuple[Settings, Checkout, Manifest]:
        """The settings, the source and the manifest. Raises InputError."""
        settings = self.settings(**more)
        return settings, Checkout.at(settings.source), load(settings.manifest)

    def run_on(
        self, release: str, *, log: Callable[[str], None] = _say_nothing, run: str = "local", **more: Any
    ) -> "ReleaseRun":
        """What the steps of `release` work with. Raises InputError."""
        from tasker_release_pipeline.steps.run import ReleaseRun  # noqa: PLC0415

        found = ReleaseRun.of(release, self.config(**more), log=log, run=run, environment=self.environment)
        if found.settings.source != ".":
            return found
        return replace(found, settings=found.settings.model_copy(update={"source": repository_here()}))


def repository_here() -> str:
    """The top level of the git checkout that the working directory lies in. Raises InputError."""
    try:
        return git(Path.cwd(), "rev-parse", "--show-toplevel").strip()
    except GitError:
        raise InputError(
            f"{Path.cwd()}: not in a git checkout; go into one of the workspace, or name it with --source"
        ) from None


_OPTIONS = (
    click.option(
        "--source",
        metavar="PATH",
        envvar="TASKER_RELEASE_SOURCE",
        help="A git checkout of the workspace.  [default: the working directory's repository]",
        show_envvar=True,
    ),
    click.option(
        "--manifest",
        metavar="NAME|PATH",
        envvar="TASKER_RELEASE_MANIFEST",
        help="What is released: a packaged manifest, or a path to one.  [default: tasker]",
        show_envvar=True,
    ),
    click.option(
        "--store",
        metavar="URL",
        envvar="TASKER_RELEASE_STORE",
        help="What is known of each release: a folder, or any fsspec URL.  [default: .tasker-release/store]",
        show_envvar=True,
    ),
    click.option(
        "--registries",
        type=click.Choice([registries.value for registries in Registries]),
        envvar="TASKER_RELEASE_REGISTRIES",
        help="The public registries, or those of a rehearsal on loopback.  [default: live]",
        show_envvar=True,
    ),
)

from_option = click.option(
    "--from",
    "from_ref",
    metavar="REF",
    envvar="TASKER_RELEASE_FROM_REF",
    help="Count changes from this tag, branch or commit.  [default: what was last released]",
    show_envvar=True,
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def common_options(function: Function) -> Function:
    """Add the four options, which the function takes as one `place`."""

    @wraps(function)
    def packed(
        *args: Any, source: str | None, manifest: str | None, store: str | None, registries: str | None, **more: Any
    ) -> Any:
        return function(*args, place=Place(source, manifest, store, registries), **more)

    decorated: Any = packed
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def _absolute(manifest: str) -> str:
    is_path = "/" in manifest or manifest.endswith(".toml")
    return str(Path(manifest).expanduser().absolute()) if is_path else manifest
