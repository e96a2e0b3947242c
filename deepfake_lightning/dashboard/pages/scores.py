"""How sure the versions are."""

from __future__ import annotations

from typing import cast

from dash.development.base_component import Component

from deepfake_lightning.dashboard.charts import scores as charts
from deepfake_lightning.dashboard.deployments import ScoreReference, score_reference
from deepfake_lightning.dashboard.pages.absent import no_log, no_traffic
from deepfake_lightning.dashboard.source import Source
from deepfake_lightning.dashboard.view import View
from deepfake_lightning.dashboard.widgets import card, chart, grid, table
from deepfake_lightning.dashboard.words import NONE, VERDICTS, percent, version_name
from deepfake_lightning.monitoring.log.records import Variant
from deepfake_lightning.monitoring.windows import Figures, Window
from deepfake_lightning.schemas.calibration import MediaType


def page(source: Source, view: View, who: str) -> list[Component]:
    """Return the page."""
    window = source.window(view)
    if window is None:
        return [no_log(view)]
    scored = {key: one for key, one in window.by_version.items() if sum(one.scores)}
    if not scored:
        return [no_traffic(view, window, source.clock())]
    media = cast(MediaType, view.media or _commonest(window))
    parts = [_all(scored, window)]
    cards = [
        _version(_name(key), one, score_reference(source, key[0], media), list(map(_name, scored)))
        for key, one in scored.items()
    ]
    return [*parts, grid(*cards)]


def _commonest(window: Window) -> str:
    known = {name: one.items for name, one in window.by_media.items() if name in ("image", "video")}
    return max(known, key=lambda name: known[name], default="image")


def _name(key: tuple[str, Variant]) -> str:
    return version_name(key[0]) + (" shadow" if key[1] == "shadow" else "")


def _version(
    name: str, found: Figures, reference: ScoreReference | None, among: list[str]
) -> Component:
    note = "Its bundle has no reference here."
    if reference is not None:
        fakes = percent(reference.fakes / reference.items if reference.items else None, 0)
        note = (f"Grey: {reference.items:,} items of the {reference.split} split, {fakes} of them "
                "fake. Dashed: where the verdicts begin.")  # fmt: skip
    figure = charts.distribution({name: found.scores}, reference, among=among)
    says = f"Scores of {sum(found.scores):,} items of {name}"
    return card(name, chart(figure, says), note=note)


def _all(scored: dict[tuple[str, Variant], Figures], window: Window) -> Component:
    heads = ["version", "items", *VERDICTS.values(), "score below 0.12", "above 0.88"]
    rows = [
        [_name(key), f"{one.items:,}",
         *(percent(one.verdicts.get(name)) if one.verdicts else NONE for name in VERDICTS),
         percent(_share(one.scores, below=True)), percent(_share(one.scores, below=False))]
        for key, one in scored.items()
    ]  # fmt: skip
    return card(
        "Verdicts and scores",
        table(heads, rows, caption="verdicts and scores by version", numbers=set(range(1, 8))),
        note=f"{window.period.says.capitalize()}.", size="wide",
    )  # fmt: skip


def _share(scores: tuple[int, ...], *, below: bool) -> float | None:
    """Return the share of items beyond log-odds of -2 or 2 (0.12 and 0.88), to the bucket."""
    total = sum(scores)
    at = len(scores) // 5 * 2
    part = scores[:at] if below else scores[-at:]
    return sum(part) / total if total else None
