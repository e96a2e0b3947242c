r"""Whether a client whose labels are all wrong is found, and how many honest ones are accused.

In each run 20 honest clients, who get 5 % of their labels wrong, and one other give 2,000 labels;
100 of the others' are reviewers'. The one inverts each of its labels, calls everything fake, begins
to invert half way, or labels only what a classifier of the true labels is least sure of; or gives
true labels to 30 items of which that is surest, and inverts those of which it is least sure; or
there are two of them. Items are points of two normal distributions, as far apart as a classifier of
such an accuracy needs; with ``--bundle`` and ``--data`` they are the features of real faces which
the detector was not trained on, so that they are no clearer than those of production::

    python scripts/bench/poisoning.py --runs 200
    python scripts/bench/poisoning.py --bundle mlops/registry/models/v1.0.0 \
        --data mlops/runs/lite0/v1.0.0/manifest.parquet

*held* is the share of those with wrong labels whose labels are held, *their labels that train* what
of the labels of such a one would be trained on in spite of that (those of clients that cannot be
checked wait for reviews, by default), and *honest labels that train* the same of all others.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import print_json, print_table
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from deepfake_lightning.bundle import load_bundle
from deepfake_lightning.inference import open_engine
from deepfake_lightning.media.images import read_image
from deepfake_lightning.monitoring.log.projection import (
    projection_of,
    projection_values,
    reference_of,
)
from deepfake_lightning.retraining.label_checks import GivenLabels, check_clients, predict_without
from deepfake_lightning.schemas import SCORED_SPLITS, read_manifest

LABELS, HONEST, REVIEWED, ERRORS = 2000, 20, 100, 0.05
SHARES = (0.02, 0.05, 0.1, 0.2)
WAYS: dict[str, tuple[str, ...]] = {
    "inverts": ("inverts",),
    "calls all fake": ("calls all fake",),
    "inverts from half way": ("inverts from half way",),
    "inverts the unsure": ("inverts the unsure",),
    "right on the clear, inverts the unsure": ("right on the clear, inverts the unsure",),
    "one inverts, one calls all fake": ("inverts", "calls all fake"),
    "two call all fake": ("calls all fake", "calls all fake"),
    "is honest": ("is honest",),
}
BAD = "bad"
_RIGHT = 30  # labels of clear items that pass for honest ones
_LOOKED_INTO = 10  # runs of which the classifier's accuracy is told

Items = tuple[NDArray[np.float64], NDArray[np.int64]]


def made_up(generator: np.random.Generator, apart: float) -> Items:
    """Return features [2000, 32] and what the items are [2000]."""
    truth = generator.integers(0, 2, LABELS)
    features = generator.normal(size=(LABELS, 32))
    features[:, :8] += np.where(truth == 1, apart / 2, -apart / 2)[:, None]
    return features, truth


def given_labels(
    generator: np.random.Generator, items: Items, way: str, share: float
) -> tuple[GivenLabels, NDArray[np.int64]]:
    """Return the labels of one run, and what the items are; ``share`` is that of each bad one."""
    order = generator.permutation(len(items[1]))[:LABELS]
    if "inverts the unsure" in way:
        order = order[np.argsort(_sureness(items)[order], kind="stable")]
    if way == "right on the clear, inverts the unsure":
        order = np.roll(order, _RIGHT)
    features, truth = items[0][order], items[1][order]
    number, bad = len(truth), round(len(truth) * share)
    honest = [f"c{one:02d}" for one in generator.integers(0, HONEST, number)]
    clients = np.array(honest, f"U{len(BAD) + 1}")
    labels = np.where(generator.random(number) < ERRORS, 1 - truth, truth)
    for place, does in enumerate(WAYS[way]):
        own = slice(place * bad, (place + 1) * bad)
        clients[own] = f"{BAD}{place}"
        labels[own] = _said(does, truth[own], labels[own])
    first = len(WAYS[way]) * bad
    trusted = np.zeros(number, bool)
    trusted[generator.permutation(np.arange(first, number))[:REVIEWED]] = True
    labels[trusted] = truth[trusted]
    return GivenLabels(clients, labels, features, np.arange(number), trusted), truth


def _said(does: str, truth: NDArray[np.int64], honest: NDArray[np.int64]) -> NDArray[np.int64]:
    if does == "calls all fake":
        return np.ones_like(truth)
    if does == "inverts from half way":
        return np.where(np.arange(len(truth)) < len(truth) // 2, honest, 1 - truth)
    if does == "right on the clear, inverts the unsure":
        return np.where(np.arange(len(truth)) < _RIGHT, truth, 1 - truth)
    return honest if does == "is honest" else 1 - truth


def _sureness(items: Items) -> NDArray[np.float64]:
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return np.abs(model.fit(*items).decision_function(items[0]))


def measure(
    items: Callable[[np.random.Generator], Items], way: str, share: float, runs: int
) -> dict[str, Any]:
    """Return how often bad ones were found, how many others were accused, and what would train."""
    found = accused = 0
    right, bad_trains, honest_trains = [], [], []
    for seed in range(runs):
        generator = np.random.default_rng(seed)
        given, truth = given_labels(generator, items(generator), way, share)
        checks = check_clients(given)
        held = [one.client for one in checks if one.held]
        found += sum(name.startswith(BAD) for name in held)
        accused += sum(not name.startswith(BAD) for name in held)
        checked = [one.client for one in checks if one.pattern == "none"]
        trains, bad = np.isin(given.clients, checked), np.char.startswith(given.clients, BAD)
        bad_trains.append(trains[bad].mean())
        honest_trains.append(trains[~bad & ~given.trusted].mean())
        if seed < _LOOKED_INTO:
            fake = predict_without(given)
            seen = ~np.isnan(fake)
            right.append(((fake > 0.5) == truth)[seen].mean())
    number = runs * len(WAYS[way])
    return {
        "way": way,
        "share": share,
        "runs": runs,
        "found": found / number,
        "found_interval": interval(found, number),
        "accused": accused,
        "honest_clients": runs * HONEST,
        "accused_interval": interval(accused, runs * HONEST),
        "bad_labels_that_train": float(np.mean(bad_trains)),
        "honest_labels_that_train": float(np.mean(honest_trains)),
        "classifier_accuracy": float(np.mean(right)),
    }


def interval(hits: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a share (Clopper & Pearson 1934)."""
    found = binomtest(hits, of).proportion_ci()
    return float(found.low), float(found.high)


