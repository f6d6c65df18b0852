"""The release store: what is known of each release, in files that outlive any run, machine or database.

`<store>/<release>/plan.json`, `artifacts/<file>`, `manifest.json`, `gate.json`, `checks/`,
`outcomes/<package>/<run>-<attempt>.json`, `records/<subject>/<run>-<attempt>.json`, `github/` (what is attached to the
GitHub Release), `logs/`, `summary.md`. JSON of typed models; every file is written whole,
under a temporary name, then renamed.
"""

import hashlib
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from pydantic import BaseModel, ValidationError
from upath import UPath
from upath.implementations.cloud import CloudPath

from tasker_release_pipeline.release.artifact import Artifact
from tasker_release_pipeline.release.checks import CheckResult
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.outcome import Outcome
from tasker_release_pipeline.release.record import Record

Model = TypeVar("Model", bound=BaseModel)

DEFAULT = ".tasker-release/store"


@dataclass(frozen=True)
class ReleaseStore:
    """The files of one release. `root` is the store's folder, local or any that fsspec reaches."""

    root: UPath
    release: str

    @classmethod
    def of(cls, release: str, environment: Mapping[str, str] = os.environ) -> "ReleaseStore":
        """The store that `TASKER_RELEASE_STORE` names, by default `.tasker-release/store` in the working directory.

        Raises InputError for one that can't be reached for want of a package.
        """
        url = environment.get("TASKER_RELEASE_STORE") or DEFAULT
        try:
            root = UPath(url).absolute()
            if isinstance(root, CloudPath):
                # Other machines write as well: what a listing said a moment ago may have changed.
                root = UPath(url, use_listings_cache=False)
            _ = root.fs
        except (ImportError, ValueError) as error:
            raise InputError(
                f"store {url}: {error}; for a bucket of S3 pip install 'tasker-release-pipeline[s3]', or name another "
                "store in TASKER_RELEASE_STORE"
            ) from None
        return cls(root, release)

    @property
    def folder(self) -> UPath:
        """The release's own folder."""
        return self.root / self.release

    @property
    def local(self) -> Path | None:
        """The release's folder where the store lies on this machine; None where it is remote."""
        return Path(self.folder.path) if self.root.protocol in ("", "file", "local") else None

    def check_writable(self) -> None:
        """Prove that the store takes files. Raises InputError."""
        probe = f".probe-{uuid.uuid4().hex}"
        try:
            self._write(probe, bytes(1024))  # a full disk still takes empty files
            with os_errors():
                (self.folder / probe).unlink()
        except OSError as error:
            raise _not_written(f"store {self.root}", error) from None

    def write(self, path: str, model: BaseModel) -> None:
        """Write a model as JSON."""
        self.write_bytes(path, model.model_dump_json(indent=2).encode() + b"\n")

    def read(self, path: str, kind: type[Model]) -> Model | None:
        """Read a model; None where the file is not there. Raises InputError where it is not of its kind."""
        content = self._read(path)
        if content is None:
            return None
        try:
            return kind.model_validate_json(content)
        except ValidationError as error:
            raise InputError(
                f"{self.folder / path}: does not read as {kind.__name__} ({error.error_count()} errors, the first: "
                f"{error.errors()[0]['msg']}); another version of the pipeline wrote it: take it away and run again"
            ) from None

    def read_text(self, path: str) -> str | None:
        """Read a text; None where the file is not there. Raises InputError where it can't be read."""
        content = self._read(path)
        return None if content is None else content.decode(errors="replace")

    def _read(self, path: str) -> bytes | None:
        target = self.folder / path
        try:
            with os_errors():
                return _content(target)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise InputError(
                f"{target}: cannot be read ({error.strerror or error}); mend its permissions, or name another store in "
                "TASKER_RELEASE_STORE"
            ) from None

    def demand(self, path: str, kind: type[Model], way_out: str) -> Model:
        """Read a model that has to be there. Raises InputError with the way out."""
        model = self.read(path, kind)
        if model is None:
            raise InputError(f"{self.folder / path}: is not there; {way_out}")
        return model

    def write_bytes(self, path: str, content: bytes) -> None:
        """Write a file whole: no reader ever sees a part of it. Raises InputError where the store can't take it."""
        try:
            self._write(path, content)
        except OSError as error:
            raise _not_written(str(self.folder / path), error) from None

    def _write(self, path: str, content: bytes) -> None:
        if self.local is None:
            target = self.folder / path
            with os_errors():
                make_folder(target.parent)
                target.fs.pipe_file(target.path, content)  # object stores put whole objects
            return
        place = self.local / path
        place.parent.mkdir(parents=True, exist_ok=True)
        with _nameless(place) as (file, give_name):
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.replace(give_name(), place)

    def put_artifact(self, path: Path) -> None:
        """Keep a built file."""
        self.write_bytes(f"artifacts/{path.name}", path.read_bytes())

    def get_artifact(self, artifact: Artifact, into: Path) -> Path:
        """Copy a kept file into a local folder. Raises InputError where it is missing or was changed."""
        source = self.folder / "artifacts" / artifact.file
        try:
            with os_errors():
                content = _content(source)
        except FileNotFoundError:
            raise InputError(
                f"{source}: is not there, though the release manifest lists it; "
                f"run the build of {artifact.package} again"
            ) from None
        except OSError as error:
            raise InputError(f"{source}: cannot be read ({error.strerror or error}); run again") from None
        digest = hashlib.sha256(content).hexdigest()
        if digest != artifact.sha256:
            raise InputError(
                f"{source}: has SHA-256 {digest}, the release manifest says {artifact.sha256}; "
                f"the store was changed: restore the file, or run the build of {artifact.package} again"
            )
        into.mkdir(parents=True, exist_ok=True)
        target = into / artifact.file
        target.write_bytes(content)
        return target

    def write_check(self, result: CheckResult) -> None:
        """Keep a check's result, so that the gate of another run finds it."""
        self.write(f"checks/{result.asset.replace('/', '_')}.{result.name}.json", result)

    def checks(self) -> dict[tuple[str, str], CheckResult]:
        """All kept results, by asset and name."""
        results = [self.read(f"checks/{path.name}", CheckResult) for path in self.listed("checks")]
        return {(result.asset, result.name): result for result in results if result is not None}

    def write_outcome(self, outcome: Outcome) -> None:
        """Keep an outcome. Each attempt of each run has a file of its own."""
        self.write(f"outcomes/{outcome.package}/{outcome.run}-{outcome.attempt}.json", outcome)

    def outcomes(self, package: str) -> list[Outcome]:
        """All outcomes of a package, the last one at the end."""
        read = [self.read(f"outcomes/{package}/{p.name}", Outcome) for p in self.listed(f"outcomes/{package}")]
        return sorted((o for o in read if o is not None), key=lambda outcome: (outcome.at, outcome.attempt))

    def outcome(self, package: str) -> Outcome | None:
        """The last outcome of a package; None where there is none."""
        known = self.outcomes(package)
        return known[-1] if known else None

    def write_record(self, record: Record) -> None:
        """Keep what became of a tag or of the GitHub Release. Each attempt of each run has a file of its own."""
        self.write(f"records/{record.subject}/{record.run}-{record.attempt}.json", record)

    def record(self, subject: str) -> Record | None:
        """The last record of a subject (`tags/core`, `github_release`); None where there is none."""
        folder = f"records/{subject}"
        known = [record for path in self.listed(folder) if (record := self.read(f"{folder}/{path.name}", Record))]
        return max(known, key=lambda record: (record.at, record.attempt), default=None)

    def listed(self, folder: str) -> list[UPath]:
        """The JSON files of a folder, by name; none where it is not there. Raises InputError."""
        place = self.folder / folder
        try:
            with os_errors():
                found = list(place.iterdir()) if place.is_dir() else []
        except OSError as error:
            raise InputError(
                f"{place}: cannot be listed ({error.strerror or error}); mend its permissions, or name another store "
                "in TASKER_RELEASE_STORE"
            ) from None
        return sorted(p for p in found if p.name.endswith(".json") and not p.name.startswith("."))


