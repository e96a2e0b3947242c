"""Does a heat map show what the network learnt, or what any network would show of the picture?

Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018, section 3 (cascading
randomisation): the weights are made random from the classifier downwards. A map that stays as it
was shows the picture and not the detector.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from deepfake_lightning.evaluation.explanation.heat import HeatMaps

Floats = NDArray[np.float32]
STAGES = ("the classifier", "and the last third", "and the middle third", "all weights")


@dataclass(frozen=True)
class Randomised:
    """How alike maps are to those of the network with shuffled weights.

    Attributes:
        shuffled: what of the network.
        correlation: Spearman's, of the fields of a map, the mean over the faces, [-1, 1]; None
            where it is undefined for all of them.
        strength: the mean of its absolute values, [0, 1]: a map turned upside down is as much the
            picture's as the same one, and opposite signs do not cancel.
    """

    shuffled: str
    correlation: float | None
    strength: float | None

    @classmethod
    def of(cls, shuffled: str, correlations: Sequence[float | None]) -> Randomised:
        """Return what the correlations of some faces, None where undefined, come to."""
        known = [one for one in correlations if one is not None]
        if not known:
            return cls(shuffled, None, None)
        return cls(shuffled, float(np.mean(known)), float(np.mean(np.abs(known))))


def cascade(
    heat: HeatMaps,
    inputs: Floats,
    maps: Floats,
    *,
    seed: int = 0,
    done: Callable[[], None] = lambda: None,
) -> tuple[Randomised, ...]:
    """Shuffle the network's weights from the classifier downwards, and hold the maps against it.

    Each tensor's weights are shuffled among themselves, which leaves their distribution. The
    running means and variances of batch normalisation stay as they were learnt.

    Args:
        heat: of the network, which stays as it is.
        inputs: of the faces, float32 [N, 3, S, S].
        maps: of the faces, float32 [N, G, G].
        seed: of the shuffling.
        done: called after each stage.
    """
    network = copy.deepcopy(heat.network)
    generator = torch.Generator().manual_seed(seed)
    head, body = list(network.head.parameters()), list(network.backbone.parameters())[::-1]
    third = -(-len(body) // 3)
    parts = [head, body[:third], body[third : 2 * third], body[2 * third :]]
    found = []
    for name, tensors in zip(STAGES, parts, strict=True):
        for tensor in tensors:
            _shuffle(tensor, generator)
        others = heat.maps_of(network, inputs)
        alike = [rank_correlation(a, b) for a, b in zip(maps, others, strict=True)]
        found.append(Randomised.of(name, alike))
        done()
    return tuple(found)


@torch.no_grad()
def _shuffle(tensor: nn.Parameter, generator: torch.Generator) -> None:
    order = torch.randperm(tensor.numel(), generator=generator)
    tensor.copy_(tensor.flatten()[order].reshape(tensor.shape))


def rank_correlation(a: Floats, b: Floats) -> float | None:
    """Return Spearman's correlation of two maps, in [-1, 1]; None where one is constant."""
    from scipy.stats import spearmanr

    if np.ptp(a) == 0 or np.ptp(b) == 0 or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return None
    return float(spearmanr(a.ravel(), b.ravel()).statistic)
