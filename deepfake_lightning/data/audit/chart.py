"""AUC of each statistic with its interval, as inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from deepfake_lightning.data.audit.findings import FeatureResult

_WIDTH, _LEFT, _RIGHT, _ROW, _TOP = 440, 122, 52, 22, 26  # its words can be read on a phone
_MOST = 25
_TICKS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def auc_chart(results: Sequence[FeatureResult]) -> str:
    """Return a bar for each result from chance to its AUC, with the interval over it.

    The axis runs from 0.4 (no statistic is worse than chance but by accident) to 1.
    """
    shown = list(results)[:_MOST]
    height = _TOP + _ROW * len(shown) + 6
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" '
        'aria-label="AUC of each statistic with its interval" font-size="12">'
    ]
    for tick in _TICKS:
        x = _at(tick)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 6}" y2="{height - 4}" '
            f'stroke="var(--line)"/><text x="{x:.1f}" y="{_TOP - 11}" fill="var(--soft)" '
            f'text-anchor="middle">{tick:.1f}</text>'
        )
    for number, one in enumerate(shown):
        parts.append(_bar(one, _TOP + _ROW * number))
    return "".join([*parts, "</svg>"])


def _bar(one: FeatureResult, top: float) -> str:
    start, end = sorted((_at(0.5), _at(one.auc)))
    middle = top + _ROW / 2
    colour = "var(--hot)" if one.gives_away else "var(--bar)"
    low, high = _at(one.low), _at(one.high)
    return (
        f'<text x="{_LEFT - 8}" y="{middle + 4:.1f}" text-anchor="end" fill="var(--ink)">'
        f"{escape(one.name)}</text>"
        f'<rect x="{start:.1f}" y="{top + 5:.1f}" width="{max(end - start, 1):.1f}" '
        f'height="{_ROW - 10}" fill="{colour}" fill-opacity=".75"/>'
        f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{middle:.1f}" y2="{middle:.1f}" '
        'stroke="var(--ink)" stroke-width="1.5"/>'
        + "".join(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{middle - 3:.1f}" y2="{middle + 3:.1f}" '
            'stroke="var(--ink)" stroke-width="1.5"/>'
            for x in (low, high)
        )
        + f'<text x="{_WIDTH - _RIGHT + 12}" y="{middle + 4:.1f}" fill="var(--soft)">'
        f"{one.auc:.3f}</text>"
    )


def _at(auc: float) -> float:
    scale = (max(auc, 0.4) - 0.4) / 0.6
    return _LEFT + scale * (_WIDTH - _LEFT - _RIGHT)
