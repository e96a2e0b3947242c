"""What is asked of a measurement of robustness."""

from __future__ import annotations

from dataclasses import dataclass

from deepfake_lightning.errors import UsageError


@dataclass(frozen=True)
class Plan:
    """What is degraded.

    Attributes:
        items: how many, at most.
        seed: of the drawing and of what degradations draw.
        pictures: keep the faces of one example; those of a drawn one are kept in any case.

    Raises:
        UsageError: no item would be degraded.
    """

    items: int = 300
    seed: int = 0
    pictures: bool = False

    def __post_init__(self) -> None:
        if self.items < 1:
            raise UsageError(
                f"--robustness_items {self.items} degrades nothing",
                next_step="pass 1 or more, 300 say",
            )
