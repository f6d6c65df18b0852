"""What a release is let in with is tried before the first upload: by each registry, and by GitHub."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tasker_release_pipeline.loopback.github import serve_github
from tasker_release_pipeline.loopback.server import serve
from tasker_release_pipeline.registries.credentials import Credentials
from tasker_release_pipeline.release.artifact import ReleaseManifest
from tasker_release_pipeline.release.catalogue import CREDENTIALS, PROBE_JOBS, RECORDING, catalogue
from tasker_release_pipeline.release.checks import Report
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName
from tasker_release_pipeline.release.gate import Gate, judge
from tasker_release_pipeline.release.plan import Plan, Severity
from tasker_release_pipeline.release.settings import Mode, Registries
from tasker_release_pipeline.steps.credential_checks import accepted, recordable, try_credentials, vouched_for
from tasker_release_pipeline.steps.gate import _expected, give_verdict
from tasker_release_pipeline.steps.registry_sets import RegistrySet
from tasker_release_pipeline.steps.run import ReleaseRun
from tests.github.released import Released, everything, gem_alone
from tests.pipeline import worlds
from tests.pipeline.conftest import FIRST, Ended, Pipeline, example, git, once
from tests.release.building import Repository, workspace

GEM, NPM, CRATES = RegistryName.RUBYGEMS, RegistryName.NPM, RegistryName.CRATES_IO
NAME = "tasker-systems/tasker-core"
SECRET = "rubygems_" + "0123456789abcdef" * 3
ACCEPTED = {(asset, "credentials_accepted") for asset in CREDENTIALS.values()}
# A job of GitHub Actions whose issuer of ID tokens does not answer, so that nothing is ever exchanged.
JOB = {
    "GITHUB_ACTIONS": "true",
    "ACTIONS_ID_TOKEN_REQUEST_URL": "http://127.0.0.1:9/token?api-version=2.0",
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "asks-for-id-tokens",
}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Released]:
    """A release of everything that is planned and built; its commit is on main, which was pushed."""
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "A")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "a@example.invalid")
    repository = Repository(tmp_path / "repository")
    base = repository.commit("v0.1.8", files=workspace())
    commit = repository.commit(files={"tasker-pgmq/src/lib.rs": "// more\n"})
    with serve_github(tmp_path / "github", source=repository.path, repository=NAME) as served:
        yield everything(Released(tmp_path, repository, served, "v0.1.9", base, commit))


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Endpoints]:
    """Registries that know one token, and hold nothing."""
    with serve(tmp_path / "registries", reserved={}, token=SECRET) as served:
        yield served.endpoints


def tried(run: ReleaseRun, plan: Plan, registry: RegistryName, endpoints: Endpoints) -> Report:
    names = [package.name for package in plan.of_registry(registry)]
    return accepted(run, registry, names, RegistrySet(endpoints, Credentials()))


def said(report: Report, severity: Severity = Severity.ERROR) -> list[str]:
    return [finding.message for finding in report.findings if finding.severity is severity]


def rehearsal(world: Released) -> ReleaseRun:
    run = world.run()
    return replace(run, settings=run.settings.model_copy(update={"registries": Registries.REHEARSAL}))


def test_a_token_that_the_registry_knows_is_accepted(world: Released, answering: Endpoints) -> None:
    found = tried(world.run(GEM_HOST_API_KEY=SECRET), world.plan, GEM, answering)
    assert found.findings == ()
    assert "RubyGems knows the token in GEM_HOST_API_KEY" in found.seen


def test_a_missing_key_is_an_error_that_names_the_variable(world: Released, answering: Endpoints) -> None:
    (error,) = said(tried(world.run(), world.plan, GEM, answering))
    assert "set GEM_HOST_API_KEY in the environment" in error


def test_a_key_that_was_revoked_is_an_error(world: Released, answering: Endpoints) -> None:
    (error,) = said(tried(world.run(GEM_HOST_API_KEY=SECRET[:-1] + "0"), world.plan, GEM, answering))
    assert "does not know the token in GEM_HOST_API_KEY" in error


def test_a_dry_run_says_as_a_warning_what_a_release_would_be_stopped_by(world: Released, answering: Endpoints) -> None:
    found = tried(world.run(RELEASE_DRY_RUN="true"), world.plan, GEM, answering)
    assert said(found) == []
    (warning,) = said(found, Severity.WARNING)
    assert warning.startswith("a release would stop here: no token for rubygems: set GEM_HOST_API_KEY")


def test_a_registry_that_does_not_answer_leaves_a_token_unproven(world: Released, answering: Endpoints) -> None:
    nobody = answering.model_copy(update={"rubygems": "http://127.0.0.1:9"})
    found = tried(world.run(GEM_HOST_API_KEY=SECRET), world.plan, GEM, nobody)
    assert said(found) == []
    assert said(found, Severity.WARNING)[0].startswith("unproven whether RubyGems knows the token")


def test_what_is_not_published_needs_no_credentials(world: Released, answering: Endpoints) -> None:
    gem = gem_alone(replace(world, release="release-20260301"))
    for registry in (CRATES, RegistryName.PYPI, NPM):
        found = tried(gem.run(), gem.plan, registry, answering)
        assert (found.findings, found.seen.split()[:3]) == ((), ["nothing", "is", "published"])


def test_an_old_node_and_a_token_in_the_way_are_told_by_name(
    world: Released, answering: Endpoints, old_node: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", old_node)
    found = tried(world.run(**JOB, NODE_AUTH_TOKEN="npm_x"), world.plan, NPM, answering)
    assert "node 20.19.2 is too old: trusted publishing on npm needs 22.14 or newer; update it in the job" in " ".join(
        said(found)
    )
    assert any(message.startswith("NODE_AUTH_TOKEN is set;") for message in said(found, Severity.WARNING))


@pytest.fixture
def old_node(tmp_path: Path) -> str:
    """A PATH on which Node is too old for npm's trusted publishing, whatever this machine has."""
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "node").write_text("#!/bin/sh\necho v20.19.2\n")
    (folder / "node").chmod(0o755)
    return f"{folder}{os.pathsep}{os.environ['PATH']}"


