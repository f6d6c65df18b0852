"""A release of four packages that is published again and again, while things go wrong: what the state machine drives.

The plan, the release manifest, the gate, the store, the publish step, the clients' way of asking and the registries on
their socket are the real ones. Only two things are not: uploads go by plain HTTP in place of cargo, gem, uv and npm,
and the publish code's clock jumps ahead where it would sleep.
"""

import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from upath import UPath

from tasker_release_pipeline.loopback.fault_words import parse_faults
from tasker_release_pipeline.loopback.faults import STATES, FaultKind, RequestKind
from tasker_release_pipeline.loopback.names import canonical
from tasker_release_pipeline.loopback.orders import order, orders, withdraw
from tasker_release_pipeline.loopback.storage import Storage
from tasker_release_pipeline.registries.base import BaseClient
from tasker_release_pipeline.registries.client import CLIENTS
from tasker_release_pipeline.registries.compare import Verdict as Found
from tasker_release_pipeline.registries.compare import compare
from tasker_release_pipeline.registries.credentials import VARIABLES, Credentials
from tasker_release_pipeline.registries.model import Holdings, Upload
from tasker_release_pipeline.release.artifact import Artifact, ReleaseManifest
from tasker_release_pipeline.release.checks import CheckResult, Report
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName
from tasker_release_pipeline.release.errors import ReleaseError, ToolError
from tasker_release_pipeline.release.gate import judge
from tasker_release_pipeline.release.outcome import Outcome, OutcomeKind
from tasker_release_pipeline.release.plan import PackagePlan, Plan
from tasker_release_pipeline.release.settings import Mode, Settings
from tasker_release_pipeline.steps import gate
from tasker_release_pipeline.steps.checking import result
from tasker_release_pipeline.steps.publish import publish_package
from tasker_release_pipeline.steps.run import ReleaseRun
from tasker_release_pipeline.store import ReleaseStore

from . import spoken
from .machine_fuse import Fuse, KillableStore, Killed
from .machine_packages import SENDERS, VERSION, Half, files_of, manifest_of
from .machine_site import Site

RELEASE = "v1.0.0"
OUT = (OutcomeKind.PUBLISHED, OutcomeKind.ALREADY_PUBLISHED, OutcomeKind.UPLOADED_NOT_VISIBLE)
PATIENCE = 0.25
"""Seconds until an upload that is not answered has failed; the machine orders shorter and longer delays."""


@dataclass
class Contact:
    """What one run has had to do with one registry. Files by their names.

    `held`: what was really there when the last question that was answered was asked; `shown`: which of ours that answer
    lists, with the digest that it states. None: no question was answered yet.
    """

    held: set[str] | None = None
    shown: dict[str, str | None] | None = None
    sent: set[str] = field(default_factory=set)
    unasked: set[str] = field(default_factory=set)
    """Sent since the last question that was answered."""
    lost: set[str] = field(default_factory=set)
    """Sent, and neither taken nor refused, as far as the sender was told."""


