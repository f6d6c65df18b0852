"""The one secret that all four loopback registries accept, and the forms that secrets come in."""

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


def given(request: Request) -> str:
    """The token of a request, in whichever of the three forms it comes; empty if there is none."""
    return basic_password(request) or bearer(request) or bare(request)


def in_its_form(request: Request, token: str) -> str:
    """The `Authorization` header for `token`, in the form that the request's own has."""
    if basic_password(request):
        return "Basic " + base64.b64encode(f"__token__:{token}".encode()).decode()
    return f"Bearer {token}" if bearer(request) else token
