"""The probe of a job's credentials, before anything depends on them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tasker_release_pipeline.loopback.names import canonical
from tasker_release_pipeline.loopback.server import LoopbackRegistries, serve
from tasker_release_pipeline.loopback.storage import Storage
from tasker_release_pipeline.registries.credentials import VARIABLES
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName
from tasker_release_pipeline.release.errors import ToolError
from tasker_release_pipeline.steps.credential_probe import ProbeFinding, Told, probe, report

from ..issuer import Issuer, issuing

NAMES = {
    RegistryName.CRATES_IO: "tiny-base",
    RegistryName.RUBYGEMS: "tiny-rb",
    RegistryName.PYPI: "tiny-py",
    RegistryName.NPM: "@tiny-systems/tiny",
}
WELL_FORMED = {
    RegistryName.CRATES_IO: "cio" + "aB3d" * 8,
    RegistryName.RUBYGEMS: "rubygems_" + "0123456789abcdef" * 3,
    RegistryName.PYPI: "pypi-AgEIcHlwaS5vcmc" + "Ab-_" * 30,
    RegistryName.NPM: "npm_" + "aB3d" * 9,
}
EACH = pytest.mark.parametrize("registry", list(RegistryName))
NOBODY = Endpoints(
    cargo_index="http://127.0.0.1:9/index", cargo_api="http://127.0.0.1:9", rubygems="http://127.0.0.1:9",
    pypi="http://127.0.0.1:9", pypi_upload="http://127.0.0.1:9/legacy/", npm="http://127.0.0.1:9",
)  # fmt: skip


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as issuer:
        yield issuer


@pytest.fixture
def trusting(registries: LoopbackRegistries, issuer: Issuer) -> LoopbackRegistries:
    """Registries that know all four names, and trust the issuer's job with them."""
    issuer.trusted(registries.root, *NAMES.items())
    for registry, name in NAMES.items():
        older = {
            "name": name, "version": "0.1.8", "filename": "older", "created_at": "2026-01-01", "sha256": "0",
            "index": {"name": name, "vers": "0.1.8", "cksum": "0"}, "manifest": {"dist": {"integrity": "sha512-0"}},
        }  # fmt: skip
        Storage(registries.root, registry).commit(canonical(registry, name), "0.1.8", older)
    return registries


def new_enough(tool: str) -> str:
    return {"npm": "11.5.1", "node": "22.14.0"}[tool]


def probed(
    registry: RegistryName, environment: dict[str, str], endpoints: Endpoints, *names: str
) -> tuple[ProbeFinding, ...]:
    wanted = names or (NAMES[registry],)
    return probe(registry, wanted, environment, endpoints=endpoints, version_of=new_enough)


def said(findings: tuple[ProbeFinding, ...], severity: Told) -> list[str]:
    return [finding.message for finding in findings if finding.severity is severity]


@EACH
def test_a_token_that_the_registry_knows_is_well_and_pypis_is_unproven(tmp_path: Path, registry: RegistryName) -> None:
    with serve(tmp_path / "registries", reserved={}, token=WELL_FORMED[registry]) as served:
        found = probed(registry, {VARIABLES[registry]: WELL_FORMED[registry]}, served.endpoints)
    assert said(found, Told.ERROR) == []
    if registry is RegistryName.PYPI:
        (warning,) = said(found, Told.WARNING)
        assert warning.startswith("unproven whether PyPI knows the token in UV_PUBLISH_TOKEN")
    else:
        assert said(found, Told.WARNING) == []
        assert said(found, Told.OK) != []


@pytest.mark.parametrize("registry", [RegistryName.CRATES_IO, RegistryName.RUBYGEMS, RegistryName.NPM])
def test_a_token_that_the_registry_does_not_know_is_an_error_that_names_the_variable(
    registries: LoopbackRegistries, registry: RegistryName
) -> None:
    found = probed(registry, {VARIABLES[registry]: WELL_FORMED[registry]}, registries.endpoints)
    (error,) = said(found, Told.ERROR)
    assert f"does not know the token in {VARIABLES[registry]}" in error
    assert WELL_FORMED[registry] not in str(found)


