"""What each path asks of a caller, and its name in metrics and logs: one table for all of them."""

from __future__ import annotations

from dataclasses import dataclass

OTHER = "other"
_READS = frozenset({"GET", "HEAD"})


@dataclass(frozen=True)
class Door:
    """What is known of a path before the app sees it.

    Attributes:
        route: the path with ``{id}`` for what callers choose; ``other`` for all unknown ones, so
            that there are few values.
        scope: that a caller needs, None where any will do.
        is_open: whether it is read without a token.
    """

    route: str
    scope: str | None = None
    is_open: bool = False

    def opens_to(self, method: str) -> bool:
        """Return whether a method needs no token here."""
        return self.is_open and method in _READS


_ALONE = {
    door.route: door
    for door in (
        Door("/", is_open=True),
        Door("/docs", is_open=True),
        Door("/healthz", is_open=True),
        Door("/openapi.json", is_open=True),
        Door("/readyz", is_open=True),
        Door("/metrics", "metrics"),
        Door("/v1/feedback", "feedback"),
        Door("/v1/jobs", "predict"),
        Door("/v1/predict", "predict"),
    )
}
_BELOW = {
    "/static/": Door("/static", is_open=True),
    "/v1/jobs/": Door("/v1/jobs/{id}", "predict"),
    "/v1/requests/": Door("/v1/requests/{id}", "admin"),
}
_UNKNOWN = Door(OTHER)


def door_of(path: str) -> Door:
    """Return the door of a path, as the app sees it (decoded, without the query)."""
    alone = _ALONE.get(path)
    if alone is not None:
        return alone
    return next((door for start, door in _BELOW.items() if path.startswith(start)), _UNKNOWN)
