"""Audited quality of each version beside what it was measured to be before it served."""

from __future__ import annotations

from collections.abc import Iterator

from deepfake_lightning.evaluation.words import NAMES, share, with_interval
from deepfake_lightning.monitoring.report.record import MonitoringReport
from deepfake_lightning.monitoring.report.words import duration, named, of_estimate
from deepfake_lightning.monitoring.windows.audited import METRICS

_NAMES = {**NAMES, "fpr": "false alarms (FPR)"}


def quality_section_rows(
    report: MonitoringReport,
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return heads and rows: a column for each version, a row for each figure."""
    found = list(report.audited.items())
    if not found:
        return (), ()
    heads = ("", *(named(*key) for key, _ in found))
    rows: list[tuple[str, ...]] = [
        ("labels", *(f"{one.labels:,} of {one.drawn:,} drawn" for _, one in found)),
        ("fakes among them", *(f"{one.fakes:,}" for _, one in found)),
        ("labels worth, if drawn evenly", *(f"{one.effective:,.0f}" for _, one in found)),
    ]
    for name in (*METRICS, "prevalence", "inconclusive"):
        cells = (with_interval(of_estimate(getattr(one, name))) for _, one in found)
        rows.append((_NAMES.get(name, _SHARES.get(name, name)), *cells))
    rows += [
        ("label delay, median", *(duration(one.delay_median_s) for _, one in found)),
        ("label delay, 90 % within", *(duration(one.delay_p90_s) for _, one in found)),
        ("reviewers disagree", *(f"{one.disagreements:,}" for _, one in found)),
        ("judged without an answer", *(f"{one.undecided:,}" for _, one in found)),
    ]
    return heads, tuple(rows)


_SHARES = {
    "prevalence": "share of fakes in the traffic",
    "inconclusive": "share of inconclusive verdicts",
}


def quality_text(report: MonitoringReport) -> Iterator[str]:
    """Return what there is to know about these figures."""
    if not any(one.labels for one in report.audited.values()):
        drawn = sum(one.drawn for (_, variant), one in report.audited.items()
                    if variant == "serving")  # fmt: skip
        yield (f"{drawn:,} requests of the period were drawn for review, and none is labelled: "
               "how good the verdicts are is not known.")  # fmt: skip
        yield "`deepfake-lightning feedback review` shows them one by one."
        return
    yield (
        "Of requests that were drawn at random and reviewed, each weighted by one over its chance "
        "to be drawn, with 95 % intervals. Only 'manipulation indicated' counts as called fake."
    )
    waiting = ", ".join(f"{number:,} {_STATES[state]}" for state, number in report.queue.items()
                        if number and state in _STATES)  # fmt: skip
    if waiting:
        yield f"Review queue of the period: {waiting}."
    for version, own in report.own.items():
        for one in own:
            yield (f"{version} before it served ({one.media}, at its threshold): balanced accuracy "
                   f"{_digits(one.balanced_accuracy)}, recall {share(one.recall)}, false alarms "
                   f"{share(one.fpr)}.")  # fmt: skip


_STATES = {
    "waiting": "wait for a first opinion",
    "second": "for a second one",
    "disagreement": "are disputed",
    "done": "are done",
}


def _digits(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
