import random
from dataclasses import asdict, replace

import pytest
from sklearn import metrics as sk

from deepfake_lightning.monitoring.log import ItemScore, Label, LoggedRequest, PredictionLog
from deepfake_lightning.monitoring.log.rollups import make_rollups
from deepfake_lightning.monitoring.windows import Period, Scope, audited_quality

START = 1_700_049_600_000_000
DAY = Period(START, START + 86_400_000_000)
ONE = ("v1.0.0", "serving")
STRATA = {"low": 0.02, "middle": 0.5}


def request(number, score, *, shadow=None, **fields):
    said = "manipulation_indicated" if score >= 0.7 else "no_indication"
    said = "inconclusive" if 0.4 <= score < 0.7 else said
    item = ItemScore(0, "ok", 0.0, score, True, 1, 1, "v1.0.0", "ab", verdict=said)
    items = (item,) if shadow is None else (
        item, replace(item, version="v2.0.0", variant="shadow", score=shadow, verdict=None)
    )  # fmt: skip
    row = {
        "id": f"{number:032x}", "ts_us": START + number * 1000, "version": "v1.0.0", "bundle": "ab",
        "route": "/v1/predict", "http_status": 200, "bytes": 9, "latency_us": 50_000,
        "media_type": "image", "verdict": said, "items": items, "environment": "production",
        "variant": "serving", **fields,
    }  # fmt: skip
    return LoggedRequest(**row)


def draw(row):
    """Draw all of them, each with the chance that it would have."""
    stratum = "low" if row.items[0].score < 0.4 else "middle"
    return STRATA[stratum], stratum


def opinion(log, number, label, *, by="ann", hours=1.0, source="review"):
    said = Label(f"{number:032x}", START + round(hours * 3.6e9), label, by, source=source)
    assert log.label(said)


@pytest.fixture
def log(tmp_path):
    with PredictionLog(tmp_path / "predictions.db") as opened:
        yield opened


def fill(log, number=60):
    """Log requests, all of which are drawn; return their scores and what they are."""
    generator = random.Random(0)
    scores = [generator.random() for _ in range(number)]
    fakes = [int(generator.random() < 0.2 + 0.6 * (score > 0.5)) for score in scores]
    rows = [request(at, score, shadow=1 - score) for at, score in enumerate(scores)]
    log.append_many(rows, draw=draw)
    make_rollups(log)
    return scores, fakes


def test_labels_are_weighted_back_by_the_chance_to_be_drawn(log):
    scores, fakes = fill(log)
    for number, fake in enumerate(fakes):
        opinion(log, number, fake)
    found = audited_quality(log, DAY, Scope("production"))
    assert list(found) == [ONE]
    one = found[ONE]
    weights = [1 / STRATA["low" if score < 0.4 else "middle"] for score in scores]
    called = [score >= 0.7 for score in scores]  # inconclusive does not say fake
    for name, metric in (("accuracy", sk.accuracy_score), ("recall", sk.recall_score),
                         ("precision", sk.precision_score), ("f1", sk.f1_score),
                         ("balanced_accuracy", sk.balanced_accuracy_score)):  # fmt: skip
        expected = metric(fakes, called, sample_weight=weights)
        assert getattr(one, name).value == pytest.approx(expected)
    assert one.auroc.value == pytest.approx(sk.roc_auc_score(fakes, scores, sample_weight=weights))
    unclear = sum(w for w, s in zip(weights, scores, strict=True) if 0.4 <= s < 0.7)
    assert one.inconclusive.value == pytest.approx(unclear / sum(weights))
    fake_weight = sum(w for w, fake in zip(weights, fakes, strict=True) if fake)
    assert one.prevalence.value == pytest.approx(fake_weight / sum(weights))
    assert (one.labels, one.drawn, one.coverage, one.unheard) == (60, 60, 1, 0)
    assert one.effective < 30
    assert one.fakes == sum(fakes)


