"""Where a set of four registries answers."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class RegistryName(StrEnum):
    """The four registries, by the names that asset keys and manifests use."""

    CRATES_IO = "crates_io"
    RUBYGEMS = "rubygems"
    PYPI = "pypi"
    NPM = "npm"


class Endpoints(BaseModel):
    """The addresses of one set of registries: URLs without a slash at the end, but for `pypi_upload`, which has one.

    `cargo_index` is the root of a sparse index (`config.json` lies below it), `cargo_api` the host of `/api/v1`,
    `rubygems` the host of `/api/v1/gems` and of the compact index, `pypi` the host of `/simple/` and
    `/pypi/NAME/json`, `pypi_upload` the address that takes uploads, `npm` the registry's root.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cargo_index: str
    cargo_api: str
    rubygems: str
    pypi: str
    pypi_upload: str
    npm: str
