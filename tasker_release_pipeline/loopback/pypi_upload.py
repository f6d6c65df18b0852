"""Reading and judging what `uv publish` and twine send.

Source: https://docs.pypi.org/api/upload/ and the checks of `warehouse/forklift/legacy.py`, whose words these are.
"""

import hashlib
import hmac
import io
import re
import zipfile
from email.parser import BytesHeaderParser
from typing import Any

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from tasker_release_pipeline.loopback.multipart import Form
from tasker_release_pipeline.loopback.refusal import RefusedError
from tasker_release_pipeline.loopback.storage import Record, Storage, now

MAX_FILE = 100 * 1024 * 1024
NAME = re.compile(r"[A-Z0-9]|[A-Z0-9][A-Z0-9._-]*[A-Z0-9]", re.IGNORECASE)
PLATFORMS = re.compile(
    r"any|win32|win_(amd64|arm64|arm32|ia64)"
    r"|macosx_\d+_\d+_(x86_64|arm64|universal2|i386|intel|fat\w*|universal|ppc\w*)"
    r"|(manylinux1|manylinux2010|manylinux2014|manylinux_\d+_\d+|musllinux_\d+_\d+)_\w+"
    r"|ios_\d+_\d+_\w+|android_\d+_\w+|pyodide_\d+_\d+_wasm32"
)


def accept(storage: Storage, form: Form) -> Record:
    """Publish the form's file, or find that this very file is published. Raises `RefusedError`."""
    filename, data = _file(form)
    name, version = _name(form), _version(form.field("version"), "version")
    _check_digests(form, data)
    tags = check_filename(filename, name, version)
    for platform in sorted(tags):
        if not PLATFORMS.fullmatch(platform):
            raise RefusedError(f"Binary wheel '{filename}' has an unsupported platform tag '{platform}'.")
    metadata = wheel_metadata(data) if filename.endswith(".whl") else {}
    if metadata and (canonicalize_name(metadata["name"]), _version(metadata["version"], "version")) != (
        canonicalize_name(name),
        version,
    ):
        raise RefusedError(f"'{filename}' has a METADATA file of {metadata['name']} {metadata['version']}.")
    fields = metadata | _fields(form)
    return publish(storage, filename, data, name=name, version=form.field("version"), fields=fields)


def publish(storage: Storage, filename: str, data: bytes, *, name: str, version: str, fields: Record) -> Record:
    """Put a checked file into the registry. Raises `RefusedError` if its name is taken by other content."""
    package = canonicalize_name(name)
    record = fields | {
        "name": name,
        "version": version,
        "filename": filename,
        "sha256": storage.keep(data),
        "digests": digests_of(data),
        "size": len(data),
        "created_at": now(),
    }
    if storage.commit(package, filename, record):
        return record
    taken = storage.record(package, filename) or record
    if taken["sha256"] != record["sha256"]:
        raise RefusedError(
            f"File already exists ('{filename}', with blake2_256 hash '{taken['digests']['blake2b_256']}'). "
            "See the help on file name reuse for more information."
        )
    return taken


def digests_of(data: bytes) -> dict[str, str]:
    """The digests that the JSON API shows, in hex."""
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
        "blake2b_256": hashlib.blake2b(data, digest_size=32).hexdigest(),
    }


def check_filename(filename: str, name: str, version: Version) -> set[str]:
    """A wheel's platform tags; none for a source distribution. Raises `RefusedError` if the name is wrong."""
    try:
        if filename.endswith(".whl"):
            found_name, found_version, _, tags = parse_wheel_filename(filename)
        elif filename.endswith(".tar.gz"):
            found_name, found_version = parse_sdist_filename(filename)
            tags = frozenset()
        else:
            raise RefusedError("Invalid file extension: Use .tar.gz or .whl for your distribution.")
    except (InvalidWheelFilename, InvalidSdistFilename) as error:
        raise RefusedError(str(error)) from error
    if found_name != canonicalize_name(name):
        raise RefusedError(f"Start filename for '{name}' with '{canonicalize_name(name).replace('-', '_')}'.")
    if found_version != version:
        raise RefusedError(f"Version in filename should be '{version}' not '{found_version}'.")
    return {tag.platform for tag in tags}


def wheel_metadata(data: bytes) -> Record:
    """`name`, `version`, `requires_python` and `requires_dist` from a wheel's own METADATA. Raises `RefusedError`."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as wheel:
            paths = [path for path in wheel.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", path)]
            headers = BytesHeaderParser().parsebytes(wheel.read(paths[0]))
    except (zipfile.BadZipFile, IndexError, OSError) as error:
        raise RefusedError("Invalid distribution file. Wheel without a readable METADATA.") from error
    return {
        "name": str(headers["Name"]),
        "version": str(headers["Version"]),
        "requires_python": headers["Requires-Python"],
        "requires_dist": headers.get_all("Requires-Dist") or [],
        "summary": headers["Summary"],
    }


def _file(form: Form) -> tuple[str, bytes]:
    if form.field(":action") != "file_upload":
        raise RefusedError("Unknown action: only file_upload is supported.")
    if "content" not in form.files:
        raise RefusedError("Upload payload does not have a file.")
    filename, data = form.files["content"]
    if "/" in filename or "\\" in filename:
        raise RefusedError("Cannot upload a file with '/' or '\\' in the name.")
    if len(data) > MAX_FILE:
        raise RefusedError(f"File too large. Limit for project '{form.field('name')}' is {MAX_FILE // 1024**2} MB.")
    return filename, data


def _name(form: Form) -> str:
    name = form.field("name")
    if not NAME.fullmatch(name):
        raise RefusedError(f"'{name}' is an invalid value for Name. Error: Start and end with a letter or numeral.")
    return name


def _version(version: str, field: str) -> Version:
    try:
        parsed = Version(version)
    except InvalidVersion as error:
        raise RefusedError(
            f"'{version}' is an invalid value for {field.capitalize()}. Error: Use a valid PEP 440 version."
        ) from error
    if parsed.local:
        raise RefusedError(f"The use of local versions in {parsed} is not allowed.")
    return parsed


def _check_digests(form: Form, data: bytes) -> None:
    """Each digest that was sent holds, and at least one was sent."""
    found = digests_of(data)
    sent = {kind: form.field(f"{name}_digest") for kind, name in DIGEST_FIELDS.items()}
    if not any(sent.values()):
        raise RefusedError("Include at least one message digest.")
    for kind, digest in sent.items():
        if digest and not hmac.compare_digest(digest.lower(), found[kind]):
            raise RefusedError("The digest supplied does not match a digest calculated from the uploaded file.")


DIGEST_FIELDS = {"sha256": "sha256", "md5": "md5", "blake2b_256": "blake2_256"}


def _fields(form: Form) -> dict[str, Any]:
    """What the form says beside the file; a wheel's own metadata says the same."""
    sent = {field: form.field(field) for field in ("requires_python", "filetype")}
    return {field: value for field, value in sent.items() if value}
