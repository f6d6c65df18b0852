"""The one secret that all four loopback registries accept."""

import base64
import binascii
import hmac

from starlette.requests import Request


def is_token(given: str, token: str) -> bool:
    """Whether `given` is the token, compared in constant time."""
    return hmac.compare_digest(given.encode(), token.encode())


def bare(request: Request) -> str:
    """`Authorization: TOKEN`, as cargo and gem send it; empty if there is none."""
    return request.headers.get("authorization", "").strip()


def bearer(request: Request) -> str:
    """`Authorization: Bearer TOKEN`, as npm sends it; empty if there is none."""
    scheme, _, token = bare(request).partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def basic_password(request: Request) -> str:
    """The password of `__token__` in `Authorization: Basic`, as uv and twine send it; empty if there is none."""
    scheme, _, value = bare(request).partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        user, _, password = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return password if user == "__token__" else ""