@EACH
def test_a_registry_that_cant_be_asked_leaves_it_unproven(registry: RegistryName) -> None:
    found = probed(registry, {VARIABLES[registry]: WELL_FORMED[registry]}, NOBODY)
    assert said(found, Told.ERROR) == []
    assert said(found, Told.WARNING)[0].startswith("unproven")


@EACH
def test_a_token_of_another_shape_is_a_warning_as_registries_may_have_others(registry: RegistryName) -> None:
    others = [token for of, token in WELL_FORMED.items() if of is not registry]
    for token in (*others, WELL_FORMED[registry][:30], f'"{WELL_FORMED[registry]}"'):
        found = probed(registry, {VARIABLES[registry]: token}, NOBODY)
        assert f"{VARIABLES[registry]} does not look like a token" in said(found, Told.WARNING)[0]
        assert said(found, Told.ERROR) == []
        assert token not in str(found)


@EACH
def test_nothing_to_log_in_with_is_an_error_that_names_the_way_out(registry: RegistryName) -> None:
    (error,) = said(probed(registry, {}, NOBODY), Told.ERROR)
    assert VARIABLES[registry] in error
    (error,) = said(probed(registry, {"GITHUB_ACTIONS": "true"}, NOBODY), Told.ERROR)
    assert "id-token: write" in error


@EACH
def test_an_identity_is_exchanged_for_real_and_its_claims_are_the_evidence(
    trusting: LoopbackRegistries, issuer: Issuer, registry: RegistryName
) -> None:
    found = probed(registry, issuer.environment, trusting.endpoints)
    assert said(found, Told.ERROR) == said(found, Told.WARNING) == []
    (identity,) = [finding for finding in found if finding.about == "identity"]
    assert identity.evidence["repository"] == "tasker-systems/tasker-core"
    assert identity.evidence["environment"] == "release"
    assert issuer.issued[0] not in str(found)
    left = list((trusting.root / "oidc" / "minted").iterdir())
    assert len(left) == (0 if registry is RegistryName.CRATES_IO else 1)


@EACH
def test_a_refused_identity_is_an_error_with_the_claims(
    trusting: LoopbackRegistries, issuer: Issuer, registry: RegistryName
) -> None:
    issuer.says = {"environment": "staging"}
    (error,) = said(probed(registry, issuer.environment, trusting.endpoints), Told.ERROR)
    assert "staging  [environment]" in error


@EACH
def test_an_identity_that_cant_be_asked_for_is_unproven(issuer: Issuer, registry: RegistryName) -> None:
    found = probed(registry, issuer.environment, NOBODY)
    assert said(found, Told.ERROR) == []
    assert all(message.startswith("unproven") for message in said(found, Told.WARNING))
    assert said(found, Told.WARNING)


@pytest.mark.parametrize("registry", [RegistryName.CRATES_IO, RegistryName.NPM])
def test_a_first_publish_that_no_identity_can_do_is_an_error_and_the_others_are_probed(
    trusting: LoopbackRegistries, issuer: Issuer, registry: RegistryName
) -> None:
    found = probed(registry, issuer.environment, trusting.endpoints, "tiny-new", NAMES[registry])
    (error,) = said(found, Told.ERROR)
    assert error.startswith("tiny-new was never published on")
    assert "revoke the token" in error
    assert [finding.about for finding in found if finding.severity is Told.OK][-1] == "identity"


