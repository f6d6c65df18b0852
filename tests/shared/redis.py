"""A Redis of the system's own, in a folder of the test."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from .postgres import free_port

PASSWORD = "br0ker-passw0rd"


@contextmanager
def running_redis() -> Iterator[str]:
    """Its address, as DAGSTER_CELERY_BROKER_URL has it, until the block ends."""
    port = free_port()
    settings = ("bind 127.0.0.1", f"port {port}", f"requirepass {PASSWORD}", 'save ""', "appendonly no")
    with tempfile.TemporaryDirectory(prefix="tasker-redis-") as folder:
        server = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "redis-server", "-"],  # "-": its settings come from its input
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with server:
            try:
                assert server.stdin is not None
                server.stdin.write("\n".join(settings))
                server.stdin.close()
                assert server.stdout is not None
                said = []
                for line in server.stdout:
                    said.append(line)
                    if "Ready to accept connections" in line:
                        break
                else:
                    raise AssertionError("".join(said))
                yield f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
            finally:
                server.terminate()
