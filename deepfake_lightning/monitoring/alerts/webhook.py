"""Messages by HTTP, signed so that who receives them knows where they come from."""

from __future__ import annotations

import hmac
import json
import os
import time
import urllib.request
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.error import HTTPError, URLError

from deepfake_lightning.errors import StorageError, UsageError
from deepfake_lightning.monitoring.alerts.channels import WebhookChannel, check_url, secret

SIGNATURE = "X-Deepfake-Signature"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """What is signed for one address is not handed to another."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str,
        headers: HTTPMessage, newurl: str,
    ) -> None:  # fmt: skip
        return None


# httpx would write addresses into its log, and those of chats are secret.
_opener = urllib.request.build_opener(_NoRedirect)


def post(channel: WebhookChannel, message_id: str, content: dict[str, Any]) -> None:
    """Post a message as JSON; an answer of 2xx takes it.

    Headers: ``Idempotency-Key`` is the message's id, the same where it comes twice. With a secret,
    ``X-Deepfake-Signature: t=<seconds since 1970>,v1=<signature>`` (:func:`signature`): compute it
    from the body as it came, compare it in constant time, and refuse a ``t`` that is minutes old.

    Args:
        channel: where to.
        message_id: of the event.
        content: plain JSON types.

    Raises:
        UsageError: the secret or the address is not there.
        StorageError: it was not taken.
    """
    body = json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    key = secret(channel.secret_env, channel.secret_file)
    headers = {"Content-Type": "application/json", "User-Agent": "deepfake-lightning",
               "Idempotency-Key": message_id}  # fmt: skip
    if key is not None:
        now = int(time.time())
        headers[SIGNATURE] = f"t={now},v1={signature(key, now, body)}"
    request = urllib.request.Request(_address(channel), body, headers, method="POST")
    try:
        with _opener.open(request, timeout=channel.timeout_seconds):
            return
    except HTTPError as error:
        error.close()
        fault = f"it answered {error.code}"
        fault += ", and redirects are not followed" if 300 <= error.code < 400 else ""
    except (URLError, HTTPException, OSError) as error:
        reason = getattr(error, "reason", error)
        fault = _words(reason if isinstance(reason, Exception) else error)
    raise StorageError(fault)


def signature(key: str, seconds: int, body: bytes) -> str:
    """Return the HMAC-SHA256 of ``<seconds>.<body>``, in hexadecimal (RFC 2104, FIPS 180-4)."""
    return hmac.new(key.encode(), f"{seconds}.".encode() + body, "sha256").hexdigest()


def _address(channel: WebhookChannel) -> str:
    if channel.url is not None:
        return channel.url
    url = os.environ.get(channel.url_env or "", "")
    try:
        check_url(url)
    except ValueError as error:
        raise UsageError(
            f"the environment variable {channel.url_env} holds no address of a web server",
            next_step="set it to https://...",
        ) from error
    return url


def _words(error: Exception) -> str:
    """Return what went wrong without the address, which may be secret."""
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    return getattr(error, "strerror", None) or type(error).__name__