@pytest.mark.parametrize(("tool", "version"), [("npm", "11.5.0"), ("node", "20.20.2")])
def test_npm_takes_identities_from_newer_tools_only(
    trusting: LoopbackRegistries, issuer: Issuer, tool: str, version: str
) -> None:
    found = probe(
        RegistryName.NPM,
        [NAMES[RegistryName.NPM]],
        issuer.environment,
        endpoints=trusting.endpoints,
        version_of=lambda asked: version if asked == tool else new_enough(asked),
    )
    (error,) = said(found, Told.ERROR)
    assert f"{tool} {version} is too old" in error
    # With a token at hand the tools' age is no matter.
    assert said(probed(RegistryName.NPM, {"NPM_TOKEN": "x"}, NOBODY), Told.ERROR) == []


def test_a_missing_tool_is_an_error(trusting: LoopbackRegistries, issuer: Issuer) -> None:
    def missing(tool: str) -> str:
        raise ToolError(f"{tool} is missing: install it")

    names = [NAMES[RegistryName.NPM]]
    found = probe(RegistryName.NPM, names, issuer.environment, endpoints=trusting.endpoints, version_of=missing)
    assert [message.rpartition(": ")[0] for message in said(found, Told.ERROR)] == [
        "trusted publishing on npm needs npm 11.5.1 or newer: npm is missing",
        "trusted publishing on npm needs node 22.14 or newer: node is missing",
    ]


@pytest.mark.toolchain
def test_the_tools_at_hand_are_asked(trusting: LoopbackRegistries, issuer: Issuer) -> None:
    found = probe(RegistryName.NPM, [NAMES[RegistryName.NPM]], issuer.environment, endpoints=trusting.endpoints)
    versions = [finding.evidence for finding in found if finding.about.startswith("tools")]
    assert [list(evidence) for evidence in versions] == [["npm"], ["node"]]


@pytest.mark.parametrize(
    ("registry", "variable"),
    [
        (RegistryName.NPM, "NODE_AUTH_TOKEN"),
        (RegistryName.NPM, "NPM_TOKEN"),
        (RegistryName.NPM, "NPM_ID_TOKEN"),
        (RegistryName.PYPI, "UV_PUBLISH_USERNAME"),
        (RegistryName.PYPI, "UV_PUBLISH_TOKEN"),
        (RegistryName.PYPI, "MATURIN_PYPI_TOKEN"),
        (RegistryName.RUBYGEMS, "RUBYGEMS_HOST"),
    ],
)
def test_what_would_get_in_another_clients_way_is_a_warning_that_names_it(
    trusting: LoopbackRegistries, issuer: Issuer, registry: RegistryName, variable: str
) -> None:
    found = probed(registry, {**issuer.environment, variable: "some-value"}, trusting.endpoints)
    (warning,) = said(found, Told.WARNING)
    assert warning.startswith(f"{variable} is set")
    assert "some-value" not in str(found)
    assert said(found, Told.ERROR) == []


def test_a_classic_token_in_npms_settings_is_named_by_its_line_and_never_shown(
    tmp_path: Path, trusting: LoopbackRegistries, issuer: Issuer
) -> None:
    settings = tmp_path / ".npmrc"
    settings.write_text("save-exact=true\n//registry.npmjs.org/:_authToken=0a1b2c3d-classic\n")
    environment = {**issuer.environment, "HOME": str(tmp_path)}
    (warning,) = said(probed(RegistryName.NPM, environment, trusting.endpoints), Told.WARNING)
    assert f"{settings}:2 has a classic token or password" in warning
    assert "0a1b2c3d" not in warning
    # Somebody's own machine may well have one.
    outside = {"HOME": str(tmp_path), "NPM_TOKEN": WELL_FORMED[RegistryName.NPM]}
    assert not [w for w in said(probed(RegistryName.NPM, outside, NOBODY), Told.WARNING) if ".npmrc" in w]


def test_findings_make_a_checks_report(trusting: LoopbackRegistries, issuer: Issuer) -> None:
    found = probed(RegistryName.NPM, {**issuer.environment, "NODE_AUTH_TOKEN": "x"}, trusting.endpoints, "tiny-new")
    made = report(found)
    assert [finding.severity for finding in made.findings] == ["error", "warning"]
    assert made.evidence["npm tools: npm"].startswith("npm 11.5.1")
