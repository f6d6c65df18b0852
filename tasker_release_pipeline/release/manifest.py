"""The manifest: what is released, as data. Packaged ones lie in `tasker_release_pipeline/manifests`."""

import hashlib
import tomllib
from enum import StrEnum
from functools import cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from semver import Version

from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError
from tasker_release_pipeline.release.versions import VersionStyle


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Core(StrEnum):
    """Which part of the core a crate belongs to: a change to the FFI core releases the bindings as well."""

    FFI = "ffi"
    SERVER = "server"


class CarrierKind(StrEnum):
    """How a file carries a version.

    text: the whole file. toml, json: the value at the dotted `key`. ruby: the constant `key`.
    uv_lock, gemfile_lock: the lockfile's own entry, that of the package `key` whose source lies in the checkout; the
    version is written as uv and Bundler do, whatever the carrier's `style`.
    Cargo.lock is no carrier: its own entries follow from the Cargo.toml carriers.
    """

    TEXT = "text"
    TOML = "toml"
    JSON = "json"
    RUBY = "ruby"
    UV_LOCK = "uv_lock"
    GEMFILE_LOCK = "gemfile_lock"


class Carrier(_Row):
    """A place that holds a component's version. `key`: see CarrierKind; for lockfiles the package's name there."""

    path: str
    kind: CarrierKind
    key: str = ""
    style: VersionStyle = VersionStyle.SEMVER

    @model_validator(mode="after")
    def _has_its_key(self) -> "Carrier":
        if self.kind is not CarrierKind.TEXT and not self.key:
            raise ValueError(f"{self.path}: a carrier of kind {self.kind} needs a key")
        return self


class Component(_Row):
    """Packages that share a version. The first carrier is the one that the version is read from."""

    carriers: Annotated[tuple[Carrier, ...], Field(min_length=1)]


class Command(_Row):
    """A build command: argument list, and its time limit in seconds.

    `{out}` stands for the folder that the artifacts go to, `{packages}` (alone) for `-p NAME` of each crate.
    """

    run: Annotated[tuple[str, ...], Field(min_length=1)]
    seconds: Annotated[int, Field(gt=0)]


class Build(_Row):
    """How the artifacts of one registry's packages are made.

    `env`: added to the tools' environment. `artifacts`: what the commands leave in `{out}`, as glob patterns. `again`:
    what makes the artifacts once more of what the commands left, to compare the bytes: the packing alone, where that is
    a step of its own.
    """

    commands: Annotated[tuple[Command, ...], Field(min_length=1)]
    again: tuple[Command, ...] = ()
    artifacts: Annotated[tuple[str, ...], Field(min_length=1)]
    env: dict[str, str] = {}


class Rate(_Row):
    """What a registry lets through: `burst` at once, then one every `seconds`."""

    burst: Annotated[int, Field(gt=0)]
    seconds: Annotated[int, Field(gt=0)]


class Registry(_Row):
    """How one registry's packages are built, and how long things may take, in seconds.

    `propagation_seconds`: until the index serves an upload. `upload_seconds`, `install_seconds`: each command of an
    upload, of a clean install. `install_env`: what users have to set themselves to install these packages.
    `attempts`, `wait_seconds`: how often one run tries to publish a package where a failure may pass, and how long it
    waits in all between these attempts (0: not at all). `new_names`, `new_versions`: the registry's own limits, for
    packages that it does not know yet, and for versions of those that it knows; the gate tells what will have to wait.
    `owners`: accounts or teams there, one of which every package has to belong to; none: they are compared with each
    other.
    """

    build: Build
    propagation_seconds: Annotated[int, Field(gt=0)]
    upload_seconds: Annotated[int, Field(gt=0)]
    install_seconds: Annotated[int, Field(gt=0)] = 900
    attempts: Annotated[int, Field(gt=0)] = 5
    wait_seconds: Annotated[int, Field(ge=0)] = 900
    new_names: Rate | None = None
    new_versions: Rate | None = None
    owners: tuple[str, ...] = ()
    install_env: dict[str, str] = {}


