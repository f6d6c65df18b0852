"""What broke real releases in what was built: refused at the gate, by name, before anything was uploaded.

One workspace has all of these faults at once, as no check hides another; the other has their harmless neighbours.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tasker_release_pipeline.release.catalogue import BUILD_ASSETS, RELEASE_MANIFEST, STAGED_INSTALL
from tests.pipeline.conftest import CRATES, FIRST, ROOT, Pipeline, example, git, once

pytestmark = [pytest.mark.toolchain, pytest.mark.slow]

BROKEN = "rehearsal-broken"
HEALTHY = "rehearsal-healthy"
MANIFEST = (ROOT / "tasker_release_pipeline" / "manifests" / "tasker.toml").read_text()

# Packs what Bun built, with a version made up by the script, as release scripts do.
PACK = """\
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { tmpdir } from "node:os";
const folder = mkdtempSync(join(tmpdir(), "pack-"));
for (const path of ["dist", "README.md", "LICENSE"]) cpSync(path, join(folder, path), { recursive: true });
const json = JSON.parse(readFileSync("package.json", "utf8"));
json.version += "SUFFIX";
writeFileSync(join(folder, "package.json"), JSON.stringify(json, null, 2));
execFileSync("npm", ["pack", "--ignore-scripts", "--pack-destination", process.argv[2]], { cwd: folder });
"""
# Packs an sdist by hand; the README of the workspace comes beside the package's own.
SDIST = """\
import gzip, io, pathlib, sys, tarfile, tomllib
version = tomllib.loads(pathlib.Path("pyproject.toml").read_text())["project"]["version"]
root = f"tasker_py-{version}"
info = f"Metadata-Version: 2.4\\nName: tasker-py\\nVersion: {version}\\nSummary: Tasker\\nRequires-Python: >=3.11\\n"
info += "Description-Content-Type: text/markdown\\n\\n# Tasker\\n"
packed = gzip.GzipFile(pathlib.Path(sys.argv[1]) / f"{root}.tar.gz", "wb", mtime=0)
with packed, tarfile.open(fileobj=packed, mode="w") as sdist:
    for name, path in [FILES]:
        member = tarfile.TarInfo(f"{root}/{name}")
        content = pathlib.Path(path).read_bytes() if path else info.encode()
        member.size = len(content)
        sdist.addfile(member, io.BytesIO(content))
