"""The public registries: the only place that names their addresses."""

from urllib.parse import urlsplit

from tasker_release_pipeline.release.endpoints import Endpoints, RegistryName

LIVE = Endpoints(
    cargo_index="https://index.crates.io",
    cargo_api="https://crates.io",
    rubygems="https://rubygems.org",
    pypi="https://pypi.org",
    pypi_upload="https://upload.pypi.org/legacy/",
    npm="https://registry.npmjs.org",
)

GITHUB_API = "https://api.github.com"
"""Where releases are recorded, unless GITHUB_API_URL names another server."""

TITLES = {
    RegistryName.CRATES_IO: "crates.io",
    RegistryName.RUBYGEMS: "RubyGems",
    RegistryName.PYPI: "PyPI",
    RegistryName.NPM: "npm",
}
"""What messages call the registries."""


def is_live(endpoints: Endpoints) -> bool:
    """Whether an upload there is for ever."""
    return endpoints == LIVE


def is_loopback(url: str) -> bool:
    """Whether `url` never leaves this machine, so that no proxy may be asked for it."""
    return urlsplit(url).hostname in ("127.0.0.1", "::1", "localhost")


def with_slash(url: str) -> str:
    """`url` with one slash at its end: what relative addresses, npm's and cargo's settings count on."""
    return url.rstrip("/") + "/"
