"""Scores of an epoch, gathered over processes and counted once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.data import dim_zero_cat

from deepfake_lightning.schemas import STATUSES, Batch

_KEYS = ("row", "track", "frame")
_FIELDS = (*_KEYS, "label", "logit")
_LOST = ("lost_row", "lost_status")


@dataclass(frozen=True)
class Scores:
    """Scored pictures as arrays of one length N, ordered by row, track and frame.

    Attributes:
        row, track, frame, label: int64 [N], as in :class:`~deepfake_lightning.schemas.Batch`.
        logit: float64 [N]; z_fake - z_real, natural log-odds.
        lost: manifest row -> status, of items that gave no picture to score.
    """

    row: NDArray[np.int64]
    track: NDArray[np.int64]
    frame: NDArray[np.int64]
    label: NDArray[np.int64]
    logit: NDArray[np.float64]
    lost: dict[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.row)

    def labelled(self) -> Scores:
        """Return those with a known label."""
        return self.select(self.label >= 0)

    def select(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Scores:
        """Return those that a mask or positions choose."""
        columns = {name: getattr(self, name)[chosen] for name in _FIELDS}
        return Scores(**columns, lost=self.lost)


class ScoreTable(Metric):
    """Collects scores batch by batch; ``compute`` gives all of an epoch.

    Under DDP torchmetrics gathers what the processes hold, also of unequal lengths. The
    distributed sampler repeats samples so that every process has as many; with ``unique``
    a picture counts once, told by row, track and frame.

    Args:
        unique: drop repetitions. Off for training, where a sampler may repeat on purpose.
    """

    full_state_update = False
    row: list[Tensor]
    track: list[Tensor]
    frame: list[Tensor]
    label: list[Tensor]
    logit: list[Tensor]
    lost_row: list[Tensor]
    lost_status: list[Tensor]

    def __init__(self, unique: bool = True) -> None:
        super().__init__()
        self.unique = unique
        for name in (*_FIELDS, *_LOST):
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, batch: Batch, logits: Tensor) -> None:
        """Add a batch and its network output, float [B, 2]."""
        self.row.append(batch["row"])
        self.track.append(batch["track"])
        self.frame.append(batch["frame"])
        self.label.append(batch["label"])
        wide = logits.detach().float()  # a difference of bfloat16 would lose digits
        self.logit.append(wide[:, 1] - wide[:, 0])
        lost = batch.get("lost")
        if lost is None:
            lost = torch.zeros(0, 2, dtype=torch.int64, device=logits.device)
        self.lost_row.append(lost[:, 0])
        self.lost_status.append(lost[:, 1])

    def compute(self) -> dict[str, Tensor]:
        """Return the columns of all processes' scores, in the order of arrival."""
        return {name: dim_zero_cat(getattr(self, name)) for name in (*_FIELDS, *_LOST)}

    def scores(self) -> Scores:
        """Return the scores of all processes, ordered and, with ``unique``, counted once."""
        if not self.row:  # gathered from processes that have some, so the types must agree
            none = torch.zeros(0, dtype=torch.int64, device=self.device)
            self.update(
                {"image": none, "label": none, "row": none, "track": none, "frame": none},
                torch.zeros(0, 2, device=self.device),
            )
        # torchmetrics makes a scalar of a column with one element.
        columns = {
            name: column.reshape(-1).cpu().numpy() for name, column in self.compute().items()
        }
        scores = Scores(
            row=columns["row"],
            track=columns["track"],
            frame=columns["frame"],
            label=columns["label"],
            logit=columns["logit"].astype(np.float64),
            lost={
                int(row): STATUSES[status]
                for row, status in zip(columns["lost_row"], columns["lost_status"], strict=True)
            },
        )
        scores = scores.select(np.lexsort([scores.frame, scores.track, scores.row]))
        if not self.unique or not len(scores):
            return scores
        keys = np.stack([scores.row, scores.track, scores.frame], axis=1)
        return scores.select(np.append(True, (keys[1:] != keys[:-1]).any(axis=1)))
