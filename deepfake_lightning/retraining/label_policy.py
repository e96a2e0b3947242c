"""Which labels may train a detector."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class LabelPolicy(BaseModel):
    """What is too much of contradiction (:mod:`~deepfake_lightning.retraining.label_checks`).

    Attributes:
        least: clear labels of a client before it is judged at all.
        clear: probability from which on a prediction is clear, either way.
        honest_errors: share of labels that an honest client may get wrong beyond the others.
        effect: contradictions beyond what is expected of the others, as a share, before labels
            are held.
        alpha: chance that any honest client's labels are held, in one check.
        unchecked: what becomes of labels that nothing can be held against: of the only client,
            without reviews; of one with fewer than ``least`` clear labels of requests that the same
            detector answered, whatever is known of it by others; of items without features.
            Imports are a client of whoever imports, and treated alike. ``hold``: they wait for
            reviews; who wants them to train without one says ``train``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    least: Annotated[int, Field(ge=5)] = 20
    clear: Annotated[float, Field(gt=0.5, lt=1)] = 0.7
    honest_errors: Annotated[float, Field(ge=0, lt=0.5)] = 0.1
    effect: Annotated[float, Field(gt=0, lt=1)] = 0.2
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.01
    unchecked: Literal["train", "hold"] = "hold"
