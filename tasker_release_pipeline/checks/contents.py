"""What an artifact of any registry should and should not hold."""

import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from tasker_release_pipeline.checks.archives import Archive, Kind, read_archive
from tasker_release_pipeline.checks.findings import error, warning
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.plan import Finding

MIB = 1024 * 1024
_LIMITS = {
    # Defaults, which each registry raises on request. npm states none, and gives up somewhere above this size.
    RegistryName.CRATES_IO: (10 * MIB, "crates.io takes 10 MiB"),
    RegistryName.RUBYGEMS: (500 * MIB, "RubyGems takes 500 MiB"),
    RegistryName.PYPI: (100 * MIB, "PyPI takes 100 MiB"),
    RegistryName.NPM: (100 * MIB, "npm fails with uploads above about 100 MiB"),
}
_SECRET_FILES = (
    *(".env", ".env.*", ".npmrc", ".pypirc", ".netrc", "credentials", "credentials.toml", ".git-credentials"),
    *("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "*.pem", "*.key", "*.p12", "*.pfx", "*.keystore", "*.jks"),
)
_NO_SECRET_FILES = (".env.example", ".env.sample", ".env.template", ".env.dist")
_SECRETS = re.compile(
    rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----|\bgh[pousr]_[A-Za-z0-9]{36}|\bgithub_pat_\w{60}|\bnpm_[A-Za-z0-9]{36}\b"
    rb"|\bpypi-AgE[\w-]{50}|\brubygems_[0-9a-f]{48}\b|\bcio[A-Za-z0-9]{32}\b|\bAKIA[0-9A-Z]{16}\b"
)
_LEFT_BEHIND = (
    (re.compile(r"(^|/)(\.git|\.hg|\.svn|\.jj)(/|$)"), "version control"),
    (re.compile(r"(^|/)target/(debug|release|package|doc|tmp|wheels|CACHEDIR\.TAG|\.rustc_info\.json)(/|$)"), "cargo"),
    (
        re.compile(r"(^|/)(node_modules|__pycache__|\.venv|\.pytest_cache|\.mypy_cache|\.ruff_cache|\.bundle)(/|$)"),
        "tools",
    ),
    (re.compile(r"(~|\.sw[op]|\.bak|\.orig|\.rej|/#[^/]*#)$|(^|/)\.#"), "an editor or a merge"),
    (re.compile(r"(^|/)(\.DS_Store|Thumbs\.db|\.idea|\.vscode)(/|$)"), "a desktop or an editor"),
    (re.compile(r"\.(crate|gem|whl|tgz)$"), "an earlier build"),
)
# What tools write there themselves: cargo keeps the manifest as it was.
_NOT_LEFT = ("Cargo.toml.orig",)


def publishable(path: Path, registry: RegistryName, *, on_purpose: Sequence[str]) -> list[Finding]:
    """What is wrong with the content of one artifact.

    `on_purpose`: glob patterns of paths in it that look as if they did not belong there, but do.
    Raises InputError where it can't be read.
    """
    archive = read_archive(path, registry)
    return [
        *_size(path, registry),
        *_twice(archive),
        *_paths(archive),
        *_stray(archive, on_purpose),
        *_texts(archive),
    ]


def _size(path: Path, registry: RegistryName) -> Iterator[Finding]:
    size, (limit, said) = path.stat().st_size, _LIMITS[registry]
    if size > limit:
        yield error(
            f"{path.name}: has {size / MIB:.1f} MiB, {said}; leave out what users do not need, "
            "or ask the registry for more"
        )


def _twice(archive: Archive) -> Iterator[Finding]:
    for path, times in Counter(archive.paths).items():
        if times > 1:
            yield error(
                f"{archive.file}: holds {path} {times} times, which registries refuse and tools unpack differently; "
                "let one rule of the build include it"
            )
    for folded, times in Counter(path.casefold() for path in set(archive.paths)).items():
        if times > 1:
            names = ", ".join(sorted({path for path in archive.paths if path.casefold() == folded}))
            yield warning(f"{archive.file}: {names} are one file on macOS and Windows; rename or leave out one of them")


def _paths(archive: Archive) -> Iterator[Finding]:
    there = {posixpath.normpath(member.name) for member in archive.members}
    folders = {parent for path in there for parent in _parents(path)}
    for member in archive.members:
        name = member.name
        if name.startswith("/") or ".." in name.split("/") or not name.startswith(archive.root):
            yield error(
                f"{archive.file}: {name} would be unpacked outside of {archive.root or 'its folder'}; leave it out"
            )
        if member.kind is Kind.LINK:
            leads = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.target))
            if leads not in there | folders:
                yield error(
                    f"{archive.file}: the link {name} leads to {member.target}, which is not in the archive; "
                    "put a copy in its place, or leave it out"
                )


def _parents(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path


def _stray(archive: Archive, on_purpose: Sequence[str]) -> Iterator[Finding]:
    known = (
        "take it out of what is packed, and its secret out of use if it ever was published; or, if it is harmless and "
        "belongs there, list it in the package's `on_purpose` in the manifest"
    )
    for path in dict.fromkeys(archive.paths):
        name = posixpath.basename(path)
        if name in _NOT_LEFT or any(fnmatchcase(path, pattern) for pattern in on_purpose):
            continue
        if name not in _NO_SECRET_FILES and any(fnmatchcase(name, pattern) for pattern in _SECRET_FILES):
            yield error(f"{archive.file}: {path} looks like a file of secrets; {known}")
        elif found := _SECRETS.search(archive.files.get(path, b"")):
            shown = found[0][:4].decode()
            yield error(f"{archive.file}: {path} holds what looks like a secret ({shown}...); {known}")
        else:
            for pattern, by in _LEFT_BEHIND:
                if pattern.search(path):
                    yield warning(
                        f"{archive.file}: {path} looks left behind by {by}; take it out of what is packed, or list it "
                        "in the package's `on_purpose` in the manifest"
                    )
                    break


def _texts(archive: Archive) -> Iterator[Finding]:
    top = [path for path in archive.paths if "/" not in path]
    # A wheel has its README in METADATA, and its licences in the .dist-info folder; twine looks at the former.
    dist_info = [path for path in archive.paths if re.match(r"[^/]+\.dist-info/", path)]
    if not dist_info and not any(re.match(r"readme(\.|$)", path, re.IGNORECASE) for path in top):
        yield warning(f"{archive.file}: has no README, which its page shows; add one to what is packed")
    texts = [*top, *(path.split("/", 1)[1].removeprefix("licenses/") for path in dist_info)]
    if not any(re.match(r"(un)?licen[cs]e|copying", path, re.IGNORECASE) for path in texts):
        yield warning(f"{archive.file}: has no licence text, which most licences demand; add LICENSE to what is packed")