_NOT_RELEASED: dict[str, Any] = {
    "registries": {
        "__all__": {
            **dict.fromkeys(("propagation_seconds", "upload_seconds", "install_seconds"), True),
            **dict.fromkeys(("attempts", "wait_seconds", "new_names", "new_versions", "owners"), True),
            "build": {"again"},
        }
    },
    "packages": {"__all__": {"oldest", "on_purpose"}},
}


class DistTags(_Row):
    """npm's dist-tags by kind of version."""

    zero: str = "alpha"
    prerelease: str = "alpha"
    stable: str = "latest"

    def tag(self, version: Version) -> str:
        """The tag that a release of `version` moves."""
        if version.prerelease is not None:
            return self.prerelease
        return self.zero if version.major == 0 else self.stable


class Package(_Row):
    """One package, published to one registry.

    `changes`: the paths that count as a change of it, a folder with a slash at its end. `core` and `phase` belong to
    crates. `platforms`: what each wheel's platform tag must begin with, one wheel for each. `load`: an expression in
    the package's own language (Rust, Ruby, Python, JavaScript) that loads the installed package and gives its version.
    `oldest`: the oldest Python, Ruby or Node that its users have (`3.11`, `20`); it is installed with that one where
    that is at hand. `on_purpose`: what it ships though it looks like a secret or a leftover, as glob patterns of paths
    in the archive.
    """

    name: str
    registry: RegistryName
    component: str
    folder: str
    changes: Annotated[tuple[str, ...], Field(min_length=1)]
    core: Core | None = None
    phase: Annotated[int, Field(gt=0)] | None = None
    platforms: tuple[str, ...] = ()
    access: str = "public"
    dist_tags: DistTags = DistTags()
    load: str
    oldest: Annotated[str, Field(pattern=r"^(\d+(\.\d+)?)?$")] = ""
    on_purpose: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """`registry/name`, as in asset keys and the store: `crates_io/tasker-pgmq`, `npm/tasker`."""
        return f"{self.registry}/{self.name.rsplit('/', 1)[-1]}"

    @model_validator(mode="after")
    def _crates_have_phase_and_core(self) -> "Package":
        is_crate = self.registry is RegistryName.CRATES_IO
        if is_crate != (self.phase is not None) or is_crate != (self.core is not None):
            raise ValueError(f"{self.name}: crates, and only crates, have a phase and a core (ffi or server)")
        return self


