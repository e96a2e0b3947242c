"""Passwords stay out of what is shown: messages, logs and records."""

from __future__ import annotations

import re

_IN_ADDRESS = re.compile(r"([A-Za-z][\w+.-]*://[^\s:/@]*:)\S*@")
_IN_QUERY = re.compile(r"([?&]\w*(?:password|passwd|secret|token)=)[^&\s'\"]*", re.IGNORECASE)


def without_passwords(text: str) -> str:
    """Return a text with ``***`` for the passwords of the addresses in it.

    What stands between the user's name and the last ``@`` is taken for the password, as in
    ``scheme://USER:PASSWORD@HOST``, also where it holds what belongs escaped; and parameters such
    as ``?password=``, which drivers take as well.

    Example:
        >>> without_passwords("postgresql://ada:secret@db/log?sslpassword=x&connect_timeout=3")
        'postgresql://ada:***@db/log?sslpassword=***&connect_timeout=3'
    """
    return _IN_QUERY.sub(r"\1***", _IN_ADDRESS.sub(r"\1***@", text))
