"""The two sets of registries that a release has to do with: the throw-away staging set, and its target."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.registries.endpoints import LIVE
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName
from tasker_release_pipeline.release.manifest import Manifest
from tasker_release_pipeline.release.settings import Registries
from tasker_release_pipeline.steps.run import ReleaseRun


@dataclass(frozen=True)
class RegistrySet:
    """Where four registries answer, and what they let us in with. `root`: a loopback set's folder."""

    endpoints: Endpoints
    credentials: Credentials
    root: Path | None = None


@contextmanager
def staging(run: ReleaseRun) -> Iterator[RegistrySet]:
    """A fresh, empty loopback set, which ends with the block."""
    with loopback(run.scratch("staging"), run.manifest, cache=run.cache) as registries:
        yield registries


@contextmanager
def target(run: ReleaseRun) -> Iterator[RegistrySet]:
    """Where the release goes: the public registries, or in a rehearsal a loopback set of its own.

    A rehearsal's set keeps its state in the store, so that every step, in whatever process, serves the same content
    for as long as it needs it. `TASKER_RELEASE_REHEARSAL_REGISTRIES` names another folder, which rehearsals then share:
    so a second release can be rehearsed on top of a first.
    """
    if run.settings.registries is Registries.LIVE:
        yield RegistrySet(LIVE, Credentials.from_environment(run.environment))
        return
    with loopback(rehearsal_folder(run), run.manifest, cache=run.cache) as registries:
        yield registries


def rehearsal_folder(run: ReleaseRun) -> Path:
    """The folder that holds what a rehearsal's target registries hold."""
    # Loopback registries need a local folder; with a remote store a rehearsal stays on this machine.
    return shared_folder(run.environment) or (run.store.local or run.work) / "registries"


def shared_folder(environment: Mapping[str, str]) -> Path | None:
    """The folder of the registries that rehearsals share, where `TASKER_RELEASE_REHEARSAL_REGISTRIES` names one."""
    shared = environment.get("TASKER_RELEASE_REHEARSAL_REGISTRIES")
    return Path(shared).absolute() if shared else None


@contextmanager
def loopback(root: Path, manifest: Manifest, cache: Path | None = None) -> Iterator[RegistrySet]:
    """The registries over the folder `root`, served until the block ends. `cache`: for what they pass on."""
    # Here, as a release to the public registries needs no web server.
    from tasker_release_pipeline.loopback.server import serve  # noqa: PLC0415

    reserved = {
        registry: frozenset(package.name for package in manifest.of_registry(registry)) for registry in RegistryName
    }
    with serve(root, reserved=reserved, upstream=LIVE, cache=cache) as served:
        tokens = dict.fromkeys(RegistryName, served.token)
        yield RegistrySet(served.endpoints, Credentials(tokens), served.root)
