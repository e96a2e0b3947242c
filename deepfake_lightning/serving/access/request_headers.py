"""What is read of a request before the app sees it: the token, the address, the host."""

from __future__ import annotations

from starlette.types import Scope


def bearer(scope: Scope) -> bytes | None:
    """Return the token that was sent; None without one."""
    scheme, _, given = header(scope, b"authorization").partition(b" ")
    return given.strip() or None if scheme.lower() == b"bearer" else None


def address_of(scope: Scope) -> str:
    """Return where a request comes from; nothing where that is unknown."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def header(scope: Scope, name: bytes) -> bytes:
    """Return a header's value; nothing where it is missing or there are two."""
    values = [value for key, value in scope["headers"] if key == name]
    return values[0] if len(values) == 1 else b""


def without_port(host: str) -> str:
    """Return a host's name or address; what is neither comes back as it is."""
    if host.startswith("["):  # IPv6
        address, end, rest = host[1:].partition("]")
        is_port = not rest or (rest[0] == ":" and rest[1:].isdecimal())
        return address if end and is_port else host
    return host.rpartition(":")[0] if ":" in host else host
