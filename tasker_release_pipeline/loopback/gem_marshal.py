"""What gem reads in Ruby's own serialisation, made by ruby itself."""

import json
import os
import subprocess
from pathlib import Path

from tasker_release_pipeline.toolchains.runner import passed_on

TIME_LIMIT = 60.0

# As the public registry does it: abbreviated (no list of files), sanitised, Marshal 4.8, deflated.
SPECIFICATION = """
require "rubygems/package"
require "zlib"
spec = Gem::Package.new(ARGV[0]).spec
spec.abbreviate
spec.sanitize
STDOUT.binmode.write(Zlib::Deflate.deflate(Marshal.dump(spec)))
"""

INDEX = """
require "json"
rows = JSON.parse(STDIN.read).map { |name, version, platform| [name, Gem::Version.new(version), platform] }
STDOUT.binmode.write(Gem::Util.gzip(Marshal.dump(rows)))
"""


def specification(gem: Path) -> bytes:
    """`quick/Marshal.4.8/N-V.gemspec.rz` of the gem at this path. Raises `OSError` or `subprocess.SubprocessError`."""
    return _ruby(SPECIFICATION, str(gem))


def index(rows: list[tuple[str, str, str]]) -> bytes:
    """`specs.4.8.gz` of (name, version, platform). Raises `OSError` or `subprocess.SubprocessError`."""
    return _ruby(INDEX, stdin=json.dumps(rows).encode())


def _ruby(script: str, *arguments: str, stdin: bytes = b"") -> bytes:
    command = ["ruby", "-rrubygems", "-e", script, *arguments]
    # Bytes in and out, which the runner of tools has no use for; of the user's settings for Ruby it takes none either.
    env = passed_on(os.environ)
    done = subprocess.run(command, input=stdin, env=env, capture_output=True, check=False, timeout=TIME_LIMIT)
    if done.returncode:
        raise subprocess.SubprocessError(done.stderr.decode(errors="replace"))
    return done.stdout
