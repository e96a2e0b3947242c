"""Do the heat maps of a detector lie where a face was altered, and on what moves its score?

Two questions, on the test split of a folder of real and fake face crops with ``index.csv``
(``path``, ``label``, ``split``):

- **overlap**: real faces are altered by self-blending, of which the mask is known. Does the
  highest field of the map lie in the mask (pointing game), how much of the map's positive values
  does (energy), and how well do the highest pixels cover it (intersection over union)? Beside it a
  Gaussian in the middle of the picture, which knows of faces that they are in the middle, and the
  mask's share of the picture, which a map without any knowledge gets. Also of those faces alone
  whose logit the blending raised by 1 or more: a map cannot point at what a network did not notice;
- **faithfulness**: deletion and insertion on fakes that the detector finds (score above 0.5).

Intervals are 95 % bootstrap intervals over groups (``group`` of the index: pictures of one person
or clip say much the same), and over pictures where the index names none::

    python scripts/bench/explanation.py --data FOLDER --bundle mlops/registry/models/v1.0.0
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
from common import print_json, print_table
from numpy.typing import NDArray

from deepfake_lightning.data.blending import FacePlace, SelfBlender
from deepfake_lightning.evaluation.explanation.curves import (
    Faithfulness,
    centre_gaussian,
    faithfulness,
)
from deepfake_lightning.evaluation.explanation.explain import Explainer
from deepfake_lightning.evaluation.explanation.heat import Method
from deepfake_lightning.evaluation.explanation.opening import open_explainer
from deepfake_lightning.evaluation.explanation.overlap import Overlap, overlap
from deepfake_lightning.inference import EngineSource
from deepfake_lightning.media import read_image, resize, to_input
from deepfake_lightning.metrics import auroc, sigmoid

METHODS: tuple[Method, ...] = ("gradcam", "occlusion")
NOTICED = 1.0
"""By how much blending has to raise a logit."""
SELECTED = ", selected by the logit's rise"
Floats = NDArray[np.float32]
Groups = NDArray[np.int64]


def pictures(
    data: Path, label: int, number: int, seed: int
) -> tuple[list[NDArray[np.uint8]], Groups]:
    """Return pictures of the test split, uint8 [H, W, 3], drawn at random, and their groups."""
    rows = pd.read_csv(data / "index.csv").query(f"split == 'test' and label == {label}")
    drawn = rows.sample(min(number, len(rows)), random_state=seed)
    named = drawn["group" if "group" in drawn else "path"]
    names = named.fillna(drawn["path"]).astype(str)
    return [read_image(data / path) for path in drawn["path"]], pd.factorize(names)[0]


def blended(
    faces: Sequence[NDArray[np.uint8]], explainer: Explainer, seed: int, margin: float
) -> tuple[Floats, Floats, NDArray[np.bool_], NDArray[np.int64]]:
    """Return real and blended inputs, float32 [N, 3, S, S], masks, bool [N, S, S], and of which."""
    blender, place = SelfBlender(), FacePlace.usual(margin)
    preprocess = explainer.engine.preprocess
    made = []
    for number, face in enumerate(faces):
        pair = blender.pair(face, place, np.random.default_rng([seed, number]))
        size = (preprocess.size, preprocess.size)
        mask = cv2.resize(pair.mask, size, interpolation=cv2.INTER_AREA)
        if mask.max() > 0:
            real, fake = (to_input(resize(one, preprocess), preprocess) for one in pair[:2])
            made.append((real, fake, mask > mask.max() / 2, number))
    if not made:
        raise SystemExit("no face could be blended: are there real ones in the test split?")
    reals, fakes, masks, numbers = zip(*made, strict=True)
    return np.stack(reals), np.stack(fakes), np.stack(masks), np.array(numbers)


def mean(
    values: Sequence[float | None], groups: Groups, seed: int = 0
) -> tuple[float, float, float]:
    """Return the mean of what is defined, and the ends of its interval, drawn by group."""
    pairs = zip(values, groups.tolist(), strict=True)
    known, of = zip(*((value, group) for value, group in pairs if value is not None), strict=True)
    codes = np.unique(of, return_inverse=True)[1]
    sums, counts = np.bincount(codes, known), np.bincount(codes)
    draws = np.random.default_rng(seed).integers(len(sums), size=(2000, len(sums)))
    means = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(np.mean(known)), float(low), float(high)


def shown(values: Sequence[float | None], groups: Groups) -> str:
    """Return ``0.42 (0.38-0.46)``."""
    if not any(value is not None for value in values):
        return "undefined"
    middle, low, high = mean(values, groups)
    return f"{middle:.3f} ({low:.3f}-{high:.3f})"


def overlaps(explainer: Explainer, fakes: Floats, masks: NDArray[np.bool_]) -> list[Overlap]:
    """Return how each blended face's map lies on its mask."""
    return [
        overlap(explainer.heat.maps(fake[None])[0], mask)
        for fake, mask in zip(fakes, masks, strict=True)
    ]


