"""Some items of a window, evenly and always the same ones."""

from __future__ import annotations

import numpy as np
import pytest

from deepfake_lightning.monitoring.drift import sampling
from deepfake_lightning.monitoring.drift.sampling import read_items
from deepfake_lightning.monitoring.drift.windows import MINUTE_US, counted

NOON = 1_700_049_600_000_000


def _window(log, minutes=60):
    return counted(log, "production", "v1.0.0", NOON, NOON + minutes * MINUTE_US)


def _places(ids):
    return np.array([int(name[1:]) for name in ids])


def test_all_items_of_a_small_window_are_read(traffic, log):
    ids = traffic.send(120)
    traffic.send(50, version="v1.1.0")
    items = read_items(log, _window(log), 2000)
    assert items.request_ids == ids
    assert (items.quality.shape, items.projections.shape) == ((120, 6), (120, 4))
    found = log.find(ids[7]).items[0]
    assert items.logit[7] == found.logit
    assert items.quality[7].tolist() == [
        found.brightness, found.contrast, found.saturation, found.sharpness, found.noise,
        found.blockiness,
    ]  # fmt: skip
    assert items.projections[7].astype("<f4").tobytes() == found.projection
    assert items.pictures.all()


def test_what_is_not_known_is_nan(traffic, log):
    traffic.send(5, projection=None, noise=None)
    traffic.send(5, status="no_face", logit=None, projection=None)
    items = read_items(log, _window(log), 2000)
    assert len(items.logit) == 5
    assert np.isnan(items.quality[:, 4]).all()
    assert items.projections.shape == (5, 0)
    traffic.send(5, minute=30, minutes=5)
    mixed = read_items(log, _window(log), 2000)
    assert np.isnan(mixed.projections).all(axis=1).sum() == 5
    assert read_items(log, _window(log, minutes=0), 2000).request_ids == []


@pytest.mark.parametrize("part_read", [False, True])
def test_a_large_window_is_read_in_part_and_evenly(traffic, log, monkeypatch, part_read):
    if part_read:  # as of a window with millions of requests
        monkeypatch.setattr(sampling, "_MOST_ROWS", 500)
    traffic.send(1900)
    traffic.send(100, status="no_face", logit=None)
    window = _window(log)
    items = read_items(log, window, 300)
    assert 250 < len(items.logit) <= 300
    places = _places(items.request_ids)
    assert (np.diff(places) > 0).all()
    # A third of them in each third of the window.
    shares = np.histogram(places, [0, 633, 1267, 1900])[0] / len(places)
    assert np.abs(shares - 1 / 3).max() < 0.06
    assert read_items(log, window, 300).request_ids == items.request_ids


def test_bursts_have_the_same_chance_as_lone_requests(traffic, log, monkeypatch):
    monkeypatch.setattr(sampling, "_MOST_ROWS", 100)
    traffic.send(200, minutes=60)
    traffic.send(200, minute=31, minutes=1)
    taken, windows = np.zeros(400), 25
    for before in range(windows):  # each draws for itself
        start, end = NOON - before * MINUTE_US, NOON + 60 * MINUTE_US
        window = counted(log, "production", "v1.0.0", start, end)
        taken[_places(read_items(log, window, 60).request_ids)] += 1
    lone, burst = taken[:200].mean() / windows, taken[200:].mean() / windows
    assert lone == pytest.approx(60 / 400, abs=0.03)
    assert burst == pytest.approx(lone, abs=0.05)