def test_a_rehearsal_takes_no_secret_and_raises_no_alarm(world: Released) -> None:
    found = try_credentials(rehearsal(world), world.plan, [*CREDENTIALS.values(), RECORDING])
    assert {asset: result.probed.access for asset, result in found.items()} == dict.fromkeys(found, "accepted")
    assert [check.findings for result in found.values() for check in result.checks] == [()] * 5


def test_no_secret_gets_into_the_store(world: Released, monkeypatch: pytest.MonkeyPatch) -> None:
    # The public registries are out of reach through this proxy, and the token never leaves.
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    run = world.run(GEM_HOST_API_KEY=SECRET)
    found = try_credentials(run, world.plan, [CREDENTIALS[GEM]])[CREDENTIALS[GEM]]
    assert found.probed.access == "unproven"
    run.store.write("credentials/rubygems.json", found.probed)
    kept = [path.read_text() for path in Path(str(run.store.folder)).rglob("*.json")]
    assert any("GEM_HOST_API_KEY" in text for text in kept)
    assert not any(SECRET in text or world.server.token in text for text in kept)


def judged(run: ReleaseRun, plan: Plan) -> Gate:
    manifest = run.store.demand("manifest.json", ReleaseManifest, "")
    return judge(manifest, run.mode, run.store.checks(), _expected(run, plan, manifest), ())


def test_the_gate_says_which_job_tries_an_identity(world: Released) -> None:
    gate = judged(world.run(), world.plan)
    errors = [finding.message for finding in gate.findings]
    for registry, job in PROBE_JOBS.items():
        assert f"credentials/{registry}: credentials_accepted: has not run; run the job `{job}`" in errors


def test_what_was_tried_in_one_mode_counts_in_no_other(world: Released) -> None:
    try_credentials(rehearsal(world), world.plan, [CREDENTIALS[NPM], RECORDING])
    assert set(counted(rehearsal(world), world.plan)) == {CREDENTIALS[NPM], RECORDING}
    assert counted(world.run(), world.plan) == []


def test_what_was_tried_for_one_plan_counts_for_no_other(world: Released) -> None:
    try_credentials(rehearsal(world), world.plan, [CREDENTIALS[NPM]])
    world.store.write("plan.json", world.plan.model_copy(update={"commit": world.base}))
    assert counted(rehearsal(world), world.plan) == []


