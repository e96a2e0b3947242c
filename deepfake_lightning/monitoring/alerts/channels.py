"""Who is told: the channels of the policy, each with what it needs. Secrets stay out of it.

A secret is the name of an environment variable, or of a file, and is read when a message is sent.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from deepfake_lightning.errors import UsageError

_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")]
_Variable = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
_Seconds = Annotated[float, Field(gt=0, le=60)]
_Address = Annotated[str, Field(pattern=r"^[^\s@<>,;:\"]+@[^\s@<>,;:\"]+$", max_length=254)]


class _Named(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    name: _Name


class LogChannel(_Named):
    """Python's logging: what fires and is critical as an error, all else as a warning."""

    kind: Literal["log"] = "log"


class FileChannel(_Named):
    """A file, a line of JSON for each message.

    Attributes:
        path: below the workspace's ``monitoring/alerts``, or absolute.
    """

    kind: Literal["file"] = "file"
    path: Annotated[str, Field(min_length=1)] = "messages.jsonl"


class WebhookChannel(_Named):
    """A POST of JSON.

    Attributes:
        url: where to; http or https. Redirects are not followed.
        url_env: environment variable that holds it, where the address itself is secret.
        secret_env, secret_file: where the key is that messages are signed with; null signs none.
        timeout_seconds: for each step of a request.
    """

    kind: Literal["webhook"] = "webhook"
    url: str | None = None
    url_env: _Variable | None = None
    secret_env: _Variable | None = None
    secret_file: str | None = None
    timeout_seconds: _Seconds = 10.0

    # Of the whole: a fault of the field alone would be told with its value.
    @model_validator(mode="after")
    def _one_each(self) -> WebhookChannel:
        if self.url is not None:
            check_url(self.url)
        if (self.url is None) == (self.url_env is None):
            raise ValueError("give url, or url_env")
        if self.secret_env is not None and self.secret_file is not None:
            raise ValueError("give secret_env or secret_file, not both")
        return self


class EmailChannel(_Named):
    """A mail.

    Attributes:
        host, port: of the SMTP server.
        sender: address.
        to: addresses.
        security: ``starttls`` (port 587), ``tls`` (465), or ``none``.
        user_env, password_env: environment variables to log in with; null does not log in.
        timeout_seconds: for each step.
    """

    kind: Literal["email"] = "email"
    host: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    sender: _Address
    to: Annotated[tuple[_Address, ...], Field(min_length=1)]
    security: Literal["starttls", "tls", "none"] = "starttls"
    user_env: _Variable | None = None
    password_env: _Variable | None = None
    timeout_seconds: _Seconds = 10.0

    @model_validator(mode="after")
    def _login(self) -> EmailChannel:
        if (self.user_env is None) != (self.password_env is None):
            raise ValueError("give user_env and password_env, or neither")
        if self.user_env is not None and self.security == "none":
            raise ValueError("a password is not sent in the clear: use starttls or tls")
        return self


Channel = Annotated[
    LogChannel | FileChannel | WebhookChannel | EmailChannel, Field(discriminator="kind")
]


def check_url(url: str) -> None:
    """Refuse what is no address of a web server.

    Raises:
        ValueError: it does not repeat the address, which may be secret.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or url != url.strip() or any(sign.isspace() for sign in url):
        raise ValueError("the address has to be http://... or https://...")


def secret(variable: str | None, file: str | None) -> str | None:
    """Return a secret from where the policy says it is; None where it names nothing.

    Raises:
        UsageError: it is not there, or empty.
    """
    if variable is not None:
        found = os.environ.get(variable, "")
        where = f"the environment variable {variable}"
    elif file is not None:
        where = file
        try:
            found = Path(file).read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            raise UsageError(f"{where} cannot be read", next_step="put the secret there") from error
    else:
        return None
    if not found:
        raise UsageError(f"{where} is empty or not set", next_step="put the secret there")
    return found
