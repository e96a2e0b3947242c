"""Whether a client whose labels are all wrong is found, and how many honest ones are accused.

In each run 20 honest clients, who get 5 % of their labels wrong, and one other give 2,000 labels;
100 of the others' are reviewers'. The one inverts each of its labels, calls everything fake, or
begins to invert half way. Items are points of two normal distributions, as far apart as a
classifier of such an accuracy needs; with ``--bundle`` and ``--data`` they are the features of real
faces::

    python scripts/bench/poisoning.py --runs 200
    python scripts/bench/poisoning.py --bundle mlops/registry/models/v1.0.0 --data faces
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import print_json, print_table
from numpy.typing import NDArray
from scipy.stats import binomtest

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.inference import open_engine
from deepfake_lightning.media.images import read_image
from deepfake_lightning.monitoring.log.projection import (
    projection_of,
    projection_values,
    reference_of,
)
from deepfake_lightning.retraining.label_checks import GivenLabels, check_clients, predict_without

LABELS, HONEST, REVIEWED, ERRORS = 2000, 20, 100, 0.05
SHARES = (0.02, 0.05, 0.1)
WAYS = ("inverts", "calls all fake", "inverts from half way", "is honest")
BAD = "bad"

Items = tuple[NDArray[np.float64], NDArray[np.int64]]


def made_up(generator: np.random.Generator, apart: float) -> Items:
    """Return features [2000, 32] and what the items are [2000]."""
    truth = generator.integers(0, 2, LABELS)
    features = generator.normal(size=(LABELS, 32))
    features[:, :8] += np.where(truth == 1, apart / 2, -apart / 2)[:, None]
    return features, truth


def given_labels(generator: np.random.Generator, items: Items, way: str, share: float) -> Any:
    """Return the labels of one run."""
    order = generator.permutation(len(items[1]))[:LABELS]
    features, truth = items[0][order], items[1][order]
    number = len(truth)
    bad = round(number * share)
    clients = np.array([f"c{one:02d}" for one in generator.integers(0, HONEST, number)])
    clients[:bad] = BAD
    labels = np.where(generator.random(number) < ERRORS, 1 - truth, truth)
    half = np.arange(bad) < bad // 2
    labels[:bad] = {
        "inverts": 1 - truth[:bad],
        "calls all fake": np.ones(bad, np.int64),
        "inverts from half way": np.where(half, labels[:bad], 1 - truth[:bad]),
        "is honest": labels[:bad],
    }[way]
    trusted = np.zeros(number, bool)
    trusted[bad : bad + REVIEWED] = True
    labels[trusted] = truth[trusted]
    return GivenLabels(clients, labels, features, np.arange(number), trusted), truth


def measure(items: Any, way: str, share: float, runs: int) -> dict[str, Any]:
    """Return how often the one was found, and how many others were accused."""
    found = accused = right = 0
    for seed in range(runs):
        generator = np.random.default_rng(seed)
        given, truth = given_labels(generator, items(generator), way, share)
        held = {one.client for one in check_clients(given) if one.held}
        found, accused = found + (BAD in held), accused + len(held - {BAD})
        if seed == 0:
            fake = predict_without(given)
            seen = ~np.isnan(fake)
            right = float(((fake > 0.5) == truth)[seen].mean())
    return {
        "way": way,
        "share": share,
        "runs": runs,
        "found": found / runs,
        "found_interval": interval(found, runs),
        "accused": accused,
        "honest_clients": runs * HONEST,
        "accused_interval": interval(accused, runs * HONEST),
        "classifier_accuracy": right,
    }


def interval(hits: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Clopper & Pearson 1934)."""
    found = binomtest(hits, of).proportion_ci()
    return float(found.low), float(found.high)


def real_items(bundle: Path, data: Path) -> Items:
    """Return projections [N, K] and labels [N] of the pictures in ``real`` and ``fake``."""
    engine = open_engine(bundle=bundle)
    reference = reference_of(load_bundle(bundle))
    rows, truth = [], []
    for label, name in enumerate(("real", "fake")):
        for path in sorted((data / name).iterdir())[: LABELS + LABELS // 2]:
            _, features = engine.outputs([read_image(path)])
            rows.append(projection_values(projection_of(features, *reference)))
            truth.append(label)
    return np.array(rows, np.float64), np.array(truth)


def main() -> None:
    """Measure, and print a table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--bundle", type=Path, help="a detector whose features are taken")
    parser.add_argument("--data", type=Path, help="a folder with pictures in real and fake")
    given = parser.parse_args()
    found, began = [], time.perf_counter()
    if given.bundle:
        known = real_items(given.bundle, given.data)
        kinds = {"real faces": lambda generator: known}
    else:
        kinds = {
            "hard": lambda generator: made_up(generator, 0.3),
            "as a detector": lambda generator: made_up(generator, 0.6),
            "easy": lambda generator: made_up(generator, 1.0),
        }
    for name, items in kinds.items():
        for way in WAYS:
            for share in SHARES if way == "inverts" else (0.05,):
                found.append({"items": name, **measure(items, way, share, given.runs)})
    print_table(
        [["items", "right", "the one", "labels", "held", "95 %", "honest ones held", "95 % bound"]]
        + [[one["items"], f"{one['classifier_accuracy']:.2f}", one["way"], f"{one['share']:.0%}",
            f"{one['found']:.1%}", "{:.1%} to {:.1%}".format(*one["found_interval"]),
            f"{one['accused']} of {one['honest_clients']:,}",
            f"{one['accused_interval'][1]:.2%}"] for one in found]
    )  # fmt: skip
    print(f"{time.perf_counter() - began:.0f} s")
    print_json("poisoning", {"rows": found})


if __name__ == "__main__":
    main()
