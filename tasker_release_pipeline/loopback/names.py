"""When two names are one, by each registry's own rule, and which names are never passed on."""

from collections.abc import Mapping

from packaging.utils import canonicalize_name

from tasker_release_pipeline.release.endpoints import RegistryName

Reserved = Mapping[RegistryName, frozenset[str]]
"""Per registry the names that the manifest publishes. A registry that is missing reserves none."""


def canonical(registry: RegistryName, name: str) -> str:
    """The form under which two spellings of one package are equal.

    crates.io: case and `-`/`_` do not distinguish. PyPI: PEP 503. RubyGems: case does not distinguish. npm: exact, all
    new names are lowercase.
    """
    if registry is RegistryName.CRATES_IO:
        return name.lower().replace("-", "_")
    if registry is RegistryName.PYPI:
        return canonicalize_name(name)
    if registry is RegistryName.RUBYGEMS:
        return name.lower()
    return name


def is_reserved(reserved: Reserved, registry: RegistryName, name: str) -> bool:
    """Whether `name`, in any spelling, is one that the manifest publishes on `registry`."""
    wanted = canonical(registry, name)
    return any(canonical(registry, own) == wanted for own in reserved.get(registry, frozenset()))
