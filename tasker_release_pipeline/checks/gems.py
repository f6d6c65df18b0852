"""A gem's specification as RubyGems reads it, and what its extension needs to compile at the user's."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tasker_release_pipeline.checks.archives import Archive, read_archive
from tasker_release_pipeline.checks.cargo_files import stand_alone
from tasker_release_pipeline.checks.findings import error, warning
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import ToolError
from tasker_release_pipeline.release.plan import Finding
from tasker_release_pipeline.toolchains.runner import run
from tasker_release_pipeline.toolchains.tools import search_path

_SECONDS = 60
_PUBLIC_HOST = "https://rubygems.org"
# Reads the gem as `gem install` does, checksums included; RubyGems alone knows what a requirement admits.
_READ = """
require "json"
require "rubygems/package"
spec = Gem::Package.new(ARGV[0]).spec
puts JSON.generate(
  licenses: spec.licenses, homepage: spec.homepage, metadata: spec.metadata, extensions: spec.extensions,
  files: spec.files, require_paths: spec.raw_require_paths,
  ruby: spec.required_ruby_version.to_s,
  admits: ARGV[1].empty? || spec.required_ruby_version.satisfied_by?(Gem::Version.new(ARGV[1])),
  any_ruby: spec.required_ruby_version.none?
)
"""


def gem(path: Path, *, oldest: str, log: Callable[[str], None]) -> list[Finding]:
    """What RubyGems would refuse of a gem, or what users can't install. `oldest`: the oldest Ruby to serve, or nothing.

    Raises ToolError where Ruby is missing, InputError where the gem can't be read.
    """
    archive = read_archive(path, RegistryName.RUBYGEMS)
    try:
        answer = run(
            ["ruby", "-e", _READ, str(path), oldest],
            cwd=path.parent,
            seconds=_SECONDS,
            log=log,
            env={"PATH": search_path()},
        )
    except ToolError as refused:
        if "is missing" in str(refused):
            raise
        return [error(f"{path.name}: RubyGems can't read it; build it again: {refused}")]
    spec = next(json.loads(line) for line in answer.output.splitlines() if line.startswith("{"))
    return [*_specification(archive, spec, oldest), *stand_alone(archive)]


def _specification(archive: Archive, spec: dict[str, Any], oldest: str) -> Iterator[Finding]:
    file, files, metadata = archive.file, archive.files, spec["metadata"]
    missing = [path for path in spec["files"] if path not in files and path not in archive.paths]
    if missing:
        yield error(
            f"{file}: its specification lists {', '.join(missing)}, not in the gem; correct `files` in the gemspec"
        )
    for extension in spec["extensions"]:
        if extension not in files:
            yield error(
                f"{file}: its extension {extension} is not in the gem, and installing fails; "
                "add it to `files` in the gemspec"
            )
    for folder in spec["require_paths"]:
        if not any(path.startswith(f"{folder}/") for path in files):
            yield error(
                f"{file}: its require path {folder} holds nothing; correct `require_paths` or `files` in the gemspec"
            )
    if not spec["admits"]:
        yield error(
            f"{file}: wants Ruby {spec['ruby']}, the manifest states {oldest} as the oldest; "
            "correct `required_ruby_version` in the gemspec, or `oldest` in the manifest"
        )
    if spec["any_ruby"]:
        yield warning(f"{file}: says for which Ruby it is nowhere; write `required_ruby_version` in the gemspec")
    host = metadata.get("allowed_push_host", _PUBLIC_HOST)
    if host.rstrip("/") != _PUBLIC_HOST:
        yield error(f"{file}: `gem push` refuses it, as its allowed_push_host is {host}; correct it in the gemspec")
    if not spec["licenses"]:
        yield warning(f"{file}: names no licence; write `license` in the gemspec")
    if not spec["homepage"] and "source_code_uri" not in metadata:
        yield warning(f"{file}: has neither homepage nor source_code_uri; say in the gemspec where it comes from")
