"""Wrong tokens: an address that sends many is not looked at for a while."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import time
from collections import OrderedDict

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

_PER_MINUTE = 30
_REMEMBERED = 4096


class Guesses:
    """Counts wrong tokens by address, 30 a minute in each server process.

    Past that, an address is not told whether a token is right, until the minute ends. Tokens that
    were right from there go on: behind a proxy, or in one house, all callers have one address, and
    one who guesses does not lock the others out.

    Args:
        per_minute: wrong tokens that an address may send.
    """

    def __init__(self, per_minute: int = _PER_MINUTE) -> None:
        self._limit = RateLimitItemPerMinute(per_minute)
        self._counts = FixedWindowRateLimiter(MemoryStorage())  # what has ended is forgotten
        self._right: OrderedDict[tuple[str, bytes], None] = OrderedDict()

    def seconds_left(self, address: str, token: bytes) -> int:
        """Return how long a token is not looked at; 0 where it is."""
        house = _house(address)
        if self._counts.test(self._limit, house):
            return 0
        if (house, _digest(token)) in self._right:
            return 0
        ends = self._counts.get_window_stats(self._limit, house).reset_time
        return max(1, math.ceil(ends - time.time()))

    def note(self, address: str, token: bytes, is_right: bool) -> None:
        """Be told whether a token was right."""
        house = _house(address)
        if not is_right:
            self._counts.hit(self._limit, house)
            return
        self._right[house, _digest(token)] = None
        self._right.move_to_end((house, _digest(token)))
        if len(self._right) > _REMEMBERED:
            self._right.popitem(last=False)


def _house(address: str) -> str:
    """Return what one sender has: an IPv4 address, or 64 bits of an IPv6 one."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