def test_labels_of_a_stratum_stand_for_all_that_were_drawn_of_it(log):
    scores, fakes = fill(log)
    half = {number for number, score in enumerate(scores) if score < 0.4 and number % 2}
    for number in set(range(60)) - half:
        opinion(log, number, fakes[number])
    one = audited_quality(log, DAY, Scope("production"))[ONE]
    low = [number for number, score in enumerate(scores) if score < 0.4]
    told = [number for number in range(60) if number not in half]
    again = len(low) / len([number for number in low if number not in half])
    weights = [50 * again if scores[number] < 0.4 else 2 for number in told]
    expected = sk.accuracy_score([fakes[n] for n in told], [scores[n] >= 0.7 for n in told],
                                 sample_weight=weights)  # fmt: skip
    assert one.accuracy.value == pytest.approx(expected)
    assert one.coverage == pytest.approx(len(told) / 60)
    assert not one.low_coverage


def test_a_stratum_without_a_label_is_told(log):
    scores, fakes = fill(log)
    middle = [number for number, score in enumerate(scores) if score >= 0.4]
    for number in middle:
        opinion(log, number, fakes[number])
    one = audited_quality(log, DAY, Scope("production"))[ONE]
    low = 60 - len(middle)
    assert one.unheard == pytest.approx(50 * low / (50 * low + 2 * len(middle)))


def test_reviewers_who_disagree_or_cannot_tell_settle_nothing(log):
    fill(log)
    opinion(log, 1, 1, hours=2)
    opinion(log, 2, -1, hours=2)
    opinion(log, 3, 1, hours=2)
    opinion(log, 3, 0, by="bob", hours=4)
    opinion(log, 4, 1, hours=2)
    opinion(log, 4, 0, by="bob", hours=3)
    opinion(log, 4, 0, by="eve", hours=5)
    opinion(log, 5, 1, source="feedback")
    one = audited_quality(log, DAY, Scope("production"))[ONE]
    assert (one.labels, one.fakes) == (2, 1)
    assert (one.undecided, one.disagreements) == (2, 1)
    assert (one.drawn, one.low_coverage) == (60, True)
    # From the request to the opinion that settled it: two hours, and five.
    assert one.delay_median_s == pytest.approx(3.5 * 3600, abs=1)


def test_a_shadow_version_is_measured_on_the_same_requests(log):
    _, fakes = fill(log)
    for number, fake in enumerate(fakes):
        opinion(log, number, fake)
    found = audited_quality(log, DAY, Scope("production", variant=None))
    assert set(found) == {ONE, ("v2.0.0", "shadow")}
    beside = found["v2.0.0", "shadow"]
    assert (beside.labels, beside.drawn, beside.unscored) == (60, 60, 60)
    assert beside.accuracy is None  # it has no calibration, so it said nothing
    assert beside.auroc.value == pytest.approx(1 - found[ONE].auroc.value)


def test_only_the_scope_and_the_period_count(log):
    _, fakes = fill(log)
    for number, fake in enumerate(fakes):
        opinion(log, number, fake)
    assert audited_quality(log, DAY, Scope("staging")) == {}
    assert audited_quality(log, DAY, Scope(version="v9.9.9")) == {}
    assert audited_quality(log, DAY, Scope(media_type="video")) == {}
    assert audited_quality(log, DAY, Scope(media_type="image"))[ONE].drawn == 60
    assert audited_quality(log, Period(START, START + 10_000), Scope())[ONE].labels == 10


def test_what_was_erased_is_gone_from_the_figures(log):
    _, fakes = fill(log)
    for number, fake in enumerate(fakes):
        opinion(log, number, fake)
    log.erase(f"{7:032x}")
    one = audited_quality(log, DAY, Scope("production"))[ONE]
    assert (one.labels, one.drawn) == (59, 59)


def test_postgresql_says_the_same(log, postgresql):
    both = Scope("production", variant=None)
    found = []
    with PredictionLog(postgresql.database()) as other:
        for one in (log, other):
            _, fakes = fill(one)
            for number, fake in enumerate(fakes[:40]):
                opinion(one, number, fake)
            found.append(audited_quality(one, DAY, both))
            assert audited_quality(one, DAY, Scope(media_type="image"))[ONE].drawn == 60
    assert found[0].keys() == found[1].keys()
    for key, one in found[0].items():
        same = asdict(found[1][key])
        assert (one.drawn, one.labels) == (same["drawn"], same["labels"])
        assert one.auroc.value == pytest.approx(same["auroc"]["value"], rel=1e-9)
        assert one.unheard == pytest.approx(same["unheard"])
