"""Releases that are live in all but the address of the public registries: broken ones, and their healthy neighbours.

The healthy one is a crate's renaming that the manifest follows, with every pin raised, a tag that stands where the
release would put it, tokens that each registry knows, and other runtimes beside this machine's.
"""

import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import dagster as dg
import pytest

from tasker_release_pipeline.loopback.fault_words import parse_faults
from tasker_release_pipeline.loopback.github import serve_github
from tasker_release_pipeline.loopback.github_answers import Access
from tasker_release_pipeline.loopback.github_state import Check, GitHubState
from tasker_release_pipeline.loopback.orders import order, orders
from tasker_release_pipeline.loopback.server import serve
from tasker_release_pipeline.registries.credentials import VARIABLES
from tasker_release_pipeline.registries.endpoints import LIVE
from tasker_release_pipeline.registries.token_check import looks_right
from tasker_release_pipeline.release.catalogue import catalogue
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName
from tasker_release_pipeline.release.manifest import load
from tasker_release_pipeline.steps import registry_sets
from tests.issuer import Issuer, issuing
from tests.nodes import node
from tests.pipeline import worlds
from tests.pipeline.conftest import Pipeline, example, git, once
from tests.pipeline.test_credentials import NAME, NO_SECRETS, gate_of

pytestmark = [pytest.mark.toolchain, pytest.mark.slow]

TAG = "v0.1.1"
RENAMED = {
    "tasker-cli/Cargo.toml": ('name = "tasker-cli"\n', 'name = "tasker-ctl"\n'),
    "Cargo.toml": ("tasker-cli = { path", "tasker-ctl = { path"),
}
LIBRARY = {"tasker-cli/Cargo.toml": ("[dependencies]\n", '[lib]\nname = "tasker_cli"\n\n[dependencies]\n')}
FORGOTTEN = {
    "tasker-worker/Cargo.toml": ('"../tasker-client", version = "=0.1.1"', '"../tasker-client", version = "=0.1.0"'),
    "tasker-cli/Cargo.toml": ('"../tasker-shared", version = "=0.1.1"', '"../tasker-shared", version = "=0.1.0"'),
}
FOLLOWED = {
    'name = "tasker-cli"': 'name = "tasker-ctl"',
    # The oldest that can be had here: this machine has one Ruby alone.
    'oldest = "20"': 'oldest = "18"',
    'oldest = "3.0"': 'oldest = "3.1"',
}
TOKENS = {
    RegistryName.CRATES_IO: "cio" + secrets.token_hex(16),
    RegistryName.RUBYGEMS: "rubygems_" + secrets.token_hex(24),
    RegistryName.PYPI: "pypi-AgEIcHlwaS5vcmc" + secrets.token_hex(40),
    RegistryName.NPM: "npm_" + secrets.token_hex(18),
}
CLOSED = dict.fromkeys(("https_proxy", "HTTPS_PROXY"), "http://127.0.0.1:9")
"""Nobody is reached but on loopback."""


@contextmanager
def public(world: Pipeline) -> Iterator[dict[str, str]]:
    """Registries and a GitHub on loopback for the public ones; the environment of who may release there."""
    assert all(looks_right(registry, token) for registry, token in TOKENS.items())
    names = (load("tasker"), load(str(world.folder / "mine.toml")))
    reserved = {r: frozenset(p.name for manifest in names for p in manifest.of_registry(r)) for r in RegistryName}
    cache = world.folder.parent / "cache"
    with ExitStack() as stack:
        # Each takes its own token alone, as the public ones do; all hold the same.
        each = {
            registry: stack.enter_context(
                serve(world.registries, reserved=reserved, upstream=LIVE, cache=cache, token=token)
            ).endpoints
            for registry, token in TOKENS.items()
        }
        endpoints = each[RegistryName.CRATES_IO].model_copy(
            update={
                "rubygems": each[RegistryName.RUBYGEMS].rubygems,
                "pypi": each[RegistryName.PYPI].pypi,
                "pypi_upload": each[RegistryName.PYPI].pypi_upload,
                "npm": each[RegistryName.NPM].npm,
            }
        )
        github = stack.enter_context(
            serve_github(
                world.folder / "github", source=world.source, repository=NAME, access=Access(kind="user"), token="ghp_x"
            )
        )
        yield {
            **NO_SECRETS,
            **{VARIABLES[registry]: token for registry, token in TOKENS.items()},
            "RELEASE_DRY_RUN": "false",
            "TASKER_RELEASE_MANIFEST": str(world.folder / "mine.toml"),
            "TESTS_PUBLIC_REGISTRIES": endpoints.model_dump_json(),
            "GITHUB_API_URL": github.url,
            "GITHUB_REPOSITORY": NAME,
            "GITHUB_TOKEN": github.token,
            "NVM_DIR": str(world.folder / "nvm"),
        }


