"""The address of an MLflow server, apart from the password that may stand in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

from deepfake_lightning.errors import UsageError

URI_VARIABLE = "MLFLOW_TRACKING_URI"
USER_VARIABLE = "MLFLOW_TRACKING_USERNAME"
PASSWORD_VARIABLE = "MLFLOW_TRACKING_PASSWORD"
_EXAMPLE = "http://mlflow.example:5000"


@dataclass(frozen=True)
class Address:
    """Where a server is.

    Attributes:
        uri: without user and password: what may be written anywhere.
        user, password: that stood in it; None where none did.
    """

    uri: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def parse_address(given: str, source: str) -> Address:
    """Return the parts of an address.

    Args:
        given: ``http://`` or ``https://``, which may hold a user and a password.
        source: where it was given, for errors, which do not repeat it.

    Raises:
        UsageError: it is none.
    """
    try:
        parts = urlsplit(given.strip())
        port = f":{parts.port}" if parts.port else ""
    except ValueError as error:
        raise _wrong(source, "it cannot be read") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _wrong(source, "it does not begin with http:// or https:// and a name")
    if parts.query or parts.fragment:
        raise _wrong(source, "it has a ? or a #")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    uri = urlunsplit((parts.scheme, host + port, parts.path.rstrip("/"), "", ""))
    user, password = parts.username, parts.password
    return Address(
        uri,
        None if user is None else unquote(user),
        None if password is None else unquote(password),
    )


def has_password(given: str) -> bool:
    """Whether a password, or a token, stands in an address of any kind."""
    try:
        parts = urlsplit(given)
    except ValueError:
        return "@" in given
    return parts.password is not None or (parts.username is not None and "@" in parts.netloc)


def _wrong(source: str, fault: str) -> UsageError:
    return UsageError(
        f"{source} is no address of an MLflow server: {fault}",
        next_step=f"pass one like {_EXAMPLE}; user and password: {USER_VARIABLE}, "
        f"{PASSWORD_VARIABLE}",
    )
