"""How much of what is bounded one caller may have: others need room, too."""

from __future__ import annotations

_FREE_SHARE = 3  # places that a caller may hold for each that is free


def leaves_room(held: int, free: int) -> bool:
    """Return whether one who holds so many places may have another one, for others' sake.

    A caller may hold three times as many as are free (a dynamic threshold, as switches share
    their buffers: Choudhury & Hahne 1998): three quarters of four or more alone, three sevenths
    each of two. So there is a place for one who comes later, however many others hold.
    """
    return free > 0 and held < _FREE_SHARE * free
