"""What the registries say of the packages of a plan, asked once for all checks."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tasker_release_pipeline.registries.client import client
from tasker_release_pipeline.registries.model import Holdings
from tasker_release_pipeline.release.endpoints import Endpoints
from tasker_release_pipeline.release.errors import RegistryError, UnavailableError
from tasker_release_pipeline.release.plan import PackagePlan


@dataclass(frozen=True)
class Answer:
    """What a registry holds of a package. `holdings` None: it did not tell, for the reason `problem`."""

    package: PackagePlan
    holdings: Holdings | None
    problem: str = ""


def ask(packages: Sequence[PackagePlan], endpoints: Endpoints) -> list[Answer]:
    """Ask for all packages at once."""

    def answer(package: PackagePlan) -> Answer:
        try:
            return Answer(package, client(package.registry, endpoints).holdings(package.name))
        except (UnavailableError, RegistryError) as error:
            return Answer(package, None, str(error))

    with ThreadPoolExecutor(max_workers=8) as pool:
        return list(pool.map(answer, packages))
