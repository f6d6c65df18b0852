"""What can be told of a token before it is used: whether it looks like its registry's, and whether that knows it."""

import re
from dataclasses import dataclass

from tasker_release_pipeline.registries import http
from tasker_release_pipeline.registries.secret_requests import send
from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName
from tasker_release_pipeline.release.errors import UnavailableError
from tasker_release_pipeline.toolchains.redaction import Redactor

SHAPES = {
    RegistryName.CRATES_IO: ("cio and 32 letters or digits", re.compile(r"cio[0-9A-Za-z]{32}")),
    RegistryName.RUBYGEMS: ("rubygems_ and 48 hexadecimal digits", re.compile(r"rubygems_[0-9a-f]{48}")),
    # A macaroon in base64, whose location is pypi.org.
    RegistryName.PYPI: ("pypi-AgEIcHlwaS5vcmc and more", re.compile(r"pypi-AgEIcHlwaS5vcmc[0-9A-Za-z_-]{70,}")),
    RegistryName.NPM: ("npm_ and 36 letters or digits", re.compile(r"npm_[0-9A-Za-z]{36}")),
}
"""What tokens look like, in words and as a pattern."""


@dataclass(frozen=True)
class Known:
    """Whether a registry knows a token: None where it can't be told. `said`: how that was seen."""

    known: bool | None
    said: str


def looks_right(registry: RegistryName, token: str) -> bool:
    """Whether the token has the shape of this registry's tokens. Registries may have others, too."""
    return SHAPES[registry][1].fullmatch(token) is not None


def is_known(registry: RegistryName, token: str, endpoints: Endpoints) -> Known:
    """Ask the registry, without an effect. Whether the token may publish a given package no registry tells."""
    asking = {
        RegistryName.CRATES_IO: (f"{endpoints.cargo_api}/api/v1/me", token),
        RegistryName.RUBYGEMS: (f"{endpoints.rubygems}/api/v1/gems.json", token),
        RegistryName.NPM: (f"{endpoints.npm}/-/whoami", f"Bearer {token}"),
    }
    if registry not in asking:
        return Known(None, "PyPI tells of a token only at an upload")
    url, authorization = asking[registry]
    try:
        answer = send("GET", url, secret=token, headers={"Authorization": authorization})
    except UnavailableError as error:
        return Known(None, str(error))
    status, words = answer.status_code, Redactor([token])(http.words(answer))
    said = f"{url} answers {status}: {words}"
    if registry is RegistryName.CRATES_IO:
        # It is for browsers alone, but tells a token that it knows so; an unknown one is refused before.
        if status == 403 and "authentication failed" in words:
            return Known(False, said)
        return Known(True if status == 200 or (status == 403 and _DISALLOWED.search(words)) else None, said)
    if status == 401:
        return Known(False, said)
    # A key for pushing alone may not list gems, which RubyGems says with 403.
    good = (200, 403) if registry is RegistryName.RUBYGEMS else (200,)
    return Known(True if status in good else None, said)


_DISALLOWED = re.compile("only be performed on the crates.io website|does not have the required permissions")