def counted(run: ReleaseRun, plan: Plan) -> list[str]:
    """The assets of credentials whose kept results the gate takes."""
    manifest = run.store.demand("manifest.json", ReleaseManifest, "")
    results = run.store.checks()
    return [
        asset
        for (asset, name), subject in _expected(run, plan, manifest).items()
        if asset.startswith("credentials/") and (r := results.get((asset, name))) and r.subject == subject
    ]


def test_the_gate_demands_the_rights_and_the_credentials_of_every_registry(world: Released) -> None:
    manifest = world.run().store.demand("manifest.json", ReleaseManifest, "")
    expected = set(_expected(world.run(), world.plan, manifest))
    assert expected >= ACCEPTED | {(RECORDING, "release_can_be_recorded"), ("source_tree", "commit_is_vouched_for")}
    assert expected == {(check.asset, check.name) for check in catalogue()}


def test_a_healthy_repository_can_record_a_release(world: Released) -> None:
    found = recordable(world.run(), world.plan)
    assert found.findings == ()
    assert found.evidence["token_may_write, a tag on no object"] == "HTTP 422"


def test_a_tag_that_stands_elsewhere_stops_a_release_and_warns_a_dry_run(world: Released) -> None:
    world.server.state.create_tag("ruby-v0.1.9", world.base)
    (error,) = said(recordable(world.run(), world.plan))
    assert "ruby-v0.1.9 stands on" in error
    (warning,) = said(recordable(world.run(RELEASE_DRY_RUN="true", GITHUB_TOKEN=""), world.plan), Severity.WARNING)[:1]
    assert warning.startswith("a release would stop here: tags are free: ruby-v0.1.9 stands on")


def test_a_commit_beside_main_is_refused_and_a_dry_run_warns_of_it(world: Released) -> None:
    world.repository.git("checkout", "--quiet", "-b", "side")
    beside = everything(replace(world, commit=world.repository.commit()))
    errors = said(vouched_for(beside.run(), beside.plan))
    assert "is not in the history of main (ahead): merge it to main first" in errors[0]
    dry = vouched_for(beside.run(RELEASE_DRY_RUN="true"), beside.plan)
    assert said(dry) == []
    assert said(dry, Severity.WARNING)[0].startswith("a release would stop here: commit is on main")


def test_a_github_that_does_not_answer_is_one_warning_for_each_reason(world: Released) -> None:
    for look in (recordable, vouched_for):
        found = look(world.run(GITHUB_API_URL="http://127.0.0.1:9"), world.plan)
        assert said(found) == []
        (warning,) = said(found, Severity.WARNING)
        assert warning.startswith("unproven: ")
        assert "could not be asked" in warning


def test_a_rehearsals_commit_needs_nobody_to_vouch_for_it(world: Released) -> None:
    found = vouched_for(rehearsal(world), world.plan)
    assert (found.findings, found.seen) == ((), "a rehearsal, whose commit is nobody's branch and has no CI")


@pytest.mark.toolchain
def test_a_release_shows_every_try_at_its_gate(first_release: Pipeline) -> None:
    gate = first_release.read(FIRST, "gate.json")
    found = {(check["asset"], check["name"]): check for check in gate["checks"]}
    wanted = {*ACCEPTED, (RECORDING, "release_can_be_recorded"), ("source_tree", "commit_is_vouched_for")}
    assert {key: found[key]["findings"] for key in wanted} == {key: [] for key in wanted}
    for name in (*RegistryName, "github"):
        probed = first_release.read(FIRST, f"credentials/{name}.json")
        assert (probed["access"], probed["mode"]) == ("accepted", "rehearsal")


LIVE = "v9.9.9"
# No secret of this machine may reach a run that means the public registries.
NO_SECRETS = dict.fromkeys(
    ("CARGO_REGISTRY_TOKEN", "GEM_HOST_API_KEY", "UV_PUBLISH_TOKEN", "MATURIN_PYPI_TOKEN", "NPM_TOKEN",
     "NODE_AUTH_TOKEN", "GITHUB_TOKEN", "GH_TOKEN", "GITHUB_ACTIONS"), "",
)  # fmt: skip
GO_LIVE = {**NO_SECRETS, "RELEASE_DRY_RUN": "false", "GITHUB_API_URL": "http://127.0.0.1:9"}