"""
TEXTS = '("PKG-INFO", ""), ("LICENSE", "LICENSE"), ("README.md", "README.md")'


def write(source: Path, path: str, text: str) -> None:
    (source / path).parent.mkdir(parents=True, exist_ok=True)
    (source / path).write_text(text)


def edit(source: Path, path: str, old: str, new: str) -> None:
    text = (source / path).read_text()
    assert old in text, f"{path} has no {old!r}"
    (source / path).write_text(text.replace(old, new, 1))


def link(source: Path, path: str, target: str) -> None:
    (source / path).parent.mkdir(parents=True, exist_ok=True)
    (source / path).symlink_to(target)


def manifest(*replaced: tuple[str, str]) -> str:
    text = MANIFEST
    for old, new in (
        ('artifacts = ["*.whl"]', 'artifacts = ["*.whl", "*.tar.gz"]'),
        ('"uv", "lock", "--check"], seconds = 120 },', '"python", "sdist.py", "{out}"], seconds = 120 },'),
        ('["npm", "pack", "--pack-destination", "{out}", "--ignore-scripts"]', '["node", "pack.mjs", "{out}"]'),
        ("again = [\n", 'again = [\n  { run = ["python", "sdist.py", "{out}"], seconds = 120 },\n'),
        *replaced,
    ):
        assert old in text, f"the manifest has no {old!r}"
        text = text.replace(old, new)
    return text


def break_it(source: Path) -> str:
    """Every fault, each in a few lines; gives the manifest to release with."""
    # A file was moved, and the link to it stayed: the second crate with a fault, behind two without.
    link(source, "tasker-client/tests/fixtures/requests.json", "../../../moved/requests.json")
    # Both compile in the workspace, and read what is not in the crate.
    write(source, "proto/worker.proto", 'syntax = "proto3";\n')
    read = '    fs::read_to_string("../proto/worker.proto").expect("../proto/worker.proto can be read");\n'
    edit(source, "tasker-orchestration/build.rs", "    let file =", f"{read}    let file =")
    write(source, "migrations/0001.sql", "SELECT 1;\n")
    add(
        source,
        "tasker-cli/src/lib.rs",
        '/// SQL.\npub const SQL: &str = include_str!("../../migrations/0001.sql");\n',
    )
    add(source, "tasker-worker/src/lib.rs", "/// Seven.\npub fn seven() -> u8 {\n    return 7;\n}\n")
    edit(source, "workers/ruby/ext/tasker_core/Cargo.toml", 'edition = "2021"', "edition.workspace = true")
    edit(source, "workers/python/pyproject.toml", "[tool.maturin]\n", '[tool.maturin]\ncompatibility = "linux"\n')
    write(source, "workers/python/sdist.py", SDIST.replace("FILES", f'{TEXTS}, ("README.md", "../../README.md")'))
    write(source, "workers/typescript/pack.mjs", PACK.replace("SUFFIX", ".0"))
    return manifest(
        ('platforms = ["manylinux"]', 'platforms = ["manylinux", "macosx"]'),
        # Calculated, never written: the file that the gem takes its version from is no carrier.
        (
            '  { path = "workers/ruby/lib/tasker_core/version.rb", kind = "ruby", key = "VERSION", style = "gem" },\n',
            "",
        ),
        ('  { path = "workers/ruby/Gemfile.lock", kind = "gemfile_lock", key = "tasker-rb", style = "gem" },\n', ""),
    )


def leave_it_whole(source: Path) -> str:
    """The neighbours of those faults, none of which is one."""
    link(source, "tasker-client/tests/fixtures/requests.rs", "../requests.rs")
    add(source, "tasker-cli/src/lib.rs", '/// Text.\npub const TEXT: &str = include_str!("../README.md");\n')
    seven = "/// Seven.\n#[allow(clippy::needless_return)]\npub fn seven() -> u8 {\n    return 7;\n}\n"
    add(source, "tasker-worker/src/lib.rs", seven)
    write(source, "tasker-worker/tests/fixtures/server.pem", "a certificate for tests\n")
    write(source, "tasker-shared/.env.example", "TASKER_URL=\n")
    write(source, "workers/python/sdist.py", SDIST.replace("FILES", TEXTS))
    write(source, "workers/typescript/pack.mjs", PACK.replace("SUFFIX", ""))
    worker = 'load = "tasker_worker::VERSION"'
    return manifest((worker, f'{worker}\non_purpose = ["tests/fixtures/*.pem"]'))


def add(source: Path, path: str, text: str) -> None:
    """Add an item, before the module of tests that some have at their end."""
    items, tests, rest = (source / path).read_text().partition("#[cfg(test)]\n")
    module = f"\n{tests}{rest}" if tests else ""
    (source / path).write_text(f"{items.rstrip()}\n\n{text}{module}")


def released(shared: Path, name: str, change: Callable[[Path], str], release: str, status: int) -> Pipeline:
    pipeline = Pipeline(shared / name, shared / f"{name}-source")
    with once(shared, name) as needed:
        if needed:
            example(pipeline.source)
            text = change(pipeline.source)
            git(pipeline.source, "add", "--all")
            git(pipeline.source, "commit", "--quiet", "--message", name)
            pipeline.folder.mkdir()
            (pipeline.folder / "manifest.toml").write_text(text)
            # A release in earnest, as far as the gate lets it; the healthy one may end there.
            ended = pipeline.execute(
                "release", release, manifest=str(pipeline.folder / "manifest.toml"), dry_run=status == 0
            )
            (pipeline.folder / "ended.txt").write_text(ended.output)
            assert ended.status == status, ended.output[-6000:]
    return pipeline


@pytest.fixture(scope="session")
def broken(shared: Path) -> Pipeline:
    return released(shared, "broken", break_it, BROKEN, 1)


@pytest.fixture(scope="session")
def healthy(shared: Path) -> Pipeline:
    return released(shared, "healthy", leave_it_whole, HEALTHY, 0)


def errors(pipeline: Pipeline, check: str) -> list[str]:
    """What a check says at the gate, without its own name."""
    found: list[dict[str, Any]] = pipeline.read(BROKEN, "gate.json")["findings"]
    of_check = [f for f in found if f["severity"] == "error" and f["message"].startswith(f"{check}: ")]
    return [finding["message"].removeprefix(f"{check}: ") for finding in of_check]


def test_nothing_of_a_broken_workspace_is_uploaded(broken: Pipeline) -> None:
    assert broken.read(BROKEN, "gate.json")["verdict"] == "no-go"
    assert broken.published() == {}
    assert not list((broken.store / BROKEN / "outcomes").glob("*/*/*.json"))
    assert "the gate says no-go" in broken.summary(BROKEN)
    # Of a package without a file nobody can say that the registry has the same.
    assert "published already" not in (broken.store / BROKEN / "gate.json").read_text()


@pytest.mark.parametrize(
    ("check", "words"),
    [
        pytest.param(
            "crate_archives: builds_from_source",
            r"tasker-client: can't be packaged: .*tasker-client/tests/fixtures/requests\.json.*`exclude`",
            id="incidents 1 and 5: a dangling link in a later crate",
        ),
        pytest.param(
            "crate_archives: builds_from_source",
            r"tasker-orchestration: does not compile from its archive: .*build\.rs:\d+.*\.\./proto/worker\.proto.*move",
            id="incident 6: a build script reads a file outside of its crate",
        ),
        pytest.param(
            "crate_archives: builds_from_source",
            r"tasker-cli: does not compile from its archive: src/lib\.rs:\d+:\d+: .*migrations/0001\.sql.*move",
            id="incident 6: a macro reads a file outside of its crate",
        ),
        pytest.param(
            "lints: clippy_is_clean",
            r"clippy: tasker-worker/src/lib\.rs:\d+:\d+: error: unneeded `return`.*correct it",
            id="clippy looks at every member",
        ),
        pytest.param(
            "gem_archive: embedded_version_is_planned",
            r"tasker-rb-0\.1\.0\.gem: says it is 0\.1\.0, the plan has 0\.1\.1; a version carrier of ruby is missing",
            id="incident 2: a version that was calculated and never written",
        ),
        pytest.param(
            "gem_archive: gem_specification_is_sound",
            r"ext/tasker_core/Cargo\.toml has `package\.edition\.workspace = true`.*write the value",
            id="incident 13: a gem that compiles in the workspace alone",
        ),
        pytest.param(
            "wheels: platforms_are_complete",
            r"tasker_py-0\.1\.1-cp311-abi3-linux_x86_64\.whl: PyPI refuses its platform linux_x86_64; build in",
            id="incident 10: a platform tag that PyPI refuses",
        ),
        pytest.param(
            "wheels: platforms_are_complete",
            r"tasker-py: there is no wheel for macosx, which the manifest states, only tasker_py-0\.1\.1",
            id="incident 15: a stated platform without its wheel",
        ),
        pytest.param(
            "wheels: contents_are_publishable",
            r"tasker_py-0\.1\.1\.tar\.gz: holds README\.md 2 times",
            id="incident 8: two READMEs in an sdist",
        ),
        pytest.param(
            "npm_tarball: npm_would_publish",
            r"tasker-systems-tasker-0\.1\.1\.0\.tgz: npm refuses to publish it; .*Invalid version: \"0\.1\.1\.0\"",
            id="incident 8: a version that npm refuses",
        ),
        pytest.param(
            "npm_tarball: embedded_version_is_planned",
            r"tasker-systems-tasker-0\.1\.1\.0\.tgz: says it is 0\.1\.1\.0, the plan has 0\.1\.1",
            id="incident 2: a version that a build script made up",
        ),
    ],
)
def test_each_fault_is_named_at_the_gate(broken: Pipeline, check: str, words: str) -> None:
    said = errors(broken, check)
    assert any(re.search(words, message, re.DOTALL) for message in said), said


def test_builds_that_failed_leave_the_others_their_files(broken: Pipeline) -> None:
    made = {artifact["file"] for artifact in broken.read(BROKEN, "manifest.json")["artifacts"]}
    assert {name.partition("-")[0] for name in made} == {"tasker", "tasker_py"}
    assert {Path(name).suffix for name in made} == {".gem", ".whl", ".gz", ".tgz"}
    assert "rubygems: not installed, as it would compile against crates that were not built" in errors(
        broken, "staged_install: installs_and_loads"
    )


@pytest.mark.slow
def test_the_harmless_neighbours_of_all_those_faults_pass(healthy: Pipeline) -> None:
    gate = healthy.read(HEALTHY, "gate.json")
    assert gate["verdict"] == "go"
    assert findings(healthy, HEALTHY) <= {"staged_install: installs_with_the_oldest"}
    made = {artifact["file"] for artifact in healthy.read(HEALTHY, "manifest.json")["artifacts"]}
    assert "tasker_py-0.1.1.tar.gz" in made


def test_the_example_passes_every_check_of_what_was_built(first_release: Pipeline) -> None:
    assert findings(first_release, FIRST) <= {"staged_install: installs_with_the_oldest"}
    for check in first_release.read(FIRST, "gate.json")["checks"]:
        for finding in check["findings"]:
            assert finding["severity"] == "warning"


@pytest.mark.slow
def test_a_gem_that_does_not_build_leaves_the_others_staged_and_the_gate_a_whole_list(fresh: Pipeline) -> None:
    write(fresh.source, "workers/ruby/Rakefile", 'task(:compile) { abort "no compiler" }\n')
    edit(fresh.source, "workers/python/pyproject.toml", "[tool.maturin]\n", '[tool.maturin]\ncompatibility = "linux"\n')
    git(fresh.source, "commit", "--quiet", "--all", "--message", "Break the gem, and the wheel's tag")
    ended = fresh.execute("release", BROKEN)
    assert ended.status == 1
    assert fresh.published() == {}
    installed = fresh.read(BROKEN, "checks/staged_install.installs_and_loads.json")
    assert set(installed["evidence"]) == {*CRATES, "npm/tasker"}
    assert "no compiler" in errors(fresh, "gem_archive: builds_from_source")[0]
    assert "PyPI refuses its platform linux_x86_64" in errors(fresh, "wheels: platforms_are_complete")[0]
    assert errors(fresh, "release_manifest: complete_and_as_planned") == [
        "rubygems/tasker-rb: nothing was built for 0.1.1; run its build again"
    ]


def findings(pipeline: Pipeline, release: str) -> set[str]:
    """The checks of what was built, and of what was made of that, that found anything."""
    assets = {*BUILD_ASSETS.values(), STAGED_INSTALL, RELEASE_MANIFEST}
    checks = [check for check in pipeline.read(release, "gate.json")["checks"] if check["asset"] in assets]
    assert {check["asset"] for check in checks} == assets
    return {f"{check['asset']}: {check['name']}" for check in checks if check["findings"]}
