"""What is looked at: a page, an environment, a version, a period; all of it in the address."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

PAGES = {
    "overview": "Overview",
    "performance": "Performance",
    "traffic": "Traffic",
    "scores": "Scores",
    "drift": "Drift",
    "alerts": "Alerts",
    "versions": "Versions",
    "review": "Review",
}
PERIODS = ("5m", "1h", "6h", "24h", "7d", "30d")
_USUAL = {"performance": "7d", "drift": "24h", "alerts": "7d"}
_ELSE = "1h"
_FILTERS = ("env", "version", "period", "media", "feature")
_LONGEST = 100  # of a value; it is shown, and asked the log for


@dataclass(frozen=True)
class View:
    """What is looked at.

    Attributes:
        page: one of ``PAGES``; another one is not there.
        env: environment; whether there is one of that name is not known here.
        version: None for all.
        period: as :func:`~deepfake_lightning.monitoring.windows.parse_period` reads it; None for
            what the page shows where nothing was chosen.
        media: ``image`` or ``video``, None for all.
        feature: of drift, whose examples are shown; None for none.
    """

    page: str = "overview"
    env: str = "production"
    version: str | None = None
    period: str | None = None
    media: str | None = None
    feature: str | None = None

    def with_(self, **changes: Any) -> View:
        """Return another view, which differs in something."""
        return replace(self, **changes)

    @property
    def asked(self) -> str:
        """The period: labels come late, and drift is told from windows; the rest is of now."""
        return self.period or _USUAL.get(self.page, _ELSE)

    @property
    def href(self) -> str:
        """The address, without what is as it is by default."""
        given, usual = asdict(self), asdict(View())
        query = {name: given[name] for name in _FILTERS
                 if given[name] is not None and given[name] != usual[name]}  # fmt: skip
        path = "/" if self.page == "overview" else f"/{self.page}"
        return f"{path}?{urlencode(query)}" if query else path


def view_of(path: str | None, query: str | None, *, env: str = "production") -> View:
    """Return what an address asks for; what makes no sense in it is as it is by default.

    Args:
        path: of the address.
        query: of the address, with its question mark or without.
        env: environment where it names none.
    """
    page = (path or "/").strip("/") or "overview"
    found = dict(parse_qsl((query or "").removeprefix("?"), max_num_fields=20))
    kept = {name: found[name] for name in _FILTERS
            if name in found and len(found[name]) <= _LONGEST}  # fmt: skip
    if kept.get("media") not in (None, "image", "video"):
        del kept["media"]
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", kept.get("env", env)):
        del kept["env"]
    return View(**{"env": env, **kept, "page": page})
