"""Small plans and answers of registries."""

from tasker_release_pipeline.checks.answers import Answer
from tasker_release_pipeline.registries.model import Holdings, RegistryFile
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.plan import PackagePlan

CRATES, GEMS, PYPI, NPM = RegistryName


def package(key: str, version: str = "0.1.9", *, component: str = "", dist_tag: str | None = None) -> PackagePlan:
    """A package that is published, by its key; its component is `core` for a crate, else its name."""
    registry, name = RegistryName(key.split("/", maxsplit=1)[0]), key.split("/")[1]
    return PackagePlan(
        key=key,
        name=name,
        registry=registry,
        component=component or ("core" if registry is CRATES else name),
        phase=1 if registry is CRATES else None,
        publish=True,
        version=version,
        reasons=("it changed",),
        dist_tag=dist_tag,
    )


def answer(
    key: str,
    held: str | None = "",
    *,
    version: str = "0.1.9",
    yanked: bool = False,
    files: bool = True,
    dist_tag: str | None = None,
    **tags: str,
) -> Answer:
    """What a registry holds of a package: `"0.1.7 0.1.8"`, or None where it did not answer."""
    planned = package(key, version, dist_tag=dist_tag)
    if held is None:
        return Answer(planned, None, "no answer within 20 s")
    versions = tuple(held.split())
    listed = [
        RegistryFile(version=each, file=f"{planned.name}-{each}", sha256="a" * 64, url="http://x/", yanked=yanked)
        for each in versions
        if files
    ]
    return Answer(planned, Holdings(versions=versions, files=tuple(listed), tags=tags))
