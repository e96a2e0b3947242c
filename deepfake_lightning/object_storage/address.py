"""Addresses of object storages, and what their faults are called. No key is ever repeated."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from deepfake_lightning.errors import DeepfakeLightningError, StorageError, UsageError
from deepfake_lightning.passwords import without_passwords

EXAMPLE = "s3://BUCKET/FOLDER"
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://([^/]*)(/.*)?", re.IGNORECASE)
_SECRETS = ("KEY", "SECRET", "TOKEN", "PASSWORD")
_USER = re.compile(r"//[^/\s]*@")
_S3 = {
    # Listings that are remembered would hide what others have pushed since.
    "use_listings_cache": False,
    "config_kwargs": {
        "retries": {"mode": "standard", "max_attempts": 2},
        "connect_timeout": 10,
        "read_timeout": 60,
        "max_pool_connections": 32,
    },
}


@dataclass(frozen=True)
class Place:
    """A folder of an object storage.

    Attributes:
        url: its address; there is no key in it.
        system: fsspec's file system.
        root: the folder, as the file system calls it.
    """

    url: str
    system: Any
    root: str

    def path(self, name: str) -> str:
        """Return what the file system calls a name below this folder."""
        return f"{self.root}/{name}"

    @property
    def is_s3(self) -> bool:
        """Whether writes can be made to depend on what is there (``If-Match``)."""
        return "s3" in self.system.protocol

    @contextmanager
    def told(self, doing: str) -> Iterator[None]:
        """Turn what a storage's client raises into errors of this package.

        Args:
            doing: what could not be done, as in 'could not be ...'.

        Raises:
            UsageError: there is no such bucket, or it is closed to these credentials.
            StorageError: the storage or the way there is at fault.
        """
        try:
            yield
        except DeepfakeLightningError:
            raise
        except Exception as error:  # each kind of storage has errors of its own
            raise _fault(self.url, doing, error) from error


def open_place(url: str) -> Place:
    """Return the folder of an object storage; nothing is asked of it yet.

    Credentials and the endpoint are those of the environment or of the AWS configuration
    (``AWS_ACCESS_KEY_ID``, ``AWS_PROFILE``, ``AWS_ENDPOINT_URL``, ...).

    Args:
        url: such as ``s3://bucket/folder``; any of fsspec's storages, tried with S3.

    Raises:
        UsageError: it is no such address, holds credentials, or its client is not installed.
    """
    if "@" in url:  # anywhere: a key may hold slashes
        raise UsageError(
            "the address holds a user or a key",
            why="it would stand in histories, logs and lists of processes",
            next_step="leave it out: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, "
            "are read from the environment",
        )
    found = _URL.fullmatch(url)
    if found is None or "::" in url or "?" in url or "#" in url:
        raise UsageError(f"{_shown(url)} is no address of an object storage",
                         next_step=f"pass one such as {EXAMPLE}")  # fmt: skip
    protocol, authority, path = found[1].lower(), found[2], found[3] or ""
    if protocol in ("file", "local"):
        raise UsageError(
            "a local folder is no object storage",
            why="what is written there may be seen half",
            next_step=f"copy it with rsync, or pass an address such as {EXAMPLE}",
        )
    if not authority:
        raise UsageError(f"{url} names no bucket", next_step=f"pass one such as {EXAMPLE}")
    plain = f"{protocol}://{authority}{path.rstrip('/')}"
    system = _system(protocol)
    return Place(plain, system, str(system._strip_protocol(plain)))


def _system(protocol: str) -> Any:
    import fsspec

    try:
        system = fsspec.filesystem(protocol, **(_S3 if protocol in ("s3", "s3a") else {}))
        if protocol in ("s3", "s3a"):
            system.retries = 1  # each of its own five would be tried again as often by the caller
        return system
    except ImportError as error:
        raise UsageError(
            f"the client for {protocol}:// is not installed",
            next_step="pip install 'deepfake-lightning[storage]' for S3; for another storage the "
            "package that fsspec names for it",
        ) from error
    except ValueError as error:
        raise UsageError(f"{protocol}:// is no storage that is known",
                         next_step=f"pass an address such as {EXAMPLE}") from error  # fmt: skip


def _fault(url: str, doing: str, error: Exception) -> DeepfakeLightningError:
    if isinstance(error, FileNotFoundError):
        return UsageError(f"{url} could not be {doing}: there is no such bucket or folder",
                          next_step="make the bucket first, or correct the address")  # fmt: skip
    if isinstance(error, PermissionError) or "Credentials" in type(error).__name__:
        return UsageError(
            f"{url} could not be {doing}: access is denied ({code_of(error)})",
            next_step="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, for "
            "somebody who may; AWS_ENDPOINT_URL for a storage that is not Amazon's",
        )
    return StorageError(
        f"{url} could not be {doing}: {code_of(error)}",
        why="what is there is as it was: nothing of this has come to be seen",
        next_step="run the command again: what was transferred is not transferred twice",
    )


def code_of(error: BaseException) -> str:
    """Return in a few words what a client says, without what may hold a key."""
    response = getattr(error.__cause__, "response", None) or getattr(error, "response", None)
    if isinstance(response, dict) and response.get("Error", {}).get("Code"):
        return f"the storage says {response['Error']['Code']}"
    return _shown(f"{type(error).__name__}: {error}")[:300]


def _shown(text: str) -> str:
    for name, value in os.environ.items():
        if len(value) > 5 and any(word in name.upper() for word in _SECRETS):
            text = text.replace(value, "***")
    return _USER.sub("//***@", without_passwords(text))
