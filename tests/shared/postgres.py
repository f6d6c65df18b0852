"""A PostgreSQL of the system's own, in a folder of the test session."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import psycopg2

USER = "tasker"
PASSWORD = "s3cret/p@ss word"  # it takes percent-encoding


@dataclass
class Postgres:
    """A server on loopback, which tests may stop and start."""

    folder: Path
    binaries: Path
    port: int
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        settings = ("fsync=off", "listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}")
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *_as_postgres(),
                    *(str(self.binaries / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)),
                    *(argument for setting in settings for argument in ("-c", setting)),
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        limit = time.monotonic() + 30
        while not self.answers():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < limit
            time.sleep(0.05)

    def stop(self) -> None:
        """Close all connections and end, as a restart of the service does."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(30)

    def answers(self) -> bool:
        try:
            psycopg2.connect(self.url()).close()
        except psycopg2.OperationalError:
            return False
        return True

    def new_database(self) -> str:
        """The address of an empty one."""
        name = f"test_{uuid4().hex[:12]}"
        self.query(f"CREATE DATABASE {name}")
        return self.url(name)

    def query(self, statement: str, database: str = "") -> list[tuple[object, ...]]:
        with closing(psycopg2.connect(database or self.url())) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server in a folder of its own, until the block ends."""
    binaries = _binaries()
    folder = Path(tempfile.mkdtemp(prefix="tasker-postgres-"))  # a Unix socket's path may have 107 bytes
    try:
        password = folder / "password"
        password.write_text(PASSWORD)
        if os.getuid() == 0:
            for path in (folder, password):
                shutil.chown(path, "postgres", "postgres")
        subprocess.run(
            [
                *(*_as_postgres(), str(binaries / "initdb"), "-D", str(folder / "data"), "-U", USER, "--no-sync"),
                *("--auth=scram-sha-256", f"--pwfile={password}", "--locale=C.UTF-8", "--encoding=UTF8"),
            ],
            check=True,
            capture_output=True,
        )
        server = Postgres(folder, binaries, free_port())
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _binaries() -> Path:
    if found := shutil.which("initdb"):
        return Path(found).parent
    return max(Path("/usr/lib/postgresql").glob("*/bin/initdb")).parent


def _as_postgres() -> list[str]:
    """PostgreSQL refuses to be root. It ends with whoever started it, too."""
    command = ["setpriv", "--pdeathsig", "INT"]
    if os.getuid() == 0:
        command += ["--reuid", "postgres", "--regid", "postgres", "--init-groups"]
    return command
