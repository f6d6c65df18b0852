"""Tiny real packages of every kind, and the uploads that belong to them."""

import gzip
import io
import json
import os
import subprocess
import tarfile
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from tasker_release_pipeline.registries.model import Upload
from tasker_release_pipeline.release.artifact import Artifact
from tasker_release_pipeline.release.endpoints import RegistryName


@dataclass(frozen=True)
class Built:
    """A built package, ready to be uploaded. `lines`: what the upload logged."""

    registry: RegistryName
    upload: Upload
    artifacts: tuple[Artifact, ...]
    lines: list[str] = field(default_factory=list)

    def limited_to(self, seconds: float) -> "Built":
        return replace(self, upload=replace(self.upload, seconds=seconds))


def built(registry: RegistryName, folder: Path, name: str, version: str, *files: Path, **options: object) -> Built:
    lines: list[str] = []
    upload = Upload(
        name=name, version=version, files=files, scratch=folder / "scratch", seconds=120, log=lines.append,
        logfile=folder / "upload.log",
    )  # fmt: skip
    artifacts = tuple(Artifact.of(f"{registry}/{name}", version, file) for file in files)
    return Built(registry, replace(upload, **options), artifacts, lines)  # type: ignore[arg-type]


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def wheel_file(folder: Path, name: str, version: str, text: str = "", platform: str = "any") -> Path:
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    tag = f"py3-none-{platform}"
    path = folder / f"{module}-{version}-{tag}.whl"
    folder.mkdir(parents=True, exist_ok=True)
    files = {
        f"{module}/__init__.py": text,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = "".join(f"{file},,\n" for file in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for file, content in {**files, f"{info}/RECORD": record}.items():
            # A fixed date, so that the same wheel has the same bytes.
            archive.writestr(zipfile.ZipInfo(file), content)
    return path


def wheel(folder: Path, text: str = "", version: str = "0.1.9", platforms: tuple[str, ...] = ("any",)) -> Built:
    files = [wheel_file(folder, "tiny-py", version, text, platform) for platform in platforms]
    return built(RegistryName.PYPI, folder, "tiny-py", version, *files)


def npm_tarball(folder: Path, text: str = "", version: str = "0.1.9") -> Built:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"tiny-systems-tiny-{version}.tgz"
    manifest = {"name": "@tiny-systems/tiny", "version": version, "license": "MIT", "description": "tiny"}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in (("package.json", json.dumps(manifest)), ("index.js", text)):
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content.encode()))
    path.write_bytes(gzip.compress(buffer.getvalue(), mtime=0))
    return built(RegistryName.NPM, folder, "@tiny-systems/tiny", version, path, dist_tag="alpha")


def gem(folder: Path, text: str = "", version: str = "0.1.9", push_host: str = "https://rubygems.org") -> Built:
    write(
        folder,
        {
            "lib/tiny.rb": text,
            "tiny-rb.gemspec": (
                f"Gem::Specification.new {{ |s| s.name = 'tiny-rb'; s.version = '{version}'; s.summary = 'tiny'\n"
                "s.authors = ['x']; s.license = 'MIT'; s.homepage = 'https://example.org'; s.files = ['lib/tiny.rb']\n"
                f"s.metadata['allowed_push_host'] = '{push_host}' }}\n"
            ),
        },
    )
    _tool(folder, "gem", "build", "tiny-rb.gemspec")
    return built(RegistryName.RUBYGEMS, folder, "tiny-rb", version, folder / f"tiny-rb-{version}.gem")


def crates(folder: Path, text: str = "", version: str = "0.1.9") -> tuple[Built, Built]:
    """Two crates of one workspace, the second of which depends on the first; archived before any registry has either.

    As in Tasker the workspace patches its own crates, and it is a git checkout.
    """
    member = f'version = "{version}"\nedition = "2021"\ndescription = "tiny"\nlicense = "MIT"\n'
    write(
        folder / "source",
        {
            "Cargo.toml": (
                '[workspace]\nmembers = ["tiny-base", "tiny-top"]\nresolver = "2"\n'
                '[patch.crates-io]\ntiny-base = { path = "tiny-base" }\n'
            ),
            "tiny-base/Cargo.toml": f'[package]\nname = "tiny-base"\n{member}',
            "tiny-base/src/lib.rs": f"// {text}\npub fn one() -> u8 {{ 1 }}\n",
            "tiny-top/Cargo.toml": (
                f'[package]\nname = "tiny-top"\n{member}[dependencies]\n'
                f'tiny-base = {{ path = "../tiny-base", version = "={version}" }}\n'
            ),
            "tiny-top/src/lib.rs": f"// {text}\npub use tiny_base::one;\n",
            ".gitignore": "target\n",
        },
    )
    source, target = folder / "source", folder / "target"
    _tool(source, "cargo", "generate-lockfile", "--offline")
    git = ("git", "-c", "user.name=x", "-c", "user.email=x@example.org")
    _tool(source, "git", "init", "--quiet")
    _tool(source, "git", "add", ".")
    _tool(source, *git, "commit", "--quiet", "-m", "tiny")
    build = folder / "build"
    _tool(source, "cargo", "package", "--workspace", "--no-verify", "--locked", "--offline", "--target-dir", str(build))
    one, two = (
        built(
            RegistryName.CRATES_IO, folder, name, version, build / "package" / f"{name}-{version}.crate",
            source=source, target_dir=target,
        )
        for name in ("tiny-base", "tiny-top")
    )  # fmt: skip
    return one, two


def _tool(folder: Path, *command: str) -> None:
    env = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000", "GIT_CONFIG_GLOBAL": "/dev/null"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
