"""Orders of faults in words, for command lines; `faults` describes the language."""

import re
from typing import Any, NoReturn

from pydantic import ValidationError

from tasker_release_pipeline.loopback.faults import Fault, FaultKind, RequestKind
from tasker_release_pipeline.release.endpoints import RegistryName
from tasker_release_pipeline.release.errors import InputError

_REGISTRIES = {name.value: name for name in RegistryName} | {"any": None}
_REQUESTS = {kind.value: kind for kind in RequestKind} | {"read": RequestKind.INDEX}
# What a value after `=` means, by fault; the others take none.
_VALUES: dict[str, tuple[str, type]] = {
    "delay": ("seconds", float),
    "late": ("seconds", float),
    "part": ("accepted", int),
    "new-names": ("accepted", int),
    "refuse": ("status", int),
}
_OPTIONS: dict[str, tuple[str, type]] = {
    "times": ("times", int),
    "retry-after": ("retry_after", float),
    "retry-after-date": ("retry_after", float),
    "package": ("package", str),
    "every": ("seconds", float),
}
_FAULT = re.compile(r"(?P<word>[a-z-]+?|\d+)(=(?P<value>[^x]*))?(x(?P<times>\d+))?")
_KNOWN_FAULTS = [*(kind.value for kind in FaultKind if kind is not FaultKind.ANSWER), "refuse", "a status (400 to 599)"]


def parse_faults(text: str) -> tuple[Fault, ...]:
    """The orders in `text`; none if it is empty. Raises InputError that names the word and what there is instead."""
    return tuple(_parse(part.strip()) for part in re.split(r"[;\n]", text) if part.strip())


def checked_fault(data: Any, subject: str) -> Fault:
    """A fault from its fields. Raises InputError, which names `subject`."""
    try:
        return Fault.model_validate(data)
    except ValidationError as error:
        said = [(".".join(map(str, problem["loc"])), problem["msg"]) for problem in error.errors()]
        problems = "; ".join(f"{where}: {what}" if where else what for where, what in said)
        raise InputError(f"fault {subject}: {problems}") from None


def _parse(text: str) -> Fault:
    parts = [part.strip() for part in text.split(":")]
    if len(parts) < 3:
        raise InputError(f"fault `{text}`: expected REGISTRY:REQUEST:FAULT, such as npm:upload:500x2")
    registry, request, fault, *options = parts
    if registry not in _REGISTRIES:
        _unknown(text, "registry", registry, _REGISTRIES)
    if request not in _REQUESTS:
        _unknown(text, "request", request, _REQUESTS)
    fields: dict[str, Any] = {"registry": _REGISTRIES[registry], "request": _REQUESTS[request]}
    fields |= _fault(text, fault)
    for option in options:
        if option.startswith("every=") and fields["kind"] is not FaultKind.NEW_NAMES:
            raise InputError(f"fault `{text}`: `every` belongs to `{FaultKind.NEW_NAMES}`")
        fields |= _option(text, option)
    return checked_fault(fields, f"`{text}`")


def _fault(text: str, fault: str) -> dict[str, Any]:
    found = _FAULT.fullmatch(fault)
    if found is None:
        _unknown(text, "fault", fault, _KNOWN_FAULTS)
    word, value = found["word"], found["value"]
    fields: dict[str, Any] = {} if found["times"] is None else {"times": int(found["times"])}
    if word.isdigit():
        fields |= {"kind": FaultKind.ANSWER, "status": int(word)}
    elif word == "refuse":
        fields |= {"kind": FaultKind.ANSWER, "status": 403}
    elif word == FaultKind.ANSWER or word not in list(FaultKind):
        _unknown(text, "fault", word, _KNOWN_FAULTS)
    else:
        fields["kind"] = FaultKind(word)
    if value is None:
        return fields
    if word not in _VALUES:
        raise InputError(f"fault `{text}`: `{word}` takes no value")
    return fields | _value(text, fault, _VALUES[word], value)


def _option(text: str, option: str) -> dict[str, Any]:
    if option == "always":
        return {"times": None}
    word, equals, value = option.partition("=")
    if word not in _OPTIONS or not equals:
        _unknown(text, "option", option, ["always", *(f"{known}=..." for known in _OPTIONS)])
    fields = _value(text, option, _OPTIONS[word], value)
    return fields | ({"retry_after_date": True} if word == "retry-after-date" else {})


def _value(text: str, word: str, target: tuple[str, type], value: str) -> dict[str, Any]:
    name, kind = target
    try:
        return {name: kind(value)}
    except ValueError:
        raise InputError(f"fault `{text}`: `{word}`: `{value}` is not a number") from None


def _unknown(text: str, what: str, word: str, known: Any) -> NoReturn:
    raise InputError(f"fault `{text}`: unknown {what} `{word}`; there are {', '.join(known)}")
