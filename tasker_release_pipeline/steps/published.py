"""Asking the registries which versions they hold of everything that the manifest names."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from semver import Version

from tasker_release_pipeline.registries.client import client
from tasker_release_pipeline.release.endpoints import Endpoints
from tasker_release_pipeline.release.errors import RegistryError, UnavailableError
from tasker_release_pipeline.release.manifest import Manifest, Package
from tasker_release_pipeline.release.versions import legible


class Answers(NamedTuple):
    """`published`: by package key its versions, None where unknown. `unreachable`: by package key, why it is."""

    published: dict[str, tuple[Version, ...] | None]
    unreachable: dict[str, str]


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
