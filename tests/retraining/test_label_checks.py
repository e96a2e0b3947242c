"""Clients that contradict everybody else are found, and honest ones are not accused."""

from __future__ import annotations

import numpy as np
import pytest

from deepfake_lightning.retraining.label_checks import (
    GivenLabels,
    check_clients,
    predict_without,
)

BAD = "bad"


def given_labels(seed: int = 0, *, number: int = 600, does: str = "inverts") -> GivenLabels:
    """Return labels of 12 honest clients, of which 5 % are wrong, and a tenth of another one's."""
    draw = np.random.default_rng(seed)
    truth = draw.integers(0, 2, number)
    features = draw.normal(size=(number, 16))
    features[:, :6] += np.where(truth == 1, 0.5, -0.5)[:, None]
    clients = np.array([f"c{one:02d}" for one in draw.integers(0, 12, number)])
    labels = np.where(draw.random(number) < 0.05, 1 - truth, truth)
    bad = number // 10
    clients[:bad] = BAD
    labels[:bad] = {
        "inverts": 1 - truth[:bad],
        "fakes": np.ones(bad, int),
        "flips": np.where(np.arange(bad) < bad // 2, truth[:bad], 1 - truth[:bad]),
        "helps": truth[:bad],
    }[does]
    trusted = np.zeros(number, bool)
    trusted[bad : bad + 40] = True
    return GivenLabels(clients, labels, features, np.arange(number) * 1000, trusted)


@pytest.mark.parametrize(
    ("does", "pattern"),
    [("inverts", "contradicts"), ("fakes", "one_sided"), ("flips", "flipped"), ("helps", "none")],
)
def test_what_a_client_does_is_named(does, pattern):
    found = {one.client: one for one in check_clients(given_labels(does=does))}
    assert found[BAD].pattern == pattern
    assert found[BAD].held == (does != "helps")
    assert not any(one.held for name, one in found.items() if name != BAD)
    if does == "flips":
        assert 20_000 <= found[BAD].since_us <= 40_000
    if does == "inverts":
        assert found[BAD].rate > 0.8 > 0.3 > found[BAD].expected


def test_a_client_is_not_judged_by_its_own_labels():
    given = given_labels()
    before = predict_without(given)
    own = given.clients == BAD
    changed = GivenLabels(
        given.clients, np.where(own, 1 - given.labels, given.labels), given.features, given.ts_us,
        given.trusted,
    )  # fmt: skip
    np.testing.assert_allclose(predict_without(changed)[own], before[own])
    assert np.isnan(before[given.trusted]).all()


def test_who_calls_everything_fake_is_held_by_what_is_clearly_real():
    given = given_labels(number=1000, does="fakes")
    kept = np.setdiff1d(np.arange(1000), np.flatnonzero(given.clients == BAD)[60:])
    part = GivenLabels(*(getattr(given, name)[kept] for name in GivenLabels.__dataclass_fields__))
    (first, *others) = check_clients(part)
    assert (first.client, first.pattern) == (BAD, "one_sided")
    assert first.rate < 0.6  # right about half of them
    assert first.p < 1e-6
    assert not any(one.held for one in others)


def test_few_labels_are_not_judged():
    given = given_labels()
    few = np.flatnonzero(given.clients == BAD)[19:]
    kept = np.setdiff1d(np.arange(len(given.labels)), few)
    part = GivenLabels(*(getattr(given, name)[kept] for name in GivenLabels.__dataclass_fields__))
    found = {one.client: one for one in check_clients(part)}
    assert (found[BAD].pattern, found[BAD].labels) == ("unchecked", 19)


def test_one_client_alone_is_held_against_reviewers_or_nobody():
    given = given_labels(number=400)
    alone = np.where(given.trusted, "reviewer", BAD)
    labels = np.where(given.trusted, given.labels, 1 - given.labels)
    one = GivenLabels(alone, labels, given.features, given.ts_us, given.trusted)
    assert [found.held for found in check_clients(one)] == [True]
    nobody = GivenLabels(alone, labels, given.features, given.ts_us, np.zeros(400, bool))
    assert {found.client: found.held for found in check_clients(nobody)}[BAD] in (True, False)
    single = GivenLabels(
        np.full(400, BAD), labels, given.features, given.ts_us, np.zeros(400, bool)
    )
    assert [found.pattern for found in check_clients(single)] == ["unchecked"]


def test_nobody_gave_any():
    none = GivenLabels(
        np.zeros(0, str), np.zeros(0, np.int64), np.zeros((0, 4)), np.zeros(0, np.int64),
        np.zeros(0, bool),
    )  # fmt: skip
    assert check_clients(none) == []