class Manifest(_Row):
    """What is released: components, packages, registries, and the paths that packages ship without owning them."""

    name: str
    ships: tuple[str, ...] = ()
    tools: dict[str, str] = {}
    components: dict[str, Component]
    registries: dict[RegistryName, Registry]
    packages: Annotated[tuple[Package, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _is_whole(self) -> "Manifest":
        keys = [package.key for package in self.packages]
        for package in self.packages:
            if package.component not in self.components:
                raise ValueError(f"{package.name}: no component {package.component!r}; add [components.*] for it")
            if package.registry not in self.registries:
                raise ValueError(f"{package.name}: no [registries.{package.registry}]; add it")
            if keys.count(package.key) > 1:
                raise ValueError(f"{package.key} stands twice among the packages")
            if PurePosixPath(package.folder).is_absolute() or ".." in PurePosixPath(package.folder).parts:
                raise ValueError(f"{package.name}: folder {package.folder!r} leads out of the source")
            if package.folder in package.changes:
                raise ValueError(f"{package.name}: changes: the folder {package.folder!r} needs a slash at its end")
            _check_paths(package.name, "changes", package.changes)
        _check_paths(self.name, "ships", self.ships)
        cores = {package.component for package in self.crates}
        if len(cores) > 1:
            raise ValueError(f"crates belong to several components ({', '.join(sorted(cores))}); they share one")
        return self

    @cached_property
    def crates(self) -> tuple[Package, ...]:
        """The crates in publishing order: by phase, then as listed."""
        return tuple(
            sorted((p for p in self.packages if p.registry is RegistryName.CRATES_IO), key=lambda p: p.phase or 0)
        )

    @cached_property
    def bindings(self) -> tuple[Package, ...]:
        """The packages that depend on the crates."""
        return tuple(p for p in self.packages if p.registry is not RegistryName.CRATES_IO)

    @property
    def core(self) -> str | None:
        """The crates' component; None where the manifest has no crates."""
        return self.crates[0].component if self.crates else None

    def of_component(self, component: str) -> tuple[Package, ...]:
        """The packages that share the version of `component`."""
        return tuple(p for p in self.packages if p.component == component)

    def of_registry(self, registry: RegistryName) -> tuple[Package, ...]:
        """The packages of one registry, crates in publishing order."""
        return tuple(p for p in (*self.crates, *self.bindings) if p.registry is registry)

    def package(self, key: str) -> Package:
        """The package with this key. Raises InputError."""
        if key not in self._by_key:
            raise InputError(f"{key}: the manifest {self.name} has no such package; it has {', '.join(self.keys)}")
        return self._by_key[key]

    @cached_property
    def _by_key(self) -> dict[str, Package]:
        return {package.key: package for package in self.packages}

    @property
    def keys(self) -> tuple[str, ...]:
        """All packages' keys in publishing order."""
        return tuple(p.key for p in (*self.crates, *self.bindings))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what is released, whatever file it came from.

        Limits, and what checks compare with, are no part of it: a release that is half out can be run again with more
        patience.
        """
        return hashlib.sha256(self.model_dump_json(exclude=_NOT_RELEASED).encode()).hexdigest()

    @property
    def shape(self) -> tuple[tuple[str, int | None], ...]:
        """What the asset graph is made from: packages and phases."""
        return tuple((p.key, p.phase) for p in (*self.crates, *self.bindings))


def _check_paths(name: str, key: str, paths: tuple[str, ...]) -> None:
    for path in paths:
        if PurePosixPath(path).is_absolute() or path.startswith("./") or ".." in PurePosixPath(path).parts:
            raise ValueError(
                f"{name}: {key}: {path!r} never matches; write it as git does, from the source's top level"
            )


def packaged() -> tuple[str, ...]:
    """The names of the manifests that come with the package."""
    return tuple(sorted(f.name.removesuffix(".toml") for f in _folder().iterdir() if f.name.endswith(".toml")))


def load(name_or_path: str) -> Manifest:
    """Read a packaged manifest by its name, or any by its path (recognised by `/` or `.toml`).

    Raises InputError with the file, the key and the way out.
    """
    if "/" in name_or_path or name_or_path.endswith(".toml"):
        where, source = name_or_path, Path(name_or_path)
        if not source.is_file():
            raise InputError(f"manifest {name_or_path}: no such file; give a path, or one of {', '.join(packaged())}")
        try:
            text = source.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise InputError(f"manifest {name_or_path}: not TOML, which is UTF-8: {error}") from None
    elif name_or_path in packaged():
        where = f"manifest {name_or_path}"
        text = (_folder() / f"{name_or_path}.toml").read_text(encoding="utf-8")
    else:
        raise InputError(
            f"manifest {name_or_path!r} is not packaged; there are {', '.join(packaged())}, or give a path to a .toml"
        )
    try:
        return Manifest.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{where}: not TOML: {error}") from None
    except ValidationError as error:
        errors = error.errors()
        # A list whose only row is wrong counts as empty as well; the row's own error says all.
        above = {other["loc"][:depth] for other in errors for depth in range(len(other["loc"]))}
        causes = [e for e in errors if e["loc"] not in above or not e["loc"]]
        said = "; ".join(_say(e["loc"], e["msg"], e["type"]) for e in causes)
        raise InputError(f"{where}: {said}") from None


def _say(location: tuple[int | str, ...], message: str, kind: str) -> str:
    place = ".".join(str(part) for part in location)
    if kind == "extra_forbidden":
        return f"{place} is an unknown key; check its spelling or take it out"
    text = message.removeprefix("Value error, ")
    return f"{place}: {text}" if place else text


def _folder() -> Traversable:
    return files("tasker_release_pipeline") / "manifests"
