"""The real clients publish to the registries and install from them, each with a home of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tasker_release_pipeline.loopback.server import LoopbackRegistries, serve

from .packages import upload_wheel, wheel, wheel_name

pytestmark = pytest.mark.toolchain

# What a client may see of this machine: nothing that configures cargo, gem, pip, uv or npm.
KEPT = {name: os.environ[name] for name in ("PATH", "LANG", "SSL_CERT_FILE", "NO_PROXY") if name in os.environ}
TIME_LIMIT = 300


def run(*command: str | Path, cwd: Path, home: Path, expect: int = 0, **env: str) -> str:
    """Run a client in a fresh home. Its output, errors included."""
    home.mkdir(parents=True, exist_ok=True)
    rustup = os.environ.get("RUSTUP_HOME", str(Path.home() / ".rustup"))
    clean = KEPT | {"HOME": str(home), "CARGO_HOME": str(home / "cargo"), "RUSTUP_HOME": rustup} | env
    done = subprocess.run(
        command,
        cwd=cwd,
        env=clean,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == expect, output
    return output


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def cargo_home(home: Path, registries: LoopbackRegistries) -> Path:
    """A home whose cargo takes every crate from the registry, and publishes to it by the name `rehearsal`."""
    config = (
        f'[registries.rehearsal]\nindex = "sparse+{registries.endpoints.cargo_index}/"\n'
        '[source.crates-io]\nreplace-with = "rehearsal"\n'
    )
    write(home / "cargo", {"config.toml": config})
    return home


def cargo_package(folder: Path, name: str, version: str = "0.1.0", dependencies: str = "", code: str = "") -> Path:
    manifest = (
        f'[package]\nname = "{name}"\nversion = "{version}"\nedition = "2021"\ndescription = "x"\nlicense = "MIT"\n'
        f"[dependencies]\n{dependencies}\n[workspace]\n"
    )
    return write(folder / name, {"Cargo.toml": manifest, "src/lib.rs": code})


def test_cargo_publishes_crates_that_depend_on_each_other_and_builds_from_them(tmp_path, registries):
    home = cargo_home(tmp_path / "home", registries)
    publish = ("cargo", "publish", "--registry", "rehearsal")
    token = {"CARGO_REGISTRIES_REHEARSAL_TOKEN": registries.token}
    base = cargo_package(tmp_path, "base-crate", code="pub fn one() -> u8 { 1 }")
    run(*publish, cwd=base, home=home, **token)
    top = cargo_package(
        tmp_path,
        "top-crate",
        dependencies='renamed = { package = "base-crate", version = "=0.1.0", optional = true }\n'
        '[features]\ndefault = ["extra"]\nextra = ["dep:renamed"]\n',
        code="pub fn two() -> u8 { renamed::one() + 1 }",
    )
    run(*publish, cwd=top, home=home, **token)
    user = cargo_package(tmp_path, "user", dependencies='top-crate = "0.1"', code="pub use top_crate::two;")
    run("cargo", "build", cwd=user, home=cargo_home(tmp_path / "fresh", registries))
    # The lock file names crates.io as for a build from there: replacing the source leaves no trace of this registry.
    assert "127.0.0.1" not in (user / "Cargo.lock").read_text()
    again = run(*publish, "--no-verify", cwd=top, home=home, expect=101, **token)
    assert "already exists" in again


def test_cargo_reports_a_wrong_token_and_an_unknown_dependency(tmp_path, registries, client):
    home = cargo_home(tmp_path / "home", registries)
    base = cargo_package(tmp_path, "base-crate")
    publish = ("cargo", "publish", "--registry", "rehearsal", "--no-verify")
    output = run(*publish, cwd=base, home=home, expect=101, CARGO_REGISTRIES_REHEARSAL_TOKEN="wrong")
    assert "authentication failed" in output
    assert client.get(f"{registries.endpoints.cargo_index}/ba/se/base-crate").status_code == 404


def test_cargo_builds_with_a_third_party_crate_of_the_upstream(tmp_path, client):
    with (
        serve(tmp_path / "public", reserved={}) as public,
        serve(tmp_path / "own", reserved={}, upstream=public.endpoints, cache=tmp_path / "cache") as registries,
    ):
        third = cargo_package(tmp_path, "third-party", code="pub fn one() -> u8 { 1 }")
        packed = cargo_home(tmp_path / "public-home", public)
        token = {"CARGO_REGISTRIES_REHEARSAL_TOKEN": public.token}
        run("cargo", "publish", "--registry", "rehearsal", "--no-verify", cwd=third, home=packed, **token)
        user = cargo_package(tmp_path, "user", dependencies='third-party = "0.1"', code="pub use third_party::one;")
        home = cargo_home(tmp_path / "home", registries)
        token = {"CARGO_REGISTRIES_REHEARSAL_TOKEN": registries.token}
        run("cargo", "publish", "--registry", "rehearsal", cwd=user, home=home, **token)
        held = client.get(f"{registries.endpoints.cargo_index}/us/er/user").json()
        assert [(found["name"], found["registry"]) for found in held["deps"]] == [("third-party", None)]
    assert len([path for path in (tmp_path / "cache").rglob("*") if path.is_file()]) == 1


def build_gem(folder: Path, home: Path, name: str, version: str = "0.1.0", dependency: str = "") -> Path:
    needs = f'spec.add_dependency "{dependency}", "~> 0.1"' if dependency else ""
    gemspec = (
        "Gem::Specification.new do |spec|\n"
        f'  spec.name = "{name}"\n  spec.version = "{version}"\n  spec.summary = "x"\n  spec.authors = ["x"]\n'
        f'  spec.license = "MIT"\n  spec.homepage = "https://example.com"\n  spec.files = ["lib/{name}.rb"]\n'
        f'  spec.required_ruby_version = ">= 3.0"\n  {needs}\nend\n'
    )
    write(folder / name, {f"{name}.gemspec": gemspec, f"lib/{name}.rb": f"module {name.capitalize()}; end\n"})
    run("gem", "build", f"{name}.gemspec", cwd=folder / name, home=home)
    return folder / name / f"{name}-{version}.gem"


def push(path: Path, home: Path, registries: LoopbackRegistries, expect: int = 0, key: str | None = None) -> str:
    command = ("gem", "push", path, "--host", registries.endpoints.rubygems)
    return run(*command, cwd=path.parent, home=home, expect=expect, GEM_HOST_API_KEY=key or registries.token)


def test_gem_pushes_and_installs_with_dependencies(tmp_path, registries):
    home, empty = tmp_path / "home", tmp_path / "empty"
    empty.mkdir()
    assert "Successfully registered gem: alpha (0.1.0)" in push(build_gem(tmp_path, home, "alpha"), home, registries)
    path = build_gem(tmp_path, home, "beta", dependency="alpha")
    push(path, home, registries)
    assert "Repushing of gem versions is not allowed" in push(path, home, registries, expect=1)
    assert "Access Denied" in push(path, home, registries, expect=1, key="wrong")
    into = tmp_path / "installed"
    command = ("gem", "install", "beta", "-v", "0.1.0", "--remote", "--clear-sources", "--no-document")
    run(*command, "--source", registries.endpoints.rubygems, "--install-dir", into, cwd=empty, home=tmp_path / "fresh")
    assert sorted(found.name for found in (into / "gems").iterdir()) == ["alpha-0.1.0", "beta-0.1.0"]
    command = ("gem", "list", "--remote", "--clear-sources", "--source", registries.endpoints.rubygems)
    assert "beta (0.1.0)" in run(*command, cwd=empty, home=tmp_path / "fresh")


def test_gem_installs_a_pre_release_by_its_version(tmp_path, registries):
    home, empty = tmp_path / "home", tmp_path / "empty"
    empty.mkdir()
    push(build_gem(tmp_path, home, "alpha", "0.2.0.rc.1"), home, registries)
    command = ("gem", "install", "alpha", "-v", "0.2.0.rc.1", "--remote", "--clear-sources", "--no-document")
    into = tmp_path / "installed"
    run(*command, "--source", registries.endpoints.rubygems, "--install-dir", into, cwd=empty, home=tmp_path / "fresh")
    assert (into / "gems" / "alpha-0.2.0.rc.1").is_dir()


def test_bundler_installs_own_gems_and_the_upstreams(tmp_path):
    home = tmp_path / "home"
    with (
        serve(tmp_path / "public", reserved={}) as public,
        serve(tmp_path / "own", reserved={}, upstream=public.endpoints, cache=tmp_path / "cache") as registries,
    ):
        push(build_gem(tmp_path, home, "alpha"), home, public)
        push(build_gem(tmp_path, home, "beta", dependency="alpha"), home, registries)
        project = write(tmp_path / "project", {"Gemfile": f'source "{registries.endpoints.rubygems}"\ngem "beta"\n'})
        fresh = tmp_path / "fresh"
        run("bundle", "install", cwd=project, home=fresh, BUNDLE_PATH=str(tmp_path / "bundle"))
        run(
            "bundle",
            "exec",
            "ruby",
            "-e",
            'require "beta"; require "alpha"',
            cwd=project,
            home=fresh,
            BUNDLE_PATH=str(tmp_path / "bundle"),
        )
        listed = httpx.get(f"{registries.endpoints.rubygems}/versions").text
    assert [line.split()[0] for line in listed.splitlines()[2:]] == ["alpha", "beta"]


UV = Path(sys.executable).parent / "uv"


def publish_wheel(path: Path, home: Path, to: LoopbackRegistries, *more: str, expect: int = 0, token: str = "") -> str:
    command = (UV, "publish", "--publish-url", to.endpoints.pypi_upload, "--no-attestations", *more, path)
    env = {"UV_PUBLISH_TOKEN": token or to.token, "UV_CACHE_DIR": str(home / "uv")}
    return run(*command, cwd=path.parent, home=home, expect=expect, **env)


def save_wheel(folder: Path, name: str, version: str, platform: str = "any", text: str = "") -> Path:
    path = folder / wheel_name(name, version, platform)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(wheel(name, version, text=text))
    return path


def test_uv_publishes_and_uv_and_pip_install(tmp_path, registries):
    home, index = tmp_path / "home", f"{registries.endpoints.pypi}/simple"
    path = save_wheel(tmp_path / "built", "some-package", "0.1.0")
    publish_wheel(path, home, registries)
    publish_wheel(path, home, registries)
    other = save_wheel(tmp_path / "other", "some-package", "0.1.0", text="other")
    assert "File already exists" in publish_wheel(other, home, registries, expect=2)
    publish_wheel(path, home, registries, "--check-url", f"{index}/")
    wrong = save_wheel(tmp_path / "built", "some-package", "0.1.1", "linux_x86_64")
    assert "unsupported platform tag 'linux_x86_64'" in publish_wheel(wrong, home, registries, expect=2)
    later = save_wheel(tmp_path / "built", "some-package", "0.1.2")
    assert "Invalid or non-existent auth" in publish_wheel(later, home, registries, expect=2, token="wrong")
    by_uv, by_pip = tmp_path / "by-uv", tmp_path / "by-pip"
    env = {"UV_CACHE_DIR": str(tmp_path / "fresh" / "uv")}
    install = (UV, "pip", "install", "--python", sys.executable, "--default-index", index, "--target", by_uv)
    run(*install, "some-package==0.1.0", cwd=tmp_path, home=tmp_path / "fresh", **env)
    install = (sys.executable, "-m", "pip", "--isolated", "install", "--no-cache-dir", "-i", index, "--target", by_pip)
    run(*install, "some-package", cwd=tmp_path, home=tmp_path / "fresh")
    for folder in (by_uv, by_pip):
        assert (folder / "some_package-0.1.0.dist-info").is_dir()


def test_uv_installs_a_wheel_of_the_upstream(tmp_path, client):
    with (
        serve(tmp_path / "public", reserved={}) as public,
        serve(tmp_path / "own", reserved={}, upstream=public.endpoints, cache=tmp_path / "cache") as registries,
    ):
        upload_wheel(client, public, wheel_name("third", "1.0.0"), wheel("third", "1.0.0"))
        install = (UV, "pip", "install", "--python", sys.executable, "--target", tmp_path / "into")
        index = ("--default-index", f"{registries.endpoints.pypi}/simple")
        run(*install, *index, "third", cwd=tmp_path, home=tmp_path / "home", UV_CACHE_DIR=str(tmp_path / "uv"))
        assert (tmp_path / "into" / "third").is_dir()
    assert [path.name for path in (tmp_path / "cache" / "by-digest").rglob("*") if path.is_file()]


def npm(*arguments: str | Path, cwd: Path, home: Path, to: LoopbackRegistries, expect: int = 0, token: str = "") -> str:
    host = to.endpoints.npm.removeprefix("http:")
    write(home, {".npmrc": f"registry={to.endpoints.npm}/\n{host}/:_authToken=${{NPM_TOKEN}}\n"})
    options = ("--cache", home / "npm-cache", "--no-audit", "--no-fund", "--fetch-retries", "0")
    return run("npm", *arguments, *options, cwd=cwd, home=home, expect=expect, NPM_TOKEN=token or to.token)


def npm_package(folder: Path, version: str, name: str = "@some-scope/package", **fields: object) -> Path:
    manifest = {"name": name, "version": version, "main": "index.js", "license": "MIT"} | fields
    return write(folder, {"package.json": json.dumps(manifest), "index.js": "module.exports = 2;\n"})


def test_npm_publishes_and_installs_and_moves_tags(tmp_path, registries):
    home, name = tmp_path / "home", "@some-scope/package"
    at = {"home": home, "to": registries}
    first = npm_package(tmp_path / "first", "0.1.0")
    publish = ("publish", "--access", "public")
    npm("pack", cwd=first, **at)
    npm(*publish, first / "some-scope-package-0.1.0.tgz", cwd=tmp_path, **at)
    assert "cannot publish over the previously" in npm(*publish, cwd=first, expect=1, **at)
    second = npm_package(tmp_path / "second", "0.2.0-rc.1")
    assert "E401" in npm(*publish, "--tag", "next", cwd=second, expect=1, token="wrong", **at)
    npm(*publish, "--tag", "next", cwd=second, **at)
    assert npm("whoami", cwd=tmp_path, **at).strip() == "loopback"
    assert npm("dist-tag", "ls", name, cwd=tmp_path, **at).split() == ["latest:", "0.1.0", "next:", "0.2.0-rc.1"]
    npm("dist-tag", "add", f"{name}@0.2.0-rc.1", "rc", cwd=tmp_path, **at)
    npm("dist-tag", "rm", name, "next", cwd=tmp_path, **at)
    assert npm("view", f"{name}@rc", "version", cwd=tmp_path, **at).strip() == "0.2.0-rc.1"
    user = npm_package(tmp_path / "user", "1.0.0", name="user")
    npm("install", name, cwd=user, home=tmp_path / "fresh", to=registries)
    assert run("node", "-p", f"require('{name}')", cwd=user, home=home).strip() == "2"
    lock = json.loads((user / "package-lock.json").read_text())
    assert lock["packages"][f"node_modules/{name}"]["version"] == "0.1.0"


def test_npm_installs_a_package_of_the_upstream(tmp_path):
    with (
        serve(tmp_path / "public", reserved={}) as public,
        serve(tmp_path / "own", reserved={}, upstream=public.endpoints, cache=tmp_path / "cache") as registries,
    ):
        third = npm_package(tmp_path / "third", "1.0.0", name="third")
        npm("publish", cwd=third, home=tmp_path / "home", to=public)
        user = npm_package(tmp_path / "user", "1.0.0", name="user", dependencies={"third": "^1"})
        npm("install", cwd=user, home=tmp_path / "fresh", to=registries)
        assert (user / "node_modules" / "third" / "index.js").is_file()
    assert any(path.is_file() for path in (tmp_path / "cache").rglob("*"))