@pytest.fixture(scope="session")
def refused(shared: Path) -> Pipeline:
    """A release that was meant for the public registries, without a token for one: it gets as far as its gate.

    On GitHub a tag that it would make stands on another commit.
    """
    world = Pipeline(shared / "live", shared / "live-source")
    with once(shared, "live") as needed:
        if needed:
            example(world.source)
            worlds.prepare(world.source, LIVE[1:])
            git(world.source, "tag", LIVE)
            elsewhere = git(world.source, "rev-parse", "HEAD~1").strip()
            with serve_github(shared / "live-github", source=world.source, repository=NAME) as served:
                served.state.create_tag(f"ruby-{LIVE}", elsewhere)
                known = {
                    **GO_LIVE,
                    "GITHUB_API_URL": served.url,
                    "GITHUB_REPOSITORY": NAME,
                    "GITHUB_TOKEN": served.token,
                }
                ended = world.execute("release", LIVE, known, registries="live", dry_run=False)
            (world.folder / "ended.txt").write_text(ended.output)
    return world


def gate_errors(gate: Gate) -> list[str]:
    return [finding.message for finding in gate.findings if finding.severity is Severity.ERROR]


@pytest.mark.toolchain
@pytest.mark.slow
def test_a_live_release_without_the_gems_key_ends_at_its_gate(refused: Pipeline) -> None:
    gate = Gate.model_validate(refused.read(LIVE, "gate.json"))
    assert (gate.mode, gate.verdict) == (Mode.LIVE, "no-go")
    errors = gate_errors(gate)
    for name, variable in (("rubygems", "GEM_HOST_API_KEY"), ("crates_io", "CARGO_REGISTRY_TOKEN")):
        said = f"credentials/{name}: credentials_accepted: no token for {name}: set {variable} in the environment"
        assert said in errors
    assert refused.outcomes(LIVE) == {}


@pytest.mark.toolchain
@pytest.mark.slow
def test_17_a_tag_that_could_not_be_pushed_after_all_is_published_stops_at_the_gate(refused: Pipeline) -> None:
    errors = gate_errors(Gate.model_validate(refused.read(LIVE, "gate.json")))
    (error,) = [message for message in errors if message.startswith("credentials/github: ")]
    assert f"ruby-{LIVE} stands on {git(refused.source, 'rev-parse', 'HEAD~1').strip()}" in error
    assert refused.outcomes(LIVE) == {}


def gate_of(world: Pipeline, release: str, environment: Mapping[str, str]) -> Gate:
    """The gate's verdict on what a live release has in its store."""
    run = ReleaseRun.of(
        release,
        {"source": str(world.source), "registries": "live", "dry_run": False},
        log=lambda _: None,
        environment=world.environment(**environment),
    )
    stored = (run.store.demand("plan.json", Plan, ""), run.store.demand("manifest.json", ReleaseManifest, ""))
    gate, _ = give_verdict(run, *stored)
    return gate


@pytest.mark.toolchain
@pytest.mark.slow
def test_a_job_whose_npm_can_not_publish_by_identity_is_refused_at_the_gate(
    refused: Pipeline, tmp_path: Path, old_node: str
) -> None:
    world = replace(refused, folder=tmp_path / "job")
    world.folder.mkdir()
    os.symlink(refused.store, world.store)
    job = {**GO_LIVE, **JOB, "NODE_AUTH_TOKEN": "npm_x", "PATH": old_node}
    ended: Ended = world.execute("probe_npm", LIVE, job, registries="live", dry_run=False)
    assert ended.status == 0, ended.output[-6000:]  # the gate decides
    gate = gate_of(world, LIVE, GO_LIVE)
    (error,) = [message for message in gate_errors(gate) if "node 20.19.2 is too old" in message]
    assert error.startswith("credentials/npm: credentials_accepted: ")
    assert any("NODE_AUTH_TOKEN is set" in finding.message for finding in gate.findings)
    assert refused.outcomes(LIVE) == {}
