"""GitHub's expressions, as far as the workflows use them: `${{ a.b == 'c' && f(d) }}`.

Semantics from GitHub's documentation: `&&` and `||` give an operand, comparison of strings ignores case, a missing
property is null, `*` takes a property of all.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_TOKENS = re.compile(
    r"\s*(?:(?P<string>'(?:[^']|'')*')|(?P<number>\d+)|(?P<name>[A-Za-z_][\w-]*)|(?P<sign>&&|\|\||==|!=|[!().,*]))"
)
Functions = Mapping[str, Callable[..., Any]]


def interpolate(text: str, context: Mapping[str, Any], functions: Functions) -> str:
    """The text with every `${{ }}` in it replaced."""
    return re.sub(r"\$\{\{(.*?)\}\}", lambda m: _shown(evaluate(m[1], context, functions)), text, flags=re.DOTALL)


def condition(text: str, context: Mapping[str, Any], functions: Functions) -> bool:
    """An `if:`; where it asks for no status, success is asked for."""
    bare = re.sub(r"^\s*\$\{\{(.*)\}\}\s*$", r"\1", text, flags=re.DOTALL)
    if not re.search(r"\b(always|failure|cancelled|success)\(\)", bare):
        bare = f"success() && ({bare})"
    return truthy(evaluate(bare, context, functions))


def evaluate(text: str, context: Mapping[str, Any], functions: Functions) -> Any:
    """The value of one expression. Raises ValueError for what is none."""
    parser = _Parser(text, context, functions)
    value = parser.either()
    if parser.tokens:
        raise ValueError(f"{text!r}: what is {parser.tokens[0][1]!r}?")
    return value


def truthy(value: Any) -> bool:
    """As GitHub counts."""
    return value not in (None, False, 0, "")


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, dict | list) else str(value)


class _Parser:
    def __init__(self, text: str, context: Mapping[str, Any], functions: Functions) -> None:
        self.tokens = list(_split(text))
        self.context = context
        self.functions: Functions = {
            "format": lambda form, *values: re.sub(r"\{(\d)\}", lambda m: _shown(values[int(m[1])]), form),
            "contains": lambda where, what: what in (where or ()),
            **functions,
        }

    def either(self) -> Any:
        value = self.both()
        while self.take("||"):
            other = self.both()
            value = value if truthy(value) else other
        return value

    def both(self) -> Any:
        value = self.compared()
        while self.take("&&"):
            other = self.compared()
            value = other if truthy(value) else value
        return value

    def compared(self) -> Any:
        value = self.negated()
        for sign in ("==", "!="):
            if self.take(sign):
                return (_comparable(value) == _comparable(self.negated())) is (sign == "==")
        return value

    def negated(self) -> Any:
        if self.take("!"):
            return not truthy(self.negated())
        return self.value()

    def value(self) -> Any:
        kind, token = self.tokens.pop(0)
        if token == "(":
            value = self.either()
            self.demand(")")
            return value
        if kind == "string":
            return token[1:-1].replace("''", "'")
        if kind == "number":
            return int(token)
        if token in ("true", "false", "null"):
            return json.loads(token)
        if self.take("("):
            return self.functions[token](*self.arguments())
        return self.property(self.context[token])

    def arguments(self) -> Iterator[Any]:
        while not self.take(")"):
            yield self.either()
            self.take(",")

    def property(self, value: Any) -> Any:
        spread = False
        while self.take("."):
            if self.take("*"):
                value, spread = list((value or {}).values()), True
                continue
            _, name = self.tokens.pop(0)
            value = [(one or {}).get(name) for one in value] if spread else (value or {}).get(name)
        return value

    def take(self, sign: str) -> bool:
        if self.tokens and self.tokens[0] == ("sign", sign):
            del self.tokens[0]
            return True
        return False

    def demand(self, sign: str) -> None:
        if not self.take(sign):
            raise ValueError(f"{sign!r} expected before {self.tokens[:1]}")


def _comparable(value: Any) -> Any:
    return "" if value is None else value.lower() if isinstance(value, str) else value


def _split(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    text = text.strip()
    while at < len(text):
        match = _TOKENS.match(text, at)
        if match is None:
            raise ValueError(f"{text!r}: not understood from {text[at : at + 20]!r}")
        yield str(match.lastgroup), match[str(match.lastgroup)]
        at = match.end()
