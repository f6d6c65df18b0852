"""Stamping: a release's versions written into every place of the source that carries one, as a commit of its own."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from semver import Version

from tasker_release_pipeline.release.cargo_packages import cargo_versions, manifests_that_parse
from tasker_release_pipeline.release.carriers import expected, read_value, read_version, write_version
from tasker_release_pipeline.release.detached import commit_files, place
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.git import Checkout, GitError
from tasker_release_pipeline.release.lockfiles import cargo_entries, stamp_cargo
from tasker_release_pipeline.release.manifest import Carrier, Manifest
from tasker_release_pipeline.release.pins import pinned, pins, stamp_pins

Read = Callable[[str], str | None]
"""Gives the text of the file at a path; None where there is no such file."""


@dataclass(frozen=True)
class Stamped:
    """A stamped source. `changed`: the paths that differ from the source's commit; `path`: the worktree at `commit`."""

    commit: str
    changed: tuple[str, ...]
    path: Path


@dataclass(frozen=True)
class Tree:
    """The files of a commit. `modes`: every regular file's path and git mode, so neither links nor submodules."""

    modes: Mapping[str, str]
    read: Read

    @classmethod
    def of(cls, checkout: Checkout, commit: str) -> "Tree":
        """The files of `checkout` at `commit`, whatever is checked out. Raises InputError where it is not there."""
        found = checkout.commit_of(commit)
        if found is None:
            raise InputError(f"commit {commit}: not in {checkout.path}; fetch it, or name another")
        modes = {}
        for line in filter(None, checkout.run("ls-tree", "-r", "-z", "--full-tree", found).split("\0")):
            mode, kind, rest = line.split(" ", 2)
            if kind == "blob" and mode != "120000":
                modes[rest.split("\t", 1)[1]] = mode
        return cls(modes, cache(lambda path: checkout.show(found, path) if path in modes else None))

    def named(self, name: str) -> tuple[str, ...]:
        """The paths of all files with this name."""
        return tuple(path for path in self.modes if path.rsplit("/", 1)[-1] == name)


def stamp(
    source: Checkout, commit: str, worktree: Path, manifest: Manifest, versions: Mapping[str, Version]
) -> Stamped:
    """Make `worktree` a detached worktree of `source` at `commit` with `versions` written in.

    `versions`: every component's. Only what is committed enters; the checkout is left as it is. Where all versions
    stand there already, the worktree is at `commit` itself; else at a commit on top of it, the same hash every time
    and in every clone. Needs neither network nor toolchains. Raises InputError for a carrier that can't be stamped
    (the worktree is then left as it is) and for a worktree folder that holds something else.
    """
    stamped, changed = stamped_commit(source, commit, manifest, versions)
    folder = worktree.expanduser().absolute()
    place(source, folder, stamped)
    return Stamped(stamped, changed, folder)


def stamped_commit(
    source: Checkout, commit: str, manifest: Manifest, versions: Mapping[str, Version]
) -> tuple[str, tuple[str, ...]]:
    """Make the commit that `stamp` describes, on no branch: its hash, and the paths that differ from `commit`.

    Raises InputError.
    """
    tree = Tree.of(source, commit)
    files = rewrites(tree, manifest, versions)
    stamped = source.commit_of(commit) or commit
    if files:
        message = "Release " + ", ".join(f"{component} {versions[component]}" for component in manifest.components)
        try:
            stamped = commit_files(source, stamped, {path: (tree.modes[path], files[path]) for path in files}, message)
        except GitError as error:
            raise InputError(
                f"source {source.path}: git could not write the release's commit ({error.said}); see who owns "
                f"{source.path}/.git, and whether its disk is full"
            ) from None
    return stamped, tuple(files)


