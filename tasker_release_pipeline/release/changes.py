"""Which paths count as a change of what: the manifest's rules applied to a list of paths."""

from collections.abc import Collection, Iterable, Mapping

from pydantic import BaseModel, ConfigDict
from semver import Version

from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.git import Checkout
from tasker_release_pipeline.release.manifest import Core, Manifest
from tasker_release_pipeline.release.stamping import Tree, rewrites


class Changes(BaseModel):
    """What a set of changed paths means.

    `packages`: the paths of each changed package, by key. `ffi_core`, `server_core`: crates of that part changed.
    `unclassified`: paths that no package counts as a change, though packages ship them or are built with them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    packages: dict[str, tuple[str, ...]]
    ffi_core: bool
    server_core: bool
    unclassified: tuple[str, ...]

    @property
    def core(self) -> bool:
        """Whether any crate changed, which releases all of them."""
        return self.ffi_core or self.server_core


def classify(paths: Iterable[str], manifest: Manifest) -> Changes:
    """Sort changed paths by the packages that they belong to."""
    paths = tuple(paths)
    packages = {p.key: found for p in manifest.packages if (found := covered(paths, p.changes))}
    owned = set[str]().union(*packages.values())
    cores = {manifest.package(key).core for key in packages}
    return Changes(
        packages=packages,
        ffi_core=Core.FFI in cores,
        server_core=Core.SERVER in cores,
        unclassified=tuple(path for path in covered(paths, manifest.ships) if path not in owned),
    )


def changed_beyond_stamping(
    checkout: Checkout, manifest: Manifest, base: str, commit: str, versions: Mapping[str, Version]
) -> tuple[str, ...]:
    """The paths that differ between two commits by more than what stamping `commit`'s `versions` into `base` writes.

    A prepared tree differs from its base in every crate, and in the bindings' pins of the core. By that alone no crate
    and no binding changed: else each release of a server crate would release the bindings.
    """
    paths = checkout.changed_paths(base, commit)
    carriers = {carrier.path for row in manifest.components.values() for carrier in row.carriers}
    if not any(path in carriers or path.rsplit("/", 1)[-1] in ("Cargo.toml", "Cargo.lock") for path in paths):
        return paths  # nothing that stamping writes: a big tree need not be listed
    try:
        stamped = rewrites(Tree.of(checkout, base), manifest, versions, among=paths)
    except InputError:  # a base of another layout can't be stamped by this manifest: everything counts
        return paths
    return tuple(path for path in paths if path not in stamped or stamped[path] != checkout.show(commit, path))


def covered(paths: Iterable[str], patterns: Collection[str]) -> tuple[str, ...]:
    """Those of `paths` that are one of `patterns`, or lie below one that ends with a slash."""
    below = tuple(pattern for pattern in patterns if pattern.endswith("/"))
    return tuple(path for path in paths if path in patterns or path.startswith(below))
