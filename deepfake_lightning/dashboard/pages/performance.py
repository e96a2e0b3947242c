"""How good the versions are: on audited labels, beside what they were measured to be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from dash import dcc, html
from dash.development.base_component import Component

from deepfake_lightning.dashboard.charts import quality as charts
from deepfake_lightning.dashboard.deployments import own_figures
from deepfake_lightning.dashboard.pages.absent import no_log
from deepfake_lightning.dashboard.source import Source
from deepfake_lightning.dashboard.view import View
from deepfake_lightning.dashboard.widgets import card, chart, empty, table
from deepfake_lightning.dashboard.words import NONE, long, percent
from deepfake_lightning.monitoring.windows import AuditedQuality, Estimate
from deepfake_lightning.schemas.calibration import MediaType
from deepfake_lightning.schemas.measured import MeasuredValue

_ROWS = ("balanced_accuracy", "accuracy", "precision", "recall", "fpr", "f1", "auroc")


def page(source: Source, view: View, who: str) -> list[Component]:
    """Return the page."""
    found = source.audited(view)
    if found is None:
        return [no_log(view)]
    by_name = {_name(one): one for one in found.values() if one.drawn}
    if not any(one.labels for one in by_name.values()):
        return [_nothing(view, sum(one.drawn for one in by_name.values()))]
    media = cast(MediaType, view.media or "image")
    own = {name: own_figures(source, one.version, media) for name, one in by_name.items()}
    says = "; ".join(f"{name}: balanced accuracy {_estimate(one.balanced_accuracy)}"
                     for name, one in by_name.items())  # fmt: skip
    parts = [
        card("On audited labels", chart(charts.intervals(by_name, own), says), size="wide",
             note="A random sample of the traffic, labelled by reviewers and weighted back to all "
             "of it. Grey: what the version was measured to be before it served."),
        _coverage(by_name, view),
    ]  # fmt: skip
    return parts + [_version(name, one, own[name]) for name, one in by_name.items() if one.labels]


def _name(one: AuditedQuality) -> str:
    return one.version if one.variant == "serving" else f"{one.version} shadow"


def _nothing(view: View, drawn: int) -> Component:
    way = dcc.Link("Review them here", href=view.with_(page="review").href)
    if drawn:
        said = f"{drawn:,} requests of this period were drawn for review, and nobody has said yet "
        return card("No audited labels yet", html.P([said, "what they were. ", way]),
                    html.P("How good a detector is in production is known from labels alone.",
                           className="soft"), size="wide")  # fmt: skip
    return card(
        "No audited labels yet",
        empty("No request of this period was drawn for review.",
              "A random sample of the traffic is drawn while a server runs; with little traffic "
              "draw more: rate in monitoring/policy/review.yaml of the workspace.",
              "deepfake-lightning feedback list"),
        size="wide",
    )  # fmt: skip


def _coverage(by_name: dict[str, AuditedQuality], view: View) -> Component:
    heads = ["version", "drawn", "labelled", "coverage", "fakes", "delay, median", "delay, 90 %",
             "disagree", "undecided", "tell as much as"]  # fmt: skip
    rows = [
        [name, f"{one.drawn:,}", f"{one.labels:,}", percent(one.coverage), f"{one.fakes:,}",
         long(one.delay_median_s), long(one.delay_p90_s), f"{one.disagreements:,}",
         f"{one.undecided:,}", f"{one.effective:,.0f} random ones"]
        for name, one in by_name.items()
    ]  # fmt: skip
    return card(
        "Labels", table(heads, rows, caption="labels by version", numbers=set(range(1, 9))),
        note="Low coverage may bias every figure here: those without a label may be the hard ones.",
        size="wide",
    )  # fmt: skip


def _version(name: str, found: AuditedQuality, own: Mapping[str, MeasuredValue]) -> Component:
    rows: list[list[Any]] = []
    for metric in _ROWS:
        now: Estimate | None = getattr(found, metric)
        rows.append([charts.METRICS[metric], _estimate(now), _own(own.get(metric))])
    heads = ["", "now (95 % interval)", "when it was measured"]
    share = found.prevalence
    extra = ""
    if share is not None:
        between = f"{percent(share.low)} to {percent(share.high)}"
        extra = f" {percent(share.value)} ({between}) of the traffic is fake."
    return card(
        name, table(heads, rows, caption=f"quality of {name}"),
        note=f"{found.labels:,} labels.{extra} Precision and accuracy depend on that share; "
        "balanced accuracy, recall and false alarms do not.",
    )  # fmt: skip


def _estimate(one: Estimate | None) -> str:
    return "undefined" if one is None else f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"


def _own(one: MeasuredValue | None) -> str:
    if one is None or one.value is None:
        return NONE
    if one.low is None or one.high is None:
        return f"{one.value:.3f}"
    return f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"
