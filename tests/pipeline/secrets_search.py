"""Looking for secrets: in every byte of a folder, and in what runs while it runs."""

import base64
import contextlib
import gzip
import io
import mmap
import os
import sqlite3
import tarfile
import threading
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.pipeline.test_kills import processes

TOOLS = {"cargo", "rustc", "gem", "ruby", "uv", "npm", "node", "bun", "maturin"}
TOKENS = {"CARGO_REGISTRIES_REHEARSAL_TOKEN", "GEM_HOST_API_KEY", "UV_PUBLISH_TOKEN", "NPM_TOKEN"}


def forms(secret: str) -> set[bytes]:
    """`secret`, of characters that no quoting changes, and what base64 makes of it, whatever stands before."""
    found = {secret.encode()}
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + secret.encode()).decode().rstrip("=")
        core = encoded[(0, 2, 3)[before] : len(encoded) // 4 * 4 - 4]
        found |= {core.encode(), core.replace("+", "-").replace("/", "_").encode()}
    return found


def found_in(folder: Path, secrets: Iterable[str]) -> list[str]:
    """The files that hold one of `secrets`, also packed or in a database; as many as are read."""
    needles = [form for secret in secrets for form in forms(secret)]
    found = []
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_file() or not path.stat().st_size:
            continue
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            contents = [(str(path), content), *_packed(str(path), content)]
            found += [where for where, data in contents if any(data.find(needle) >= 0 for needle in needles)]
    return found


def _packed(where: str, data: bytes | mmap.mmap) -> Iterator[tuple[str, bytes]]:
    """What is inside of an archive or a database, and inside of that."""
    inside: list[tuple[str, bytes]] = []
    with contextlib.suppress(OSError, EOFError, zipfile.BadZipFile, tarfile.TarError, sqlite3.Error, ValueError):
        if data[:2] == b"\x1f\x8b":
            inside = [("gz", gzip.decompress(data[:]))]
        elif data[:4] == b"PK\3\4":
            with zipfile.ZipFile(io.BytesIO(data[:])) as archive:
                inside = [(name, archive.read(name)) for name in archive.namelist()]
        elif data[257:262] == b"ustar":
            with tarfile.open(fileobj=io.BytesIO(data[:])) as archive:
                members = ((member.name, archive.extractfile(member)) for member in archive)
                inside = [(name, file.read()) for name, file in members if file is not None]
        elif data[:15] == b"SQLite format 3":
            inside = list(_rows(where))
    for name, content in inside:
        yield f"{where}/{name}", content
        yield from _packed(f"{where}/{name}", content)


def _rows(path: str) -> Iterator[tuple[str, bytes]]:
    # A long text lies in several pages of the file, in pieces.
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        for (table,) in database.execute("select name from sqlite_master where type = 'table'").fetchall():
            for row in database.execute(f'select * from "{table}"'):  # noqa: S608
                yield table, b"\0".join(cell if isinstance(cell, bytes) else str(cell).encode() for cell in row)


@dataclass
class Seen:
    """Command lines of all processes, and what the tools were given: the tokens of loopback registries, and `given`."""

    commands: set[str] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)
    given: set[str] = field(default_factory=set)
    tools: set[str] = field(default_factory=set)


@contextmanager
def watching(folder: Path, canary: str) -> Iterator[Seen]:
    """See every process that works in `folder`, as far as looking again and again does."""
    seen, ended = Seen(), threading.Event()

    def look() -> None:
        while not ended.wait(0.02):
            for pid, command in processes(folder).items():
                seen.commands.add(command)
                name = ""
                with contextlib.suppress(OSError):  # it may be gone by now
                    name = Path(os.readlink(f"/proc/{pid}/exe")).name
                tool = next((word for word in (name, *command.split()[:2]) if Path(word).name in TOOLS), "")
                if not tool:
                    continue
                seen.tools.add(Path(tool).name)
                with contextlib.suppress(OSError):
                    told = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
                    pairs = (pair.partition("=") for pair in told)
                    for variable, _, value in pairs:
                        if canary in value:
                            seen.given.add(f"{variable} of {command}")
                        elif variable in TOKENS and value:
                            seen.tokens.add(value)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()
