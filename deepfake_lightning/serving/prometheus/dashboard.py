"""Grafana's dashboard of a server, as JSON: the classic model, which all of its versions take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from deepfake_lightning.serving.prometheus.panels import ROWS, Panel, Row

UID, TITLE = "deepfake-lightning", "deepfake-lightning"
_SCHEMA = 38  # of Grafana 10; newer ones bring it up to theirs
_WIDTH = 24
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_INSTANCE = 'instance=~"$instance"'
_SPAN = "$__rate_interval"


def dashboard() -> dict[str, Any]:
    """Return the dashboard, in plain JSON types.

    It asks for a data source, and can be narrowed to some servers by the variable ``instance``.
    """
    return {
        "uid": UID,
        "title": TITLE,
        "tags": ["deepfake-lightning"],
        "schemaVersion": _SCHEMA,
        "editable": True,
        "graphTooltip": 1,  # one cross-hair over all panels
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": []},
        "templating": {"list": _variables()},
        "panels": list(_numbered()),
    }


def _variables() -> list[dict[str, Any]]:
    return [
        {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
        {
            "name": "instance",
            "label": "Server",
            "type": "query",
            "datasource": _SOURCE,
            "query": "label_values(deepfake_build_info, instance)",
            "refresh": 2,  # whenever the time changes
            "includeAll": True,
            "multi": True,
            "allValue": ".*",
            "current": {"text": ["All"], "value": ["$__all"]},
            "sort": 1,
        },
    ]


def _numbered() -> Iterator[dict[str, Any]]:
    top, number = 0, 1
    for row in ROWS:
        for made in _row(row, top):
            yield {"id": number, **made}
            number += 1
            top = made["gridPos"]["y"] + made["gridPos"]["h"]


def _row(row: Row, top: int) -> Iterator[dict[str, Any]]:
    """Give a heading, and the panels below it: small ones in one line, others in pairs."""
    place = {"x": 0, "y": top, "w": _WIDTH, "h": 1}
    yield {"type": "row", "title": row.title, "collapsed": False, "gridPos": place, "panels": []}
    in_line = len(row.panels) if row.panels[0].kind == "stat" else 2
    for index, panel in enumerate(row.panels):
        line, column = divmod(index, in_line)
        left, right = (_WIDTH * at // in_line for at in (column, column + 1))
        place = {
            "x": left, "y": top + 1 + line * row.height, "w": right - left, "h": row.height,
        }  # fmt: skip
        yield {**_panel(panel), "gridPos": place}


def _panel(panel: Panel) -> dict[str, Any]:
    is_table = panel.kind == "table"
    stacking = {"stacking": {"mode": "normal"}, "fillOpacity": 20} if panel.stacked else {}
    return {
        "type": panel.kind,
        "title": panel.title,
        "datasource": _SOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, "custom": stacking}, "overrides": []},
        "targets": [
            {
                "refId": chr(ord("A") + place),
                "datasource": _SOURCE,
                "expr": _filled(query.expr),
                "legendFormat": query.legend or "__auto",
                "instant": panel.kind != "timeseries",
                "range": panel.kind == "timeseries",
                "format": "table" if is_table else "time_series",
            }
            for place, query in enumerate(panel.queries)
        ],
    }


def _filled(expr: str) -> str:
    return expr.replace("INSTANCE", _INSTANCE).replace("[R]", f"[{_SPAN}]")
