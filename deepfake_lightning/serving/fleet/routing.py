"""Which version answers a request: a share of the traffic, the same one for a client's key."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

_BITS = 64


def place_of(experiment: str, key: str) -> float:
    """Return where a client stands in an experiment, 0 up to 1: uniform, and always the same.

    Another experiment deals the same clients anew, so that one does not hand its groups on to
    the next. The first 64 bits of BLAKE2b of both names, each with its length before it.

    Example:
        >>> place_of("production", "client 7") == place_of("production", "client 7")
        True
    """
    digest = hashlib.blake2b(digest_size=_BITS // 8)
    for part in (experiment.encode("utf-8", "surrogatepass"), key.encode("utf-8", "surrogatepass")):
        digest.update(len(part).to_bytes(8) + part)
    return (int.from_bytes(digest.digest()) >> 11) / 2**53  # exact in a float, and never 1


def choose(shares: Sequence[float], place: float) -> int:
    """Return which of several shares holds a place; one of 0 never does.

    The shares lie side by side in their order. Where the last one grows, those who were in it
    stay: a canary keeps its clients from 5 % to 50 %.

    Args:
        shares: 0 or more each, which sum to 1 but for rounding; one is above 0.
        place: 0 up to 1, as of :func:`place_of`.
    """
    end, last = 0.0, 0
    for number, share in enumerate(shares):
        if share > 0:
            end, last = end + share, number
            if place < end:
                return number
    return last  # what rounding left over
