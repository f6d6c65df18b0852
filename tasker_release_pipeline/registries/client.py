"""The client of each registry."""

from tasker_release_pipeline.registries.base import BaseClient
from tasker_release_pipeline.registries.crates_io import CratesIoClient
from tasker_release_pipeline.registries.model import RegistryClient
from tasker_release_pipeline.registries.npm import NpmClient
from tasker_release_pipeline.registries.pypi import PyPIClient
from tasker_release_pipeline.registries.rubygems import RubyGemsClient
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName

CLIENTS: dict[RegistryName, type[BaseClient]] = {
    kind.registry: kind for kind in (CratesIoClient, RubyGemsClient, PyPIClient, NpmClient)
}


def client(package_registry: RegistryName, endpoints: Endpoints) -> RegistryClient:
    """The client of `package_registry` at these endpoints."""
    return CLIENTS[package_registry](endpoints)