def rewrites(
    tree: Tree, manifest: Manifest, versions: Mapping[str, Version], *, among: Collection[str] | None = None
) -> dict[str, str]:
    """The files that stamping changes, by path in order, and their new texts; with `among` only those of these paths.

    Raises InputError.
    """

    def asked(paths: Iterable[str]) -> list[str]:
        return [path for path in paths if among is None or path in among]

    texts: dict[str, str] = {}
    for component, carrier in _carriers(manifest):
        if asked([carrier.path]):
            text = texts.get(carrier.path) or _text(tree.read, carrier, carrier.path)
            texts[carrier.path] = write_version(text, carrier, _of(versions, component))
    pinning, locks = asked(tree.named("Cargo.toml")), asked(tree.named("Cargo.lock"))
    if among is None or pinning or locks:
        own = cargo_versions(tree, manifest, versions)
        for path in asked(manifests_that_parse(tree)):
            texts[path] = stamp_pins(texts.get(path) or tree.read(path) or "", own, path)
        for path in locks:
            texts[path] = stamp_cargo(tree.read(path) or "", own)
    return {path: texts[path] for path in sorted(texts) if texts[path] != tree.read(path)}


def tree_versions(read: Read, manifest: Manifest, where: str, *, partial: bool = False) -> dict[str, Version]:
    """Each component's version, as its first carrier has it.

    `where` names the tree for errors (a commit, a tag). Raises InputError for a carrier that is missing or holds no
    version; with `partial` its component is left out instead, as an old tree may not have had it yet.
    """
    found = {}
    for component, row in manifest.components.items():
        carrier = row.carriers[0]
        try:
            found[component] = read_version(
                _text(read, carrier, f"{where}:{carrier.path}"), carrier, f"{where}:{carrier.path}"
            )
        except InputError:
            if not partial:
                raise
    return found


def versions_at(
    checkout: Checkout, commit: str, manifest: Manifest, where: str, *, partial: bool = False
) -> dict[str, Version]:
    """Each component's version at a commit, as `tree_versions` has it."""
    carriers = {row.carriers[0].path: None for row in manifest.components.values()}
    return tree_versions(checkout.texts(commit, carriers).get, manifest, where, partial=partial)


def disagreements(tree: Tree, manifest: Manifest, versions: Mapping[str, Version]) -> list[str]:
    """Every carrier, pin and lockfile entry that does not say `versions`, a sentence each. Empty after stamping."""
    said = []
    for component, carrier in _carriers(manifest):
        wanted = expected(carrier, _of(versions, component))
        try:
            value = read_value(_text(tree.read, carrier, carrier.path), carrier, carrier.path)
        except InputError as error:
            said.append(str(error))
            continue
        if value != wanted:
            said.append(f"{carrier.path}: {carrier.key or 'the version'} is {value}, expected {wanted}")
    try:
        own = cargo_versions(tree, manifest, versions)
    except InputError as error:
        return [*said, str(error)]
    for path in manifests_that_parse(tree):
        for crate, requirement in pins(tree.read(path) or "", path):
            if crate in own and pinned(requirement, own[crate]) != requirement:
                said.append(f"{path}: requires {crate} {requirement}, expected {pinned(requirement, own[crate])}")
    for path in tree.named("Cargo.lock"):
        for name, version in cargo_entries(tree.read(path) or "").items():
            if name in own and version != own[name]:
                said.append(f"{path}: the entry {name} is {version}, expected {own[name]}")
    return said


def _carriers(manifest: Manifest) -> Iterator[tuple[str, Carrier]]:
    for component, row in manifest.components.items():
        for carrier in row.carriers:
            yield component, carrier


def _text(read: Read, carrier: Carrier, where: str) -> str:
    text = read(carrier.path)
    if text is None:
        raise InputError(f"{where}: no such file among the committed ones; commit it, or correct the carrier's path")
    return text


def _of(versions: Mapping[str, Version], component: str) -> Version:
    if component not in versions:
        raise InputError(f"component {component}: no version given; give one for each component of the manifest")
    return versions[component]
