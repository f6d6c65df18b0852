"""Which paths count as a change of what: the manifest's rules applied to a list of paths."""

from collections.abc import Iterable, Mapping

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
    packages: dict[str, list[str]] = {}
    unclassified = []
    for path in paths:
        owners = [package.key for package in manifest.packages if covers(package.changes, path)]
        for key in owners:
            packages.setdefault(key, []).append(path)
        if not owners and covers(manifest.ships, path):
            unclassified.append(path)
    cores = {manifest.package(key).core for key in packages}
    return Changes(
        packages={key: tuple(found) for key, found in packages.items()},
        ffi_core=Core.FFI in cores,
        server_core=Core.SERVER in cores,
        unclassified=tuple(unclassified),
    )


def changed_beyond_stamping(
    checkout: Checkout, manifest: Manifest, base: str, commit: str, versions: Mapping[str, Version]
) -> tuple[str, ...]:
    """The paths that differ between two commits by more than what stamping `commit`'s `versions` into `base` writes.

    A prepared tree differs from its base in every crate, and in the bindings' pins of the core. By that alone no crate
    and no binding changed: else each release of a server crate would release the bindings.
    """
    paths = checkout.changed_paths(base, commit)
    try:
        stamped = rewrites(Tree.of(checkout, base), manifest, versions, among=paths)
    except InputError:  # a base of another layout can't be stamped by this manifest: everything counts
        return paths
    return tuple(path for path in paths if path not in stamped or stamped[path] != checkout.show(commit, path))


def covers(patterns: Iterable[str], path: str) -> bool:
    """Whether `path` is one of `patterns`, or lies below one that ends with a slash."""
    return any(path.startswith(pattern) if pattern.endswith("/") else path == pattern for pattern in patterns)