def real_items(bundle: Path, data: Path) -> Items:
    """Return projections [N, K] and labels [N] of face crops that were not trained on.

    Args:
        bundle: the detector.
        data: manifest of its training.
    """
    engine = open_engine(bundle=bundle)
    reference = reference_of(load_bundle(bundle))
    manifest = read_manifest(data)
    chosen = manifest.rows[manifest.rows["split"].isin(SCORED_SPLITS).fillna(False)]
    rows = []
    for path in chosen["path"]:
        _, features = engine.outputs([read_image(manifest.root / path)])
        rows.append(projection_values(projection_of(features, *reference)))
    return np.array(rows, np.float64), chosen["label"].to_numpy(np.int64)


def main() -> None:
    """Measure, and print a table and a line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--bundle", type=Path, help="a detector whose features are taken")
    parser.add_argument("--data", type=Path, help="the manifest of its training")
    given = parser.parse_args()
    found, began = [], time.perf_counter()
    kinds: dict[str, Callable[[np.random.Generator], Items]]
    if given.bundle:
        known = real_items(given.bundle, given.data)
        kinds = {f"{len(known[1]):,} real faces": lambda generator: known}
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
        [["items", "right", "the one", "labels", "held", "95 %", "honest ones held", "95 % bound",
          "their labels that train", "honest labels that train"]]
        + [[one["items"], f"{one['classifier_accuracy']:.2f}", one["way"], f"{one['share']:.0%}",
            f"{one['found']:.1%}", "{:.1%} to {:.1%}".format(*one["found_interval"]),
            f"{one['accused']} of {one['honest_clients']:,}",
            f"{one['accused_interval'][1]:.2%}", f"{one['bad_labels_that_train']:.1%}",
            f"{one['honest_labels_that_train']:.1%}"] for one in found]
    )  # fmt: skip
    print(f"{time.perf_counter() - began:.0f} s")
    print_json("poisoning", {"rows": found})


if __name__ == "__main__":
    main()
