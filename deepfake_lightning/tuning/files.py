"""The files of a sweep: the best values as a configuration, the record, pictures, a page."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import yaml
from matplotlib.figure import Figure

from deepfake_lightning.storage import atomic_write, write_json
from deepfake_lightning.tuning.figures import history_figure, importance_figure
from deepfake_lightning.tuning.page import sweep_page
from deepfake_lightning.tuning.parallel import parallel_figure
from deepfake_lightning.tuning.record import SweepResult
from deepfake_lightning.tuning.space import nested
from deepfake_lightning.tuning.sweep import Sweep

OVERLAY, RECORD, PAGE = "best.yaml", "study.json", "report.html"
_DPI = 150


def write_results(result: SweepResult, sweep: Sweep) -> None:
    """Write all of them into the study's folder; each is whole, or as it was before."""
    pictures = {name: _png(figure) for name, figure in _figures(result).items()}
    for name, data in pictures.items():
        with atomic_write(result.folder / name) as file:
            file.write(data)
    if result.best is not None:
        with atomic_write(result.folder / OVERLAY, "w") as file:
            file.write(overlay(result, sweep))
    write_json(result.folder / RECORD, result.to_dict())
    with atomic_write(result.folder / PAGE, "w") as file:
        file.write(sweep_page(result, pictures))


def overlay(result: SweepResult, sweep: Sweep) -> str:
    """Return the best values as a configuration to lay over the base.

    Overrides of the trainer are left out: they made trials short.
    """
    best = result.best
    assert best is not None
    kept = {k: v for k, v in sweep.overrides.items() if not k.startswith("trainer.")}
    content: dict[str, Any] = nested({**kept, **best.values})
    return (
        f"# The best of the study {result.study} (trial {best.number}): {result.objective} "
        f"{best.value:.4f}, on validation.\n"
        f"# deepfake-lightning fit --config {result.base} --config {result.folder / OVERLAY}\n"
        f"{yaml.safe_dump(content, sort_keys=True)}"
    )


def _figures(result: SweepResult) -> dict[str, Figure]:
    drawn: dict[str, Figure | None] = {
        "history.png": history_figure(result),
        "importance.png": importance_figure(result),
        "parallel.png": parallel_figure(result),
    }
    return {name: figure for name, figure in drawn.items() if figure is not None}


def _png(figure: Figure) -> bytes:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=_DPI)
    return buffer.getvalue()
