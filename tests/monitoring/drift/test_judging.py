"""What counts as moved, how much, and how it is said."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ks_2samp

from deepfake_lightning.monitoring.drift import FEATURES, DriftPolicy
from deepfake_lightning.monitoring.drift.judging import judge
from deepfake_lightning.monitoring.drift.records import record_of
from deepfake_lightning.monitoring.drift.reference import DriftReference
from deepfake_lightning.monitoring.drift.sampling import Items
from deepfake_lightning.monitoring.drift.windows import DriftWindow

HOUR = 3_600_000_000
WIDTH = 6
NUMBERS = DriftPolicy.model_validate({"limits": {"embedding": None}})  # a fifth of the time


def _columns(number, seed, *, shift=None, by=0.0, wider=1.0):
    """Logits, quality and projections of items; one of them shifted, in standard deviations."""
    generator = np.random.default_rng(seed)
    drawn = {name: generator.normal(size=number) for name in FEATURES[:-1]}
    projections = generator.normal(size=(number, WIDTH))
    if shift == "embedding":
        projections[:, 2] = projections[:, 2] * wider + by
    elif shift is not None:
        drawn[shift] = drawn[shift] * wider + by
    quality = np.stack([100 + 20 * drawn[name] for name in FEATURES[1:-1]], axis=1)
    return drawn["score"] * 2, quality, projections


def _reference(number=700, **fields):
    return DriftReference("bundle", "id", *_columns(number, 1000), **fields)


def _judge(number=500, seed=0, *, before=None, reference=None, policy=None, pictures=True, **how):
    logit, quality, projections = _columns(number, seed, **how)
    policy = policy or (DriftPolicy() if how.get("shift") in (None, "embedding") else NUMBERS)
    ids = [f"r{at}" for at in range(number)]
    items = Items(ids, np.full(number, pictures), logit, quality, projections)
    window = DriftWindow("production", "v1.0.0", seed * HOUR, (seed + 1) * HOUR, number, number,
                         number)  # fmt: skip
    return judge(window, items, reference or _reference(), policy, before)


def test_like_is_like():
    record = _judge()
    assert (record.moved, record.confirmed, record.moved_features) == (False, False, ())
    assert [one.feature for one in record.features] == list(FEATURES)
    assert 0 < record.score < 0.5
    assert 0.5 <= record.severity < 0.58
    assert len(record.reasons) == 1
    assert record.reasons[0].startswith("nothing has moved; the most is ")
    assert (record.sampled, record.reference_items, record.reference) == (500, 700, "bundle")


@pytest.mark.parametrize("feature", FEATURES)
def test_what_has_moved_is_named(feature):
    record = _judge(shift=feature, by=1.0)
    assert record.moved_features == (feature,)
    found = record.of(feature)
    assert found.p_holm < 0.01
    assert found.effect > found.limit
    assert record.score == pytest.approx(found.part, abs=1e-3)
    assert record.score > 0.5
    assert len(record.reasons) == 1
    subject = {"embedding": "what the network sees is another", "score": "the score "}
    assert record.reasons[0].startswith(subject.get(feature, feature))


def test_the_effect_is_the_distance_and_p_is_adjusted_over_all_features():
    record = _judge(shift="noise", by=0.4)
    logit, quality, _ = _columns(500, 0, shift="noise", by=0.4)
    reference = _reference()
    expected = ks_2samp(reference.quality[:, 4], quality[:, 4], method="asymp")
    found = record.of("noise")
    assert found.effect == pytest.approx(expected.statistic, rel=1e-3)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-3)
    assert found.p_holm == pytest.approx(7 * found.p, rel=1e-3)  # the smallest of seven
    assert record.of("score").p == pytest.approx(
        ks_2samp(reference.logit, logit, method="asymp").pvalue, rel=1e-3
    )


def test_a_small_shift_of_many_items_is_significant_and_no_drift():
    reference = _reference(5000)
    record = _judge(5000, reference=reference, shift="brightness", by=0.12,
                    policy=NUMBERS)  # fmt: skip
    assert record.of("brightness").p_holm < 0.01
    assert not record.moved
    assert record.score < 0.5


def test_a_large_shift_of_few_items_may_be_chance():
    policy = DriftPolicy(least_items=60, items=60)
    record = _judge(60, shift="contrast", by=0.3, policy=policy)
    found = record.of("contrast")
    assert found.effect > found.limit
    assert not record.moved
    assert record.score == 0.5  # as much as what may be chance can add
    assert "; that may be chance" in record.reasons[0]


def test_two_windows_in_a_row_confirm():
    one = _judge(seed=1, shift="sharpness", by=-1)
    two = _judge(seed=2, shift="sharpness", by=-1, before=one)
    assert (one.moved, one.confirmed, two.confirmed) == (True, False, True)
    assert two.reasons[0].endswith(", as in the window before")
    other = _judge(seed=2, shift="noise", by=-1, before=one)
    assert (other.moved, other.confirmed) == (True, False)
    assert not _judge(seed=2, before=one).confirmed
    # Beside another reference, or long ago, it is no confirmation.
    elsewhere = replace(one, reference_id="another")
    assert not _judge(seed=2, shift="sharpness", by=-1, before=elsewhere).confirmed
    assert not _judge(seed=400, shift="sharpness", by=-1, before=one).confirmed
    hasty = DriftPolicy(windows_in_a_row=1)
    assert _judge(seed=1, shift="sharpness", by=-1, policy=hasty).confirmed
    assert not _judge(seed=2, before=one, policy=hasty).confirmed


def test_it_says_from_where_to_where_in_units():
    down = _judge(shift="brightness", by=-1.5).reasons[0]
    assert down.startswith("brightness fell: the median is ")
    assert " grey levels, not 99.3 (" in down
    assert "(Kolmogorov-Smirnov distance 0." in down
    up = _judge(shift="score", by=1.5).reasons[0]
    assert up.startswith("the score rose: the median is ")
    assert "log-odds of fake, before calibration" in up
    wide = _judge(shift="noise", by=0, wider=3).reasons[0]
    assert "noise reaches further" in wide
    assert "tenth" in wide
    seen = _judge(shift="embedding", by=1.5).reasons[0]
    assert "with an AUC of 0." in seen
    assert "the limit 0.60" in seen


def test_histograms_have_common_edges_and_all_items():
    record = _judge(shift="brightness", by=30)
    for one in record.features:
        assert len(one.edges) == len(one.reference) + 1 == len(one.current) + 1
        assert sum(one.reference) == pytest.approx(1, abs=1e-3)
        assert sum(one.current) == pytest.approx(1, abs=1e-3)
        assert (np.diff(one.edges) > 0).all()
    assert record.of("brightness").current[-1] == 1  # beyond the last edge
    # Edges are of the reference alone: equal in all windows.
    assert record.of("brightness").edges == _judge(seed=3).of("brightness").edges


def test_the_direction_leads_to_the_windows_items():
    direction = np.array(_judge(shift="embedding", by=2).of("embedding").direction)
    assert abs(direction[2]) > 0.9
    assert direction[2] > 0


def test_the_score_is_a_half_at_the_limit():
    one = _judge(shift="noise", by=1).of("noise")
    at = replace(one, effect=one.limit)
    assert (at.part, replace(at, effect=2 * one.limit).part) == (0.5, 0.8)
    assert replace(at, effect=0.5 * one.limit).part == pytest.approx(0.2)
    assert replace(at, effect=3 * one.limit, moved=False).part == 0.5


def test_too_few_items_or_too_small_a_reference_is_not_judged():
    few = _judge(199)
    assert (few.score, few.moved, few.features) == (None, False, ())
    assert "not judged: 199 items with a score in 0.0417 days, and 200 are needed" in few.reasons
    small = _judge(reference=_reference(49))
    assert small.score is None
    assert small.reasons == ("not judged: the reference has 49 items, and 50 are needed",)


def test_what_only_some_have_is_compared_among_those():
    reference = _reference()
    reference.projections[:660] = np.nan
    record = _judge(reference=reference, shift="embedding", by=5)
    assert record.of("embedding").p is None
    assert (record.severity, record.moved) == (None, False)
    assert record.of("noise").p_holm >= 7 * min(
        one.p for one in record.features if one.p is not None
    )
    # A detector with other components: an older log.
    other = replace(_reference(), projections=np.ones((700, WIDTH + 1)))
    assert _judge(reference=other).severity is None


def test_clips_are_not_compared_with_single_pictures():
    reference = _reference(of_items=False, notes=("pictures alone",))
    record = _judge(reference=reference, pictures=False, shift="score", by=1)
    assert record.moved_features == ("score",)
    assert {one.feature for one in record.features if one.p is not None} == {"score"}
    assert record.notes == ("pictures alone",)
    assert _judge(reference=reference).of("noise").p is not None


def test_limits_that_are_null_are_not_looked_at():
    policy = DriftPolicy.model_validate({"limits": {"score": None, "embedding": None}})
    record = _judge(shift="score", by=3, policy=policy)
    assert not record.moved
    assert len(record.features) == 6


def test_the_same_window_gives_the_same_record_and_json_keeps_it():
    one, two = (_judge(seed=5, shift="embedding", by=0.5) for _ in range(2))
    assert one == two
    assert record_of(json.loads(json.dumps(one.to_dict()))) == one
    assert len(json.dumps(one.to_dict())) < 8000
