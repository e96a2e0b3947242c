"""Whether what comes in is still like what the versions were measured on."""

from __future__ import annotations

from collections.abc import Sequence

from dash import dcc, html
from dash.development.base_component import Component

from deepfake_lightning.dashboard.charts import drift as charts
from deepfake_lightning.dashboard.charts import scores as score_charts
from deepfake_lightning.dashboard.charts.drawing import mark, span
from deepfake_lightning.dashboard.deployments import marks
from deepfake_lightning.dashboard.pages.absent import no_log
from deepfake_lightning.dashboard.source import Source
from deepfake_lightning.dashboard.view import View
from deepfake_lightning.dashboard.widgets import (
    Part,
    Tone,
    badge,
    banner,
    card,
    chart,
    empty,
    grid,
    table,
    tile,
    tiles,
)
from deepfake_lightning.dashboard.words import NONE, clock, number, percent
from deepfake_lightning.monitoring.drift import DriftRecord, FeatureDrift

UNITS = {
    "score": "log-odds of fake, before calibration",
    "brightness": "brightness, 0 to 255",
    "contrast": "contrast, 0 to 127.5",
    "saturation": "saturation, 0 to 255",
    "sharpness": "sharpness, grey levels squared",
    "noise": "noise, grey levels",
    "blockiness": "blockiness, 1 is none",
    "embedding": "log-odds, of a classifier, to be of the window",
}


def page(source: Source, view: View, who: str) -> list[Component]:
    """Return the page."""
    records = source.drift_windows(view)
    if records is None:
        return [no_log(view)]
    latest = source.latest_drift(view)
    judged = [one for one in records if one.score is not None]
    if not judged and not any(one.score is not None for one in latest):
        return [_nothing(view, [*records, *latest])]
    period = source.period(view)
    figure = span(charts.over_time(judged), period.start_us, period.end_us)
    mark(figure, marks(source, view.env, period))
    says = "; ".join(f"{one.version} {number(one.score)}" for one in latest)
    parts: list[Component] = [
        *(_standing(one) for one in latest),
        card("Drift score", chart(figure, f"Drift score of each window, latest: {says}"),
             note="Over 0.5 exactly where a feature has moved: significantly, and by more than its "
             "limit. Large points: moved; diamonds: two windows in a row, or as many as "
             "drift.yaml asks for, which is what an alert takes.", size="wide"),
    ]  # fmt: skip
    if not judged:
        parts[-1] = card("Drift score", empty(f"No window was judged: {period.says}.",
                         "Choose a longer period above."), size="wide")  # fmt: skip
    for record in latest:
        if record.score is not None:
            parts += _version(source, view, record)
    return parts


def _nothing(view: View, records: Sequence[DriftRecord]) -> Component:
    why = next((one.reasons[0] for one in reversed(records) if one.reasons), "")
    said = f"The last window was not judged: {why}." if why else (
        "Windows of some hundred scored items are compared with the bundle's reference, once a "
        "minute, while this dashboard or `monitor` runs.")  # fmt: skip
    return card(
        "No window has been judged yet",
        empty("Drift is told from windows of production.", said,
              f"deepfake-lightning monitor --check true --env {view.env}"),
        size="wide",
    )  # fmt: skip


def _standing(record: DriftRecord) -> Component:
    tone: Tone = "bad" if record.confirmed else "warn" if record.moved else "good"
    head = "has drifted" if record.confirmed else "may drift" if record.moved else "has not drifted"
    if record.score is None:
        tone, head = "plain", "was not judged"
    said = html.P(html.Strong(f"What {record.version} sees {head}."))
    if not record.reasons:
        return banner(tone, said)
    reasons = [html.Li(one[:1].upper() + one[1:]) for one in record.reasons]
    return banner(tone, said, html.Ul(reasons, className="reasons"))


def _version(source: Source, view: View, record: DriftRecord) -> list[Component]:
    moved = [one for one in record.features if one.moved]
    window = f"{clock(record.start_us)} to {clock(record.end_us)[11:]}"
    ordered = sorted(record.features, key=lambda one: -one.part)
    parts: list[Component] = [
        card(
            f"{record.version}, last window",
            tiles(
                tile("Drift score", number(record.score), "0 to 1"),
                tile("Items", f"{record.items:,}", f"{record.sampled:,} compared"),
                tile("Embedding", number(record.severity), "AUC of a classifier, 0.5 is none"),
                tile("Moved", str(len(moved)), f"of {len(record.features)} features"),
            ),
            _features(ordered),
            *(html.P(note, className="soft") for note in record.notes),
            note=f"{window}, beside {record.reference_items:,} items of the {record.reference}'s "
            "reference.",
            size="wide",
        )
    ]
    shown = [one for one in ordered if one.edges is not None]
    if shown:
        parts.append(grid(*(_feature(source, view, record, one) for one in shown)))
    return parts


def _features(features: Sequence[FeatureDrift]) -> Component:
    rows = [
        [one.feature, _bar(one.part), number(one.effect), number(one.limit), _chance(one.p_holm),
         _quantile(one), badge("moved", "bad") if one.moved else badge("not moved")]
        for one in features
    ]  # fmt: skip
    heads = ["feature", "part of the score", "effect", "limit", "p (Holm)", "quantile", ""]
    return table(
        heads, rows, caption="features by their part of the drift score", numbers={2, 3, 4}
    )


def _bar(part: float) -> Component:
    meter = html.Span(
        html.Span(style={"width": f"{100 * part:.0f}%"}, className="hot" if part > 0.5 else ""),
        className="meter",
    )
    return html.Span([meter, html.Span(number(part))], className="with-meter")


def _chance(p: float | None) -> str:
    return NONE if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _quantile(one: FeatureDrift) -> str:
    if one.before is None or one.after is None or one.quantile is None:
        return NONE
    return f"{percent(one.quantile, 0)}: {one.before:.3g} to {one.after:.3g}"


def _feature(source: Source, view: View, record: DriftRecord, one: FeatureDrift) -> Component:
    says = (f"{one.feature} in the window beside the reference: effect {one.effect:.2f}, limit "
            f"{one.limit:.2f}, {'moved' if one.moved else 'not moved'}")  # fmt: skip
    parts: list[Part] = [
        chart(score_charts.feature(one, UNITS.get(one.feature, one.feature)), says)
    ]
    if one.moved and view.feature != one.feature:
        way = view.with_(feature=one.feature).href
        parts.append(dcc.Link("Show the requests that stand out most", href=way))
    elif one.moved:
        ids = source.examples(record, one.feature)
        found = [html.Li(html.Code(each, className="id")) for each in ids]
        shown = html.Ul(found, className="ids") if found else html.P("None is in the log any more.")
        parts += [html.P("Requests that stand out most:", className="soft"), shown]
    return card(one.feature, *parts, tone="bad" if one.moved else "plain")