def make_folder(folder: UPath) -> None:
    """Make a folder where a file system has such; an object store has none, and would make a bucket instead."""
    if not isinstance(folder, CloudPath):
        folder.mkdir(parents=True, exist_ok=True)


def _content(path: UPath) -> bytes:
    """A file's bytes, in one request: opened first, it could be written anew before it is read."""
    content: bytes = path.fs.cat_file(path.path)
    return content


@contextmanager
def os_errors() -> Iterator[None]:
    """Have what remote file systems raise of their own (no answer, no credentials) as OSError."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


def _not_written(what: str, error: OSError) -> InputError:
    return InputError(
        f"{what}: cannot be written ({error.strerror or error}); make room or mend its permissions, or name another "
        "store in TASKER_RELEASE_STORE, and run again"
    )


@contextmanager
def _nameless(beside: Path) -> Iterator[tuple[BinaryIO, Callable[[], Path]]]:
    """A new file in the folder of `beside`, and what gives it a temporary name once it is whole.

    Until then it has none where the system can do that (Linux): however its writer ends, the kernel clears it away.
    """
    temporary = beside.with_name(f".{beside.name}.{uuid.uuid4().hex}")
    try:
        descriptor, is_named = os.open(beside.parent, os.O_TMPFILE | os.O_WRONLY, 0o666), False
    except (AttributeError, OSError):
        descriptor, is_named = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666), True

    def give_name() -> Path:
        if not is_named:
            # With a folder's descriptor, of no use to an absolute path, Python asks for the link to be followed.
            os.link(f"/proc/self/fd/{descriptor}", temporary, src_dir_fd=descriptor)
        return temporary

    with open(descriptor, "wb") as file:
        try:
            yield file, give_name
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