def released(shared: Path, name: str, *, healthy: bool) -> Pipeline:
    """A live release of 0.1.1 on top of 0.1.0, after `tasker-cli` became `tasker-ctl`."""
    world = Pipeline(shared / name, shared / f"{name}-source", module="tests.pipeline.public_on_loopback")
    with once(shared, name) as needed:
        if needed:
            example(world.source)
            worlds.prepare(world.source, TAG[1:])
            worlds.mutate(world.source, RENAMED)
            worlds.mutate(world.source, LIBRARY)
            cargo = ["cargo", "metadata", "--format-version=1", "--offline"]
            subprocess.run(cargo, cwd=world.source, check=True, capture_output=True)
            git(world.source, "commit", "--quiet", "--all", "--message", "Lock")
            worlds.manifest(world.folder, FOLLOWED if healthy else {})
            if healthy:
                node(world.folder / "nvm", "18.20.8", npm="10.9.2")
            else:
                worlds.mutate(world.source, FORGOTTEN)
            git(world.source, "tag", TAG)
            # main has gone on: a fault of what is checked out is refused before anything starts.
            worlds.mutate(world.source, {"README.md": ("", "\nMore.\n")})
            worlds.everything(world.registries, "0.1.0")
            worlds.wheel(world.registries, "0.1.1rc1")
            before = world.published()
            commit = git(world.source, "rev-parse", TAG).strip()
            with public(world) as environment:
                github = GitHubState(world.folder / "github", world.source)
                github.set_up(checks=(Check(commit=commit, name="ci"),))
                github.create_tag(f"ruby-{TAG}", commit)
                ended = world.execute("release", TAG, environment, registries="live")
            (world.folder / "ended.txt").write_text(ended.output)
            assert (ended.status == 0) is healthy, ended.output[-6000:]
            assert healthy or world.published() == before
    return world


@pytest.fixture(scope="session")
def broken(shared: Path) -> Pipeline:
    return released(shared, "live-broken", healthy=False)


@pytest.fixture(scope="session")
def healthy(shared: Path) -> Pipeline:
    return released(shared, "live-healthy", healthy=True)


def found(world: Pipeline, check: str, severity: str = "") -> list[str]:
    said = world.read(TAG, f"checks/{check.replace('/', '_')}.json")["findings"]
    return [finding["message"] for finding in said if severity in ("", finding["severity"])]


def evaluations(world: Pipeline) -> dict[tuple[str, str], list[dg.AssetCheckEvaluation]]:
    """What Dagster's own instance holds of the release's checks, the last run's first."""
    with dg.DagsterInstance.from_config(str(world.home)) as instance:
        logs = [log for run in instance.get_run_records() for log in instance.all_logs(run.dagster_run.run_id)]
    by_check: dict[tuple[str, str], list[dg.AssetCheckEvaluation]] = {}
    for event in (log.dagster_event for log in logs if log.is_dagster_event):
        if event is None or event.event_type is not dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            continue
        evaluation = event.asset_check_evaluation_data
        by_check.setdefault(("/".join(evaluation.asset_key.path), evaluation.check_name), []).append(evaluation)
    return by_check


