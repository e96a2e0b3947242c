"""Passwords stay out of what is shown: messages, logs and records."""

from __future__ import annotations

import re

# Each begins at a sign or word that is rare, and no part of a text is gone through twice.
_IN_ADDRESS = re.compile(r"(://[^\s:/]*:)(\S*)")
_WITH_SPACES = re.compile(
    r"(://[^\s:/]*:)(?!\s|\*{3}@|\d{1,5}(?:[/?#\s]|$))(?:(?!://)[^\n])*@"  # a port is none
)
_TOKEN = re.compile(r"(https?://)[^\s:/?#@]+@", re.IGNORECASE)
_NAMED = re.compile(
    r"(\b\w*(?:password|passwd|secret|token)\s*=\s*)('(?:[^'\\]|\\.)*'|[^&\s]*)", re.IGNORECASE
)


def without_passwords(text: str) -> str:
    """Return a text with ``***`` for the passwords of the addresses in it.

    What stands between the user's name and the last ``@`` is taken for the password, as in
    ``scheme://USER:PASSWORD@HOST``, also where it holds what belongs escaped; a user alone is taken
    for a token where the scheme is HTTP; and parameters such as ``?password=`` and ``password=``,
    which drivers take as well.

    Example:
        >>> without_passwords("postgresql://ada:secret@db/log?sslpassword=x&connect_timeout=3")
        'postgresql://ada:***@db/log?sslpassword=***&connect_timeout=3'
    """
    text = _IN_ADDRESS.sub(_hidden, text)
    text = _TOKEN.sub(r"\1***@", _WITH_SPACES.sub(r"\1***@", text))
    return _NAMED.sub(r"\1***", text)


def _hidden(address: re.Match[str]) -> str:
    user, rest = address.groups()
    _, at, host = rest.rpartition("@")
    return f"{user}***@{host}" if at else str(address[0])
