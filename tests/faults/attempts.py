"""One attempt after another to publish, and what may be said of it afterwards."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from tasker_release_pipeline.loopback.holdings import holdings
from tasker_release_pipeline.loopback.server import LoopbackRegistries
from tasker_release_pipeline.registries.base import BaseClient
from tasker_release_pipeline.registries.client import CLIENTS
from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.registries.model import RegistryClient, Upload
from tasker_release_pipeline.registries.publish import PublishResult, PublishStatus, publish
from tasker_release_pipeline.registries.sending import Patience
from tasker_release_pipeline.release.artifact import Artifact
from tasker_release_pipeline.release.errors import ReleaseError, ToolError

from ..loopback import packages
from ..loopback.actions import Actions
from . import spoken

VERSION = "1.0.0"
Said = PublishResult | ReleaseError


@dataclass(frozen=True)
class Release:
    """A package of one version, and the client that publishes it. `sent`: the names of the files that were sent."""

    client: RegistryClient
    upload: Upload
    artifacts: tuple[Artifact, ...]
    registries: LoopbackRegistries
    sent: list[str]

    def attempt(
        self,
        propagation_seconds: float = 0.4,
        settle_seconds: float = 0.1,
        *,
        tries: int = 3,
        retry_seconds: float = 20,
    ) -> Said:
        """Publish once; the error where there is one of ours. Whatever else is raised is a bug."""
        tokens = dict.fromkeys(CLIENTS, self.registries.token)
        patience = Patience(tries=tries, retry=retry_seconds, pause=0.02, settle=settle_seconds)
        try:
            return publish(
                self.client, self.upload, self.artifacts, Credentials(tokens),
                propagation_seconds=propagation_seconds, patience=patience,
            )  # fmt: skip
        except ReleaseError as error:
            return error

    def held(self) -> list[str]:
        """The files that the registry has of this version. All of them are ours, or this fails."""
        of_package = holdings(self.registries.root)[self.client.registry].get(self.upload.name, {})
        files = of_package.get(self.upload.version, [])
        assert {file["sha256"] for file in files} <= {artifact.sha256 for artifact in self.artifacts}
        assert len({file["filename"] for file in files}) == len(files) <= len(self.artifacts)
        assert list(of_package) in ([], [self.upload.version])
        return [file["filename"] for file in files]

    @property
    def is_held(self) -> bool:
        """Whether all of it is there. A part of it fails, where nobody expects that."""
        assert len(self.held()) in (0, len(self.artifacts))
        return bool(self.held())


def kind(said: Said) -> PublishStatus | type[ReleaseError]:
    """An attempt's end, in one word."""
    return said.status if isinstance(said, PublishResult) else type(said)


def by_hand(
    actions: Actions, folder: Path, to: LoopbackRegistries, *, patience: float = 20, platforms: Sequence[str] = ()
) -> Release:
    """The registry's real client, but that its uploads go by plain HTTP, each file once, as fast as that is.

    `patience`: seconds until an upload that is not answered has failed. `platforms`: a wheel or gem for each.
    """
    sent: list[str] = []
    files = {_name(actions, platform): _content(actions, platform) for platform in platforms or ("",)}

    class ByHand(CLIENTS[actions.registry]):  # type: ignore[misc]
        def upload(self, upload: Upload, credentials: Credentials) -> None:  # noqa: ARG002
            for path in upload.files:
                sent.append(path.name)
                with httpx.Client(timeout=httpx.Timeout(20, read=patience), trust_env=False) as client:
                    _send(actions, client, to, path)

    client: BaseClient = ByHand(to.endpoints)
    store = Path(tempfile.mkdtemp(dir=folder))
    for name, content in files.items():
        (store / name).write_bytes(content)
    upload = Upload(name="one", version=VERSION, files=tuple(store / name for name in files), scratch=store, seconds=60)
    artifacts = tuple(Artifact.of(f"{actions.registry}/one", VERSION, path) for path in upload.files)
    return Release(client, upload, artifacts, to, sent)


def other_content(release: Release, folder: Path) -> Release:
    """The same version with other bytes."""
    (path,) = release.upload.files
    changed = Path(tempfile.mkdtemp(dir=folder)) / path.name
    changed.write_bytes(packages.other(release.client.registry, VERSION))
    upload = replace(release.upload, files=(changed,))
    return replace(release, upload=upload, artifacts=(Artifact.of(release.artifacts[0].package, VERSION, changed),))


def _send(actions: Actions, client: httpx.Client, to: LoopbackRegistries, path: Path) -> None:
    """Raise ToolError in the words of the client that failed."""
    try:
        if actions.registry == "pypi":
            answer = packages.upload_wheel(client, to, path.name, path.read_bytes())
        else:
            answer = actions.upload(client, to, path.read_bytes(), VERSION)
    except httpx.TransportError as error:
        raise ToolError(spoken.dropped(actions.registry)) from error
    if not answer.is_success:
        raise ToolError(spoken.refused(actions.registry, answer))


def _name(actions: Actions, platform: str) -> str:
    if actions.registry == "pypi":
        return packages.wheel_name("one", VERSION, platform or "any")
    if actions.registry == "rubygems":
        return f"one-{VERSION}{f'-{platform}' if platform else ''}.gem"
    return f"one-{VERSION}.{'crate' if actions.registry == 'crates_io' else 'tgz'}"


def _content(actions: Actions, platform: str) -> bytes:
    if platform and actions.registry == "rubygems":
        return packages.gem("one", VERSION, platform)
    return packages.wheel("one", VERSION, text=platform) if platform else actions.build(VERSION)
