"""A sweep as one self-contained HTML page."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from html import escape

from deepfake_lightning.pages import html_page, html_table
from deepfake_lightning.tuning.record import SweepResult
from deepfake_lightning.tuning.space import Value
from deepfake_lightning.tuning.words import (
    OPTIMISTIC,
    against_default,
    counted,
    importance,
    rows,
    shown,
)

_STYLE = "<style>img{width:100%;height:auto;background:#fff;margin:.5rem 0}</style>"
_CAPTIONS = {
    "history.png": "How it went",
    "importance.png": "What mattered",
    "parallel.png": "Trials and their values",
}


def sweep_page(result: SweepResult, pictures: Mapping[str, bytes]) -> str:
    """Return the page: HTML with its style and pictures inside, and nothing fetched.

    Args:
        result: what is shown.
        pictures: name of the file -> PNG.
    """
    facts = (
        f"{counted(result)}. Objective {result.objective}, {result.direction}d; base {result.base}."
    )
    body = [_STYLE, *_best(result), *_pictures(pictures), *_trials(result), *_method(result)]
    return html_page("Sweep", result.study, facts, body)


def _best(result: SweepResult) -> Iterable[str]:
    yield "<h2>Best</h2>"
    yield f'<div class="finding note"><p>{escape(against_default(result))}.</p></div>'
    yield f'<div class="finding warning"><p>{escape(OPTIMISTIC)}</p></div>'
    if result.best is not None:
        keys = sorted(result.best.values)
        default = result.default.values if result.default else {}
        table = [[key, *(_cell(held, key) for held in (result.best.values, default))]
                 for key in keys]  # fmt: skip
        yield html_table(["key", "best", "base"], table, numbers=(1, 2))


def _cell(values: Mapping[str, Value], key: str) -> str:
    return shown(values[key]) if key in values else ""


def _pictures(pictures: Mapping[str, bytes]) -> Iterable[str]:
    for name, data in pictures.items():
        caption = escape(_CAPTIONS.get(name, name))
        yield f"<h2>{caption}</h2>"
        source = f"data:image/png;base64,{b64encode(data).decode('ascii')}"
        yield f'<img alt="{caption}" src="{source}">'


def _trials(result: SweepResult) -> Iterable[str]:
    yield "<h2>Trials</h2>"
    keys = sorted({key for one in result.trials for key in one.values})
    first = result.ranked
    others = [one for one in result.trials if one not in first]
    heads = ["trial", "state", result.objective, "time", *keys]
    yield html_table(heads, rows([*first, *others], keys), numbers=(0, 2, 3))
    told = [one for one in result.trials if one.reason and one.state in ("failed", "interrupted")]
    if told:
        yield "<ul>"
        for one in told:
            yield f"<li>trial {one.number}, {one.state}: {escape(one.reason)}</li>"
        yield "</ul>"


def _method(result: SweepResult) -> Iterable[str]:
    yield "<h2>Method</h2>"
    for text in (
        f"Values are proposed by a tree-structured Parzen estimator (Optuna). A trial's value is "
        f"{result.objective} at its best epoch, on the validation split, which is the same for "
        "all; a pruned trial has that of its last epoch, and cannot be the best.",
        f"{importance(result)[:1].upper()}{importance(result)[1:]}.".replace("..", "."),
        "Each training has one seed. Differences of the size that another seed makes say nothing.",
    ):
        yield f'<p class="soft">{escape(text)}</p>'
