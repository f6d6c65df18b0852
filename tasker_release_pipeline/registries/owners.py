"""Who may publish under a name, as far as its registry tells without a secret."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from packaging.utils import canonicalize_name

from tasker_release_pipeline.registries import http
from tasker_release_pipeline.registries.endpoints import TITLES, is_live
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName
from tasker_release_pipeline.release.errors import RegistryError, UnavailableError

API_PAUSE_SECONDS = 1.0
"""What crates.io asks of its API's clients between two requests: https://crates.io/data-access."""


@dataclass(frozen=True)
class Owners:
    """The owners' names on their registry, teams as `github:org:team`. None known: `problem` says why."""

    names: frozenset[str] = frozenset()
    problem: str = ""


def owners(registry: RegistryName, endpoints: Endpoints, names: Collection[str]) -> dict[str, Owners]:
    """The owners of each of `names` on one registry. One that can't be asked is unknown, for the reason given."""
    found: dict[str, Owners] = {}
    for name in names:
        if found and registry is RegistryName.CRATES_IO and is_live(endpoints):
            time.sleep(API_PAUSE_SECONDS)
        try:
            found[name] = _ask(registry, endpoints, name)
        except UnavailableError as error:
            # A registry that does not answer is not asked again for each of its names.
            return found | {left: Owners(problem=str(error)) for left in names if left not in found}
        except RegistryError as error:
            found[name] = Owners(problem=str(error))
    return found


def _ask(registry: RegistryName, endpoints: Endpoints, name: str) -> Owners:
    url, read = _address(registry, endpoints, name), _READERS[registry]
    document = http.get_json(url)
    try:
        told = frozenset(read(document)) if document is not None else frozenset()
    except (KeyError, TypeError, AttributeError) as error:
        raise http.malformed(url, error) from None
    return Owners(told, "" if told else f"{TITLES[registry]} does not tell at {url}")


def _address(registry: RegistryName, endpoints: Endpoints, name: str) -> str:
    quoted = quote(name, safe="@")
    return {
        RegistryName.CRATES_IO: f"{endpoints.cargo_api}/api/v1/crates/{quoted}/owners",
        RegistryName.RUBYGEMS: f"{endpoints.rubygems}/api/v1/gems/{quoted}/owners.json",
        RegistryName.PYPI: f"{endpoints.pypi}/pypi/{canonicalize_name(name)}/json",
        RegistryName.NPM: f"{endpoints.npm}/{quoted}",
    }[registry]


def _pypi(document: Mapping[str, Any]) -> list[str]:
    ownership = document.get("ownership") or {}
    organization = ownership.get("organization")
    return [*(role["user"] for role in ownership.get("roles", ())), *([organization] if organization else [])]


_READERS: Mapping[RegistryName, Callable[[Any], list[str]]] = {
    RegistryName.CRATES_IO: lambda document: [user["login"] for user in document["users"]],
    RegistryName.RUBYGEMS: lambda document: [user["handle"] for user in document if user.get("handle")],
    RegistryName.PYPI: _pypi,
    RegistryName.NPM: lambda document: [user["name"] for user in document.get("maintainers") or ()],
}