def overlap_rows(name: str, found: Sequence[Overlap], groups: Groups) -> list[str]:
    """Return a row of the table."""
    return [name, str(len(found)), shown([float(one.hit) for one in found], groups),
            shown([one.energy for one in found], groups),
            shown([one.iou for one in found], groups)]  # fmt: skip


def checked(explainer: Explainer, fakes: Floats, seed: int) -> list[tuple[Faithfulness, ...]]:
    """Return deletion and insertion of each face."""

    def score(images: Floats) -> NDArray[np.float64]:
        return sigmoid(explainer.heat.logits(images))

    return [
        faithfulness(fake, explainer.heat.maps(fake[None])[0], score, seed=seed) for fake in fakes
    ]


def main() -> None:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--faces", type=int, default=200, help="that are blended")
    parser.add_argument("--checked", type=int, default=40, help="fakes for the second; 0: none")
    parser.add_argument("--margin", type=float, default=1.05,
                        help="side of the crops over the longer side of a face's box")  # fmt: skip
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    explainers = {
        method: open_explainer(EngineSource(args.bundle), method=method) for method in METHODS
    }
    first = explainers["gradcam"]
    faces, named = pictures(args.data, 0, args.faces, args.seed)
    reals, fakes, masks, numbers = blended(faces, first, args.seed, args.margin)
    groups = named[numbers]
    before, after = first.heat.logits(reals), first.heat.logits(fakes)
    noticed = after - before >= NOTICED
    area = auroc(np.append(before, after), np.repeat([0, 1], len(before)))
    print(
        f"{len(fakes)} blended faces of {len(np.unique(groups))} groups; "
        f"real against blended: AUROC {area:.3f}; the logit rose by "
        f"{NOTICED:g} or more for {noticed.sum()}, by {np.mean(after - before):+.2f} on average"
    )
    size = fakes.shape[-1]
    centre = [overlap(centre_gaussian(size), mask) for mask in masks]
    table = [["map", "faces", "pointing game", "energy inside", "IoU"]]
    result: dict[str, Any] = {"auroc": area, "noticed": int(noticed.sum())}
    of_method = {
        method: overlaps(explainer, fakes, masks) for method, explainer in explainers.items()
    }
    for subset, chosen in (("", np.ones(len(fakes), bool)), (SELECTED, noticed)):
        for method, lies in (*of_method.items(), ("centre", centre)):
            part = [one for one, taken in zip(lies, chosen, strict=True) if taken]
            table.append(overlap_rows(f"{method}{subset}", part, groups[chosen]))
        shares = shown([one.share for one, taken in zip(centre, chosen, strict=True) if taken],
                       groups[chosen])  # fmt: skip
        table.append([f"no knowledge{subset}", str(chosen.sum()), shares, shares, ""])
    print_table(table)
    result["overlap"] = table[1:]

    if not args.checked:
        return print_json("explanation", result)
    preprocess = first.engine.preprocess
    known, named = pictures(args.data, 1, 3 * args.checked, args.seed)
    found = [to_input(resize(face, preprocess), preprocess) for face in known]
    detected = np.flatnonzero(first.heat.logits(np.array(found)) > 0)[: args.checked]
    if not len(detected):
        print(f"none of {len(known)} fakes has a score above 0.5: there is nothing to take away")
        return print_json("explanation", {**result, "faithfulness": []})
    inputs, groups = np.stack([found[at] for at in detected]), named[detected]
    table = [["map", "faces", "curve", "map", "centre", "random", "beats random", "beats centre"]]
    for method, explainer in explainers.items():
        pairs = checked(explainer, inputs, args.seed)
        for place, kind in enumerate(("deletion", "insertion")):
            curves = [pair[place] for pair in pairs]
            table.append(
                [method, str(len(curves)), kind,
                 *(shown([getattr(one, order).area for one in curves], groups)
                   for order in ("map", "centre", "random")),
                 str(sum(one.beats_random for one in curves)),
                 str(sum(one.beats_centre for one in curves))]
            )  # fmt: skip
    print()
    print_table(table)
    print_json("explanation", {**result, "faithfulness": table[1:]})


if __name__ == "__main__":
    main()
