"""Asking the registries which versions they hold of everything that the manifest names."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from semver import Version

from tasker_release_pipeline.registries.client import client
from tasker_release_pipeline.registries.endpoints import LIVE
from tasker_release_pipeline.release.endpoints import Endpoints
from tasker_release_pipeline.release.errors import RegistryError, UnavailableError
from tasker_release_pipeline.release.manifest import Manifest, Package
from tasker_release_pipeline.release.settings import Registries, Settings
from tasker_release_pipeline.release.versions import legible
from tasker_release_pipeline.steps.registry_sets import loopback, shared_folder


class Answers(NamedTuple):
    """`published`: by package key its versions, None where unknown. `unreachable`: by package key, why it is."""

    published: dict[str, tuple[Version, ...] | None]
    unreachable: dict[str, str]


def ask_target(
    settings: Settings, manifest: Manifest, environment: Mapping[str, str]
) -> dict[str, tuple[Version, ...] | None]:
    """Ask where `settings` lead, before a release has its name: by package its versions.

    A rehearsal has registries of its own, which are empty at first, unless `TASKER_RELEASE_REHEARSAL_REGISTRIES` names
    some that several share. Raises UnavailableError where any registry can't be asked: unknown is not "no".
    """
    if settings.registries is Registries.LIVE:
        answers = ask(manifest, LIVE, _say_nothing)
    elif (folder := shared_folder(environment)) is not None and folder.is_dir():
        with loopback(folder, manifest) as registries:
            answers = ask(manifest, registries.endpoints, _say_nothing)
    else:
        return dict.fromkeys(manifest.keys, ())
    if answers.unreachable:
        said = "; ".join(f"{key}: {reason}" for key, reason in answers.unreachable.items())
        raise UnavailableError(f"unknown what is published: {said}. Try again when they answer")
    return answers.published


def ask(manifest: Manifest, endpoints: Endpoints, log: Callable[[str], None]) -> Answers:
    """Ask for all packages at once."""

    def versions(package: Package) -> tuple[Version, ...] | Exception:
        try:
            held = client(package.registry, endpoints).holdings(package.name)
        except (UnavailableError, RegistryError) as error:
            return error
        return tuple(legible(held.versions, package.registry))

    with ThreadPoolExecutor(max_workers=8) as pool:
        packages = map(manifest.package, manifest.keys)
        answers = dict(zip(manifest.keys, pool.map(versions, packages), strict=True))
    for key, answer in answers.items():
        held = answer if isinstance(answer, tuple) else None
        log(f"{key}: " + ("unknown" if held is None else ", ".join(map(str, held[-3:])) or "nothing published"))
    return Answers(
        published={key: None if isinstance(a, Exception) else a for key, a in answers.items()},
        unreachable={key: str(answer) for key, answer in answers.items() if isinstance(answer, Exception)},
    )


def _say_nothing(_line: str) -> None:
    pass
