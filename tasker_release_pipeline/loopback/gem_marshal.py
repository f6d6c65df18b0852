"""What gem reads in Ruby's own serialisation, made by ruby itself."""

import json
import subprocess
from pathlib import Path

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
    done = subprocess.run(command, input=stdin, capture_output=True, check=False, timeout=TIME_LIMIT)
    if done.returncode:
        raise subprocess.SubprocessError(done.stderr.decode(errors="replace"))
    return done.stdout