@dataclass
class World:
    """One example: packages of its own names, a store, and what was seen of them."""

    site: Site
    fuse: Fuse = field(default_factory=Fuse)
    skipped: float = 0.0
    runs: int = 0
    contacts: dict[RegistryName, Contact] = field(default_factory=dict)
    """Of the run that is, or was the last."""
    taken: set[str] = field(default_factory=set)
    """Packages that are out by what was said since the outcomes were lost."""
    begun: set[RegistryName] = field(default_factory=set)
    """Registries that something was sent to since the outcomes were lost."""
    how: str = ""
    checks: dict[tuple[str, str], CheckResult] = field(default_factory=dict)

    def __post_init__(self) -> None:
        number = next(self.site.numbers)
        self.site.hooks.world = self
        self.names = {
            RegistryName.CRATES_IO: f"crate-{number}",
            RegistryName.RUBYGEMS: f"gem-{number}",
            RegistryName.PYPI: f"wheel-{number}",
            RegistryName.NPM: f"@systems/npm-{number}",
        }
        self.folder = self.site.folder / f"example-{number}"
        self.files = {
            f"{registry}/{name.rsplit('/', 1)[-1]}": files_of(registry, name) for registry, name in self.names.items()
        }
        self.keys = tuple(self.files)
        self.manifest = manifest_of(self.site.manifest, self.names)
        self.work = self.folder / "work" / RELEASE
        self.work.mkdir(parents=True)
        (self.work / "source").symlink_to(self.site.folder / "source")
        self.fill_store()

    @property
    def store(self) -> ReleaseStore:
        return KillableStore(UPath(self.folder / "store"), RELEASE, self.fuse, self.checks)

    def fill_store(self) -> None:
        """What a runner brings or makes again, byte for byte: everything but the outcomes."""
        store = ReleaseStore(UPath(self.folder / "store"), RELEASE)
        rows = [
            PackagePlan(
                key=key, name=self.names[registry_of(key)], registry=registry_of(key), component="core", phase=None,
                publish=True, version=VERSION, reasons=(), dist_tag="latest" if key.startswith("npm") else None,
            )
            for key in self.keys
        ]  # fmt: skip
        plan = Plan(
            release=RELEASE, commit=self.site.tree.commit, manifest="tasker", manifest_digest="", settings=Settings(),
            components={}, packages=tuple(rows), findings=(),
        )  # fmt: skip
        artifacts = []
        built = self.folder / "built"
        built.mkdir(exist_ok=True)
        for key, files in self.files.items():
            for name, content in files.items():
                (built / name).write_bytes(content)
                store.put_artifact(built / name)
                artifacts.append(Artifact.of(key, VERSION, built / name))
        listed = ReleaseManifest(
            release=RELEASE, plan=plan.digest, commit=self.site.tree.commit, artifacts=tuple(artifacts)
        )
        self.artifacts = {key: listed.of_package(key) for key in self.keys}
        store.write("plan.json", plan)
        store.write("source.json", self.site.tree)
        store.write("manifest.json", listed)
        run = self.run()
        expected = gate._expected(run, plan, listed)
        passed = [result(asset, name, subject, Report()) for (asset, name), subject in expected.items()]
        self.checks |= {(check.asset, check.name): check for check in passed}
        store.write("gate.json", judge(listed, Mode.LIVE, self.checks, expected, ()))

    def lose_store(self) -> None:
        self.begun.clear()
        self.taken.clear()
        shutil.rmtree(self.folder / "store")
        self.fill_store()

    def lose_outcomes(self) -> None:
        self.begun.clear()
        self.taken.clear()
        shutil.rmtree(self.folder / "store" / RELEASE / "outcomes", ignore_errors=True)

    def order(self, registry: str, words: str) -> None:
        for fault in parse_faults(";".join(f"{registry}:{one.strip()}" for one in words.split(";"))):
            order(self.site.registries.root, fault)

    def withdraw(self) -> None:
        withdraw(self.site.registries.root)

    def run(self, attempt: int = 1) -> ReleaseRun:
        return ReleaseRun(
            release=RELEASE, settings=Settings(dry_run=False), manifest=self.manifest, store=self.store,
            work=self.work, log=lambda _: None, run=f"run-{self.runs}", attempt=attempt,
            environment=dict.fromkeys(VARIABLES.values(), self.site.registries.token),
        )  # fmt: skip

    def publish(self, keys: tuple[str, ...], kill_at: int | None = None, how: str = "") -> dict[str, bool]:
        """One run: whether each package ended well. Nothing of a killed run has an effect after its end."""
        self.runs += 1
        self.fuse, self.how = Fuse(kill_at), how
        self.contacts = {registry: Contact() for registry in RegistryName}
        placed = orders(self.site.registries.root)
        is_calm = kill_at is None and not [one for one in placed if one.left != 0 or one.fault.kind in STATES]
        ended: dict[str, bool] = {}
        with suppress(Killed):
            for key in keys:
                ended[key] = self._publish(key)
                if key.startswith("crates_io") and not ended[key]:
                    break  # the bindings depend on it
        self.fuse = Fuse()
        self.judge()
        assert not is_calm or ended == dict.fromkeys(keys, True), f"nothing was wrong, but: {ended}"
        return ended

    def _publish(self, key: str) -> bool:
        try:
            outcome = publish_package(self.run(), key)
            assert outcome is not None
            self.store.write_outcome(outcome)  # as the graph does with what the step gives
        except ReleaseError:
            return False
        return True

    def client(self, registry: RegistryName, endpoints: Endpoints) -> BaseClient:
        world = self

        class ByHand(CLIENTS[registry]):  # type: ignore[misc]
            def holdings(self, name: str) -> Holdings:
                world.fuse.moment()
                held, shown = world.held_and_to_be_shown(registry)
                answer: Holdings = super().holdings(name)
                world.answered(registry, answer, held, shown)
                return answer

            def upload(self, upload: Upload, credentials: Credentials) -> None:
                for path in upload.files:
                    world.fuse.moment()
                    world.send(registry, path, credentials)
                    world.fuse.moment()

        found: BaseClient = ByHand(endpoints)
        return found

    def send(self, registry: RegistryName, path: Path, credentials: Credentials) -> None:
        """Send one file. Raise ToolError in the words of the client that failed."""
        contact = self.contacts[registry]
        assert contact.shown is not None, f"{path.name} was sent without an answer to whether it is there"
        assert path.name not in contact.shown, f"{path.name} was sent, although it is there"
        assert path.name not in contact.unasked, f"{path.name} was sent twice, and nobody asked in between"
        contact.sent.add(path.name)
        contact.unasked.add(path.name)
        self.begun.add(registry)
        assert credentials.token(registry) == self.site.registries.token
        transport: httpx.BaseTransport = httpx.HTTPTransport(verify=False)
        patience = PATIENCE
        try:
            self.fuse.moment()
        except Killed:  # in the middle: half of the request is out, or all of it, but nobody waits for the answer
            if self.how == "half":
                transport = Half(verify=False)
            patience = 1e-6
        try:
            with httpx.Client(transport=transport, timeout=httpx.Timeout(20, read=patience)) as client:
                answer = SENDERS[registry](client, self.site.registries, self.names[registry], path)
        except httpx.TransportError as error:
            contact.lost.add(path.name)
            if self.fuse.burnt:
                raise Killed from error
            raise ToolError(spoken.dropped(registry)) from error
        self.fuse.moment()
        if answer.status_code >= 500:
            contact.lost.add(path.name)
        if not answer.is_success:
            raise ToolError(spoken.refused(registry, answer))

    # --- what has to be true ------------------------------------------------------------------------------------------

    def held(self, registry: RegistryName) -> list[dict[str, Any]]:
        """What the registry really has of the package."""
        name = canonical(registry, self.names[registry])
        return Storage(self.site.registries.root, registry).records(name)

    def held_and_to_be_shown(self, registry: RegistryName) -> tuple[set[str], set[str]]:
        """The files that are there, and those of them that no order lets the index hide."""
        late = [
            one
            for one in orders(self.site.registries.root)
            if one.fault.kind is FaultKind.LATE and one.fault.concerns(registry, RequestKind.INDEX)
        ]
        held, shown = set(), set()
        for record in self.held(registry):
            accepted = datetime.fromisoformat(record["created_at"])
            age = (datetime.now(UTC) - accepted).total_seconds()
            (file,) = [a.file for a in self.artifacts[self.key_of(registry)] if a.sha256 == record["sha256"]]
            held.add(file)
            if not any(one.at <= accepted and age < one.fault.seconds for one in late):
                shown.add(file)
        return held, shown

    def answered(self, registry: RegistryName, answer: Holdings, held: set[str], to_be_shown: set[str]) -> None:
        """An answer that the publish code was given, to a question that was asked when `held` was there."""
        ours = [artifact.file for artifact in self.artifacts[self.key_of(registry)]]
        stated = {file.file: file.sha256 or file.integrity for file in answer.files}
        if len(ours) == 1:  # npm gives its one file another name
            stated = dict.fromkeys(ours, *stated.values()) if stated else {}
        assert to_be_shown <= set(stated), f"{registry} has {to_be_shown}, but was understood as {stated}"
        contact = self.contacts[registry]
        contact.held, contact.shown, contact.unasked = held, stated, set()

    def is_held(self, key: str) -> bool:
        return len(self.held(registry_of(key))) == len(self.artifacts[key])

    def key_of(self, registry: RegistryName) -> str:
        (key,) = [key for key in self.keys if registry_of(key) is registry]
        return key

    def last_said(self, key: str) -> Outcome | None:
        return ReleaseStore(UPath(self.folder / "store"), RELEASE).outcome(key)

    def check(self) -> None:
        """Each registry has each file at most once, with our content, and whatever is said to be out is."""
        for key in self.keys:
            held = self.held(registry_of(key))
            shas = [record["sha256"] for record in held]
            assert len(set(shas)) == len(shas), f"{key} is held twice: {held}"
            assert set(shas) <= {artifact.sha256 for artifact in self.artifacts[key]}, f"{key} is not ours: {held}"
            assert {record["version"] for record in held} <= {VERSION}
            said = self.last_said(key)
            assert said or registry_of(key) not in self.begun, f"{key}: an upload was begun, and nothing tells of it"
            assert not said or said.kind not in OUT or self.is_held(key), f"{key}: held are {len(held)} files: {said}"
        assert not list((self.folder / "store").rglob(".*")), "half a file"

    def judge(self) -> None:
        """What the last run said of each package was true when it said it."""
        for key in self.keys:
            said = self.last_said(key)
            if said and said.run == f"run-{self.runs}":
                assert self._was_true(key, said), f"{key}: {self.contacts[registry_of(key)]}, but: {said}"
            if said and said.kind in OUT:
                self.taken.add(key)

    def _was_true(self, key: str, said: Outcome) -> bool:
        registry = registry_of(key)
        contact = self.contacts[registry]
        ours = {a.file: a.integrity if registry is RegistryName.NPM else a.sha256 for a in self.artifacts[key]}
        if said.kind is OutcomeKind.PUBLISHED:
            return bool(contact.sent) and contact.shown == ours
        if said.kind is OutcomeKind.ALREADY_PUBLISHED:
            return not contact.sent and contact.shown == ours
        if said.kind is OutcomeKind.UPLOADED_NOT_VISIBLE:
            return contact.shown != ours
        if said.kind is OutcomeKind.CONFLICT:
            return self.lies(registry)
        if said.kind is OutcomeKind.FAILED:
            # None of its own uploads is in doubt; and it is not there, unless the index hides it and nobody was told.
            in_doubt = contact.shown is None or contact.lost - set(contact.shown)
            is_known = key in self.taken or contact.shown == ours
            return not in_doubt and (contact.held != set(ours) or not is_known)
        return said.kind is OutcomeKind.UNKNOWN  # that nothing unknown stays is seen at the next calm run

    def lies(self, registry: RegistryName) -> bool:
        """Whether index and download are ordered to give other content, which agrees."""
        faults = [one.fault for one in orders(self.site.registries.root) if one.fault.kind is FaultKind.WRONG_CHECKSUM]
        requests = (RequestKind.INDEX, RequestKind.DOWNLOAD)
        return all(any(fault.concerns(registry, request) for fault in faults) for request in requests)

    def end(self) -> None:
        """Everything is mended; a run ends well, and what it says is what the registries say."""
        self.withdraw()
        assert self.publish(self.keys) == dict.fromkeys(self.keys, True)
        self.check()
        for key in self.keys:
            registry = registry_of(key)
            holdings = CLIENTS[registry](self.site.registries.endpoints).holdings(self.names[registry])
            found = compare(self.artifacts[key], holdings, VERSION, registry)
            assert found.verdict is Found.SAME, found
            assert self.is_held(key)
        token = self.site.registries.token.encode()
        kept = [path for place in ("store", "work/" + RELEASE) for path in (self.folder / place).rglob("*")]
        assert not [path for path in kept if path.is_file() and token in path.read_bytes()]
        shutil.rmtree(self.folder)


def registry_of(key: str) -> RegistryName:
    return RegistryName(key.split("/", 1)[0])