def test_19_a_renamed_crate_and_two_forgotten_pins_are_refused_by_name(broken: Pipeline) -> None:
    gate = broken.read(TAG, "gate.json")
    assert (gate["mode"], gate["verdict"], broken.outcomes(TAG)) == ("live", "no-go", {})
    errors = found(broken, "source_tree.manifest_matches_cargo", "error")
    heard = [finding["message"] for finding in gate["findings"]]
    for words in (
        "tasker-cli is no member of the cargo workspace (tasker-cli holds tasker-ctl); correct the name",
        'tasker-worker/Cargo.toml: tasker-worker requires tasker-client "=0.1.0", but tasker-client/Cargo.toml has',
        'tasker-cli/Cargo.toml: tasker-ctl requires tasker-shared "=0.1.0", but tasker-shared/Cargo.toml has 0.1.1',
    ):
        (error,) = [message for message in errors if message.startswith(words)]
        assert f"source_tree: manifest_matches_cargo: {error}" in heard
        assert error in broken.summary(TAG)
    (name,) = found(broken, "source_tree.manifest_matches_cargo", "warning")
    assert name.startswith(
        "tasker-cli/Cargo.toml: tasker-ctl could be published, and the manifest tasker does not know"
    )


def test_dagster_itself_holds_every_check_of_a_broken_release_with_its_evidence(broken: Pipeline) -> None:
    held = evaluations(broken)
    # One that fails hides none: each was evaluated once, for this release, and says what the gate heard.
    assert set(held) == {(check.asset, check.name) for check in catalogue()} | {("gate", "go")}
    for (asset, name), (evaluation, *others) in held.items():
        assert (evaluation.partition, others) == (TAG, [])
        if asset != "gate":
            kept = broken.read(TAG, f"checks/{asset.replace('/', '_')}.{name}.json")
            assert evaluation.passed is (kept["findings"] == [])
            assert set(kept["evidence"]) <= set(evaluation.metadata)
    (edges,) = held["source_tree", "manifest_matches_cargo"]
    assert (edges.passed, edges.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert 'tasker-worker requires tasker-client "=0.1.0"' in (edges.description or "")
    assert edges.metadata["tasker-worker"].value == "tasker-worker, phase 4"
    assert edges.metadata["seconds"].value >= 0
    (go,) = held["gate", "go"]
    assert (go.passed, go.severity, go.blocking) == (False, dg.AssetCheckSeverity.ERROR, True)
    assert {("source_tree", "formatted"), ("wheels", "platforms_are_complete")} <= {
        key for key, (evaluation,) in held.items() if evaluation.passed
    }


def test_19_a_renaming_that_the_manifest_follows_passes_and_is_published(healthy: Pipeline) -> None:
    assert found(healthy, "source_tree.manifest_matches_cargo") == []
    evidence = healthy.read(TAG, "checks/source_tree.manifest_matches_cargo.json")["evidence"]
    assert evidence["tasker-ctl"] == "tasker-cli, phase 4"
    assert len(evidence) == 6
    outcomes = healthy.outcomes(TAG)
    assert (len(outcomes), set(outcomes.values())) == (9, {"published"})
    assert {"tasker-ctl-0.1.1.crate", "tasker-rb-0.1.1.gem"} < set(healthy.published())


def test_8_legal_versions_and_tokens_that_are_known_raise_no_alarm(healthy: Pipeline) -> None:
    gate = healthy.read(TAG, "gate.json")
    assert (gate["mode"], gate["verdict"]) == ("live", "go")
    # PyPI holds 0.1.1rc1, which is another version; and it alone tells nobody whether it knows a token.
    for check in ("versions_are_legal", "versions_are_free", "names_are_ours"):
        assert found(healthy, f"release_plan.{check}") == []
    for registry in RegistryName:
        said = found(healthy, f"credentials/{registry}.credentials_accepted")
        assert [m.partition(":")[0] for m in said] == (
            ["unproven whether PyPI knows the token in UV_PUBLISH_TOKEN"] if registry is RegistryName.PYPI else []
        )
    said = [f["message"] for f in gate["findings"] if "changed: no package counts it as a change" not in f["message"]]
    assert [message.partition(" ")[0] for message in said] == ["credentials/pypi:"]


def test_17_tags_that_are_free_or_stand_on_this_commit_are_recorded(healthy: Pipeline) -> None:
    assert found(healthy, "credentials/github.release_can_be_recorded") == []
    assert found(healthy, "source_tree.commit_is_vouched_for") == []
    commit = git(healthy.source, "rev-parse", TAG).strip()
    tags = GitHubState(healthy.folder / "github", healthy.source).tags()
    assert {tag: tags[tag] for tag in ("core-v0.1.1", "ruby-v0.1.1", "typescript-v0.1.1")} == dict.fromkeys(
        ("core-v0.1.1", "ruby-v0.1.1", "typescript-v0.1.1"), commit
    )


def test_the_oldest_python_ruby_and_node_are_those_that_are_at_hand(healthy: Pipeline) -> None:
    check = healthy.read(TAG, "checks/staged_install.installs_with_the_oldest.json")
    assert check["findings"] == []
    node_18 = healthy.folder / "nvm" / "versions" / "node" / "v18.20.8" / "bin" / "node"
    assert check["evidence"]["npm"] == f"{node_18} (18.20.8)"
    assert "/ruby3.1 (3.1." in check["evidence"]["rubygems"]
    assert "(3.11." in check["evidence"]["pypi"]


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as issuer:
        yield issuer


def test_9_an_npm_that_is_new_enough_for_its_identity_raises_no_alarm(
    healthy: Pipeline, issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = copied(healthy, tmp_path)
    issuer.trusted(world.registries, (RegistryName.NPM, worlds.NPM))
    new = node(tmp_path / "nodes", "22.14.0", npm="11.5.1")
    path = {"PATH": f"{new}:{Path(shutil.which('git') or '').parent}", "HOME": str(tmp_path)}
    (tmp_path / ".npmrc").write_text("nodedir=/usr\n")  # of which npm warns
    with public(world) as environment:
        job = {**environment, **CLOSED, **path, **issuer.environment, "NPM_TOKEN": ""}
        ended = world.execute("probe_npm", TAG, job, registries="live")
        assert ended.status == 0, ended.output[-6000:]
        check = world.read(TAG, "checks/credentials_npm.credentials_accepted.json")
        assert check["findings"] == []
        assert (check["evidence"]["npm npm"], check["evidence"]["npm node"]) == ("11.5.1", "22.14.0")
        public_ones = Endpoints.model_validate_json(environment["TESTS_PUBLIC_REGISTRIES"])
        monkeypatch.setattr(registry_sets, "LIVE", public_ones)
        gate = gate_of(world, TAG, environment)
    assert (gate.verdict, len(issuer.audiences)) == ("go", 1)


def copied(world: Pipeline, folder: Path) -> Pipeline:
    """The same world, to change it."""
    other = world.elsewhere(folder / "copy")
    shutil.copytree(world.folder / "github", other.folder / "github")
    shutil.copy(world.folder / "mine.toml", other.folder)
    return Pipeline(other.folder, world.source, module=world.module)


INSTALLS = {
    ("crates_io/tasker-ctl", "installs_from_crates_io"),
    ("rubygems/tasker-rb", "installs_from_rubygems"),
    ("pypi/tasker-py", "installs_from_pypi"),
    ("npm/tasker", "installs_from_npm"),
}


def test_after_a_live_release_everything_installs_from_the_public_registries(healthy: Pipeline) -> None:
    held = evaluations(healthy)
    assert set(held) == {(check.asset, check.name) for check in catalogue()} | {("gate", "go")} | INSTALLS
    for asset, name in INSTALLS:
        (evaluation,) = held[asset, name]
        assert (evaluation.passed, evaluation.partition) == (True, TAG)
        assert evaluation.metadata[asset].value == "0.1.1"


def test_a_public_registry_that_serves_no_file_fails_the_check_and_not_the_publish(
    healthy: Pipeline, tmp_path: Path
) -> None:
    world = copied(healthy, tmp_path)
    (fault,) = parse_faults("npm:download:404:always")
    order(world.registries, fault)
    with public(world) as environment:
        ended = world.execute("publish_typescript", TAG, {**environment, **CLOSED}, registries="live")
    assert ended.status == 0, ended.output[-6000:]
    assert [placed for placed in orders(world.registries) if placed.struck]
    assert world.outcomes(TAG)["npm/tasker"] == "already_published"
    (check,) = evaluations(world)["npm/tasker", "installs_from_npm"]
    assert (check.passed, check.severity, check.blocking) == (False, dg.AssetCheckSeverity.WARN, False)
    assert "404" in (check.description or "")
    (warning,) = found(world, "npm/tasker.installs_from_npm", "warning")
    assert f"WARNING installs_from_npm: {warning.splitlines()[0]}" in ended.output
