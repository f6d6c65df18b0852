"""compose.yaml as its processes see it: merged, with the environment put into it as Compose does."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

COMPOSE = Path(__file__).parents[2] / "compose.yaml"
_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?:(?P<how>:[-?])(?P<word>[^}]*))?\})")
Service = dict[str, Any]


def services(environment: Mapping[str, str]) -> dict[str, Service]:
    """The services. Raises KeyError for a variable that has to be set."""
    found: dict[str, Service] = _put(yaml.safe_load(COMPOSE.read_text()), environment)["services"]
    return found


def health_check(service: Service) -> list[str]:
    """The command that a container is asked with."""
    kind, *words = service["healthcheck"]["test"]
    return ["sh", "-c", *words] if kind == "CMD-SHELL" else words


def _put(node: Any, environment: Mapping[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: _put(value, environment) for key, value in node.items()}
    if isinstance(node, list):
        return [_put(value, environment) for value in node]
    return _VARIABLE.sub(lambda found: _value(found, environment), node) if isinstance(node, str) else node


def _value(found: re.Match[str], environment: Mapping[str, str]) -> str:
    if found[0] == "$$":
        return "$"
    name, how, word = found["name"], found["how"], found["word"]
    if environment.get(name):
        return environment[name]
    if how == ":?":
        raise KeyError(f"{name}: {word}")
    return word or ""
