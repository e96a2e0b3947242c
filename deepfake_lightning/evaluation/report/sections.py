"""What a report says, section by section: the same on the page and in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from deepfake_lightning.bundle.calibration_words import short_guarantee, shown_probability
from deepfake_lightning.evaluation.levels import LevelName
from deepfake_lightning.evaluation.report.provenance import provenance_sections
from deepfake_lightning.evaluation.report.record import (
    Breakdown,
    Evaluation,
    KindResult,
    Mistake,
    Subgroup,
    ThresholdResult,
)
from deepfake_lightning.evaluation.report.section import Section
from deepfake_lightning.evaluation.robustness.words import robustness_rows, robustness_text
from deepfake_lightning.evaluation.words import (
    NAMES,
    counted,
    decisions,
    share,
    share_with_interval,
    with_interval,
)
from deepfake_lightning.metrics import LOWER_IS_BETTER, Interval
from deepfake_lightning.schemas.assessment import MEANING, NOT_COVERED
from deepfake_lightning.schemas.calibration import (
    GUARANTEE_LIMITS,
    NOUNS,
    guarantee_words,
    percent,
)

_LEVEL_NAMES: dict[LevelName, str] = {"item": "items", "track": "face tracks", "frame": "frames"}
_COLUMNS = {"method": "method of manipulation", "dataset": "data set",
            "compression": "compression", "media_type": "kind of media",
            "tracks": "number of face tracks"}  # fmt: skip
_RATES = {"false_alarms": "false alarms", "missed": "missed fakes"}
_STATUS = {"no_face": "no face was found", "unreadable": "could not be read, or has no score"}
METHOD = (
    "Intervals hold 95 %, over groups (people, clips and their fakes), which are drawn and kept"
    " whole; they speak of new people from the same source, not of other sources or methods of"
    " manipulation, nor of another training of the same recipe.",
    "An item's score is the highest of its face tracks; a track's is the highest mean over"
    " consecutive frames. Metrics in the first table are of scores as the network gives them,"
    " decided at probability 0.5; verdicts, thresholds, and errors by group use the calibration"
    " where there is one, and so do comparisons of detectors.",
    "'Undefined' is what the data do not define, as a ranking with one class only. A value without"
    " an interval has fewer than five groups, or fewer real items than its rate of false alarms can"
    " be told from. What could not be scored is counted, and is in no figure.",
)


def headline(found: Evaluation) -> list[str]:
    """Return the findings in sentences, the most important first."""
    lines = []
    item = found.results["item"]
    for kind in found.kinds:
        noun = NOUNS[kind.kind] if kind.kind else "items"
        one = next(t for t in kind.thresholds if t.decides)
        if one.found.value is None and one.false_alarms.value is None:
            continue
        at = "At its operating threshold" if kind.temperature else "At probability 0.5"
        lines.append(f"{at} {decisions(one.found, one.false_alarms, noun)}.")
        if one.precision is not None:
            lines.append(
                f"Where {percent(found.prevalence)} of what is scored is fake,"
                f" {share(one.precision)} of the {noun} that it calls manipulated are expected to"
                " be."
            )
    lines.append(
        f"AUROC {with_interval(item.metrics['auroc'])}, equal error rate"
        f" {with_interval(item.metrics['eer'])}, over {_basis(found)}."
    )
    return lines


def _basis(found: Evaluation) -> str:
    item = found.results["item"]
    return (
        f"{counted(item.real + item.fake, 'item')} ({item.real:,} real, {item.fake:,} fake) of"
        f" {counted(item.groups, 'group')}"
    )


def facts(found: Evaluation) -> str:
    """Return a line on what was measured."""
    split = found.subject.data.get("split")
    where = {None: "split not known", "all": "all data"}.get(split, f"the {split} split")
    counts = found.counts
    others = [
        f"{counted(number, 'more item')} without a {what}"
        for number, what in ((counts.unlabelled, "label"), (counts.without_score, "score"))
        if number
    ]
    return "; ".join([_basis(found), *others, where])


def sections(found: Evaluation) -> Iterator[Section]:
    """Yield what the report says, in order."""
    yield _metrics(found)
    yield from (_breakdown(one, found) for one in found.breakdowns)
    for kind in found.kinds:
        yield _thresholds(kind, found)
        if kind.verdicts:
            yield _verdicts(kind)
    if found.kinds:
        yield _calibration(found)
    if found.robustness is not None:
        heads, rows = robustness_rows(found.robustness)
        text = robustness_text(found.robustness)
        yield Section("robustness", "Under degradations", text, heads, rows)
    yield _unscored(found)
    yield _mistakes(found)
    yield from provenance_sections(found.subject)
    covered = f"Not covered: {NOT_COVERED}."
    drawn = f"{found.draws:,} resamples, seed {found.seed}; measured in {found.seconds:g} s."
    yield Section("method", "How it was measured", (*METHOD, covered, drawn))


def shown_levels(found: Evaluation) -> tuple[LevelName, ...]:
    """Return the levels that differ: a picture of one face is frame, track and item at once."""
    counts = found.counts
    scored = counts.real + counts.fake + counts.unlabelled
    if counts.frames == scored:
        return ("item",)
    return ("item", "frame") if counts.tracks == scored else ("item", "track", "frame")


def _metrics(found: Evaluation) -> Section:
    levels = shown_levels(found)
    results = [found.results[name] for name in levels]
    rows = [["real, fake", *(f"{one.real:,}, {one.fake:,}" for one in results)]]
    for name in results[0].metrics:
        lower = " (lower is better)" if name in LOWER_IS_BETTER else ""
        rows.append([NAMES[name] + lower, *(with_interval(one.metrics[name]) for one in results)])
    text = ["Decided at probability 0.5 of fake, without calibration."]
    if found.subject.scale == "rank":
        text = ["The scores only rank: there are no probabilities, and nothing is decided."]
    confusions = [
        f"{_LEVEL_NAMES[one.name]}: {one.confusion.tp:,} of {one.fake:,} fakes found;"
        f" {one.confusion.fp:,} of {one.real:,} reals called fake"
        for one in results if one.confusion is not None
    ]  # fmt: skip
    heads = ["metric (95 % interval)", *(_LEVEL_NAMES[name] for name in levels)]
    return Section("metrics", "How good it is", (*text, *confusions), heads, rows)


def _breakdown(one: Breakdown, found: Evaluation) -> Section:
    title = f"By {_COLUMNS.get(one.column, one.column)}"
    text = []
    if one.shared_reals:
        text.append("Fakes of each method against the real items of the data sets it occurs in.")
    for gap in one.gaps:
        text.append(
            f"Widest gap of {_RATES[gap.of]}: {share_with_interval(gap.difference)} between"
            f" {gap.highest} and {gap.lowest}; the two were chosen for it, so new data will as a"
            " rule show less."
        )
    if any(0 < count < one.least for of in one.subgroups for count in (of.real, of.fake)):
        text.append(f"* a rate over fewer than {one.least} items: not compared.")
    rates = bool(found.kinds)
    heads = ["", "real", "fake", "no score", "AUROC"]
    if rates:
        heads += ([] if one.shared_reals else ["false alarms"]) + ["missed fakes"]
    rows = [_subgroup_row(group, one, rates) for group in one.subgroups]
    numbers = (1, 2, 3)
    return Section(f"by_{one.column}", title, tuple(text), heads, rows, numbers)


def _subgroup_row(group: Subgroup, one: Breakdown, rates: bool) -> list[str]:
    def rate(of: Interval, count: int) -> str:
        return share_with_interval(of) + (" *" if 0 < count < one.least else "")

    row = [group.value, f"{group.real:,}", f"{group.fake:,}", f"{group.unscored:,}",
           with_interval(group.auroc)]  # fmt: skip
    if rates:
        alarms = [] if one.shared_reals else [rate(group.false_alarms, group.real)]
        row += [*alarms, rate(group.missed, group.fake)]
    return row


def _thresholds(kind: KindResult, found: Evaluation) -> Section:
    noun = NOUNS[kind.kind] if kind.kind else "items"
    text = [
        f"{kind.real:,} real and {kind.fake:,} fake {noun}. Expected precision is the share of"
        f" fakes among what is called manipulated where {percent(found.prevalence)} of all {noun}"
        " are fake, with as many false alarms as are promised, or as measured where these are"
        " more; where nothing is promised, with the upper end of their interval."
    ]
    deciding = next(one for one in kind.thresholds if one.decides)
    if kind.temperature is None:
        text.append(f"These scores are not calibrated for {noun}: no threshold promises anything.")
    elif deciding.promised is not None:
        promise = guarantee_words(deciding.promised, noun)
        text.append(f"Verdicts rest on the threshold marked with >: {promise}.")
        text.append(f"{GUARANTEE_LIMITS}.")
    heads = ["", "probability", "promised", "false alarms here", "fakes found here",
             "expected precision"]  # fmt: skip
    rows = [
        [
            ">" if one.decides else "",
            shown_probability(one.probability),
            _promised(one),
            share_with_interval(one.false_alarms),
            share_with_interval(one.found),
            share(one.precision),
        ]
        for one in kind.thresholds
    ]
    name = f"thresholds_{kind.kind or 'items'}"
    return Section(name, f"Thresholds for {noun}", tuple(text), heads, rows)


def _promised(one: ThresholdResult) -> str:
    if one.promised is None:
        return "nothing"
    share_of_reals = percent(one.promised.max_fpr)
    return f"\N{LESS-THAN OR EQUAL TO} {share_of_reals}, {short_guarantee(one.promised)}"


def _verdicts(kind: KindResult) -> Section:
    noun = NOUNS[kind.kind] if kind.kind else "items"
    every = ("manipulation_indicated", "inconclusive", "no_indication", "not_assessable")
    rows = []
    for label, counts in kind.verdicts.items():
        whole = max(1, sum(counts.values()))
        rows.append([label, *(f"{counts.get(v, 0):,} ({share(counts.get(v, 0) / whole)})"
                              for v in every)])  # fmt: skip
    text = tuple(f"{v.replace('_', ' ')}: {MEANING[v]}." for v in every)  # type: ignore[index]
    heads = ["", *(v.replace("_", " ") for v in every)]
    return Section(f"verdicts_{kind.kind}", f"Verdicts on {noun}", text, heads, rows)


def _calibration(found: Evaluation) -> Section:
    rows = []
    for kind in found.kinds:
        noun = NOUNS[kind.kind] if kind.kind else "items"
        for name, before in kind.before.items():
            after = "not calibrated" if kind.temperature is None else _value(kind.after[name])
            rows.append([noun, NAMES[name], _value(before), after])
    temperatures = ", ".join(
        f"{kind.temperature:.3g} for {NOUNS[kind.kind]}"
        for kind in found.kinds if kind.temperature is not None and kind.kind
    )  # fmt: skip
    text = [
        f"Scores are divided by a temperature that was fitted on other data: {temperatures}."
        if temperatures
        else "No temperature was fitted."
    ]
    text.append("All three are errors of the stated probabilities: lower is better.")
    return Section(
        "calibration", "Calibration", tuple(text), ["", "error", "before", "after"], rows
    )


def _value(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def _unscored(found: Evaluation) -> Section:
    counts = found.counts
    rows = [
        [
            _STATUS.get(status, status),
            *(f"{of.get(label, 0):,}" for label in ("real", "fake", "unlabelled")),
            "; ".join(counts.examples[status][:3]),
        ]
        for status, of in counts.unscored.items()
    ]
    text = (
        f"{counted(counts.without_score, 'item')} of {counts.items:,} could not be scored. They are"
        " in no figure above, except in the counts of verdicts."
        if rows
        else f"All {counted(counts.items, 'item')} were scored."
    )
    heads = ["why", "real", "fake", "unlabelled", "the first"]
    return Section("unscored", "What could not be scored", (text,), heads, rows, (1, 2, 3))


def _mistakes(found: Evaluation) -> Section:
    if not found.mistakes:
        judged = found.counts.real + found.counts.fake
        said = "None: every item is on its side." if judged else "Nothing could be judged."
        return Section("mistakes", "Worst mistakes", (said,))
    heads = ["item", "is", "probability", "verdict", "method or data set"]
    if found.subject.scale == "rank":
        heads[2] = "score"
    rows = [
        [one.path, ("real", "fake")[one.label], mistake_score(one),
         (one.verdict or "none").replace("_", " "), one.method or one.dataset or ""]
        for one in found.mistakes
    ]  # fmt: skip
    text = ("The reals with the highest scores, then the fakes with the lowest.",)
    return Section("mistakes", "Worst mistakes", text, heads, rows)


def mistake_score(one: Mistake) -> str:
    """Return the probability of a mistake, or its score where there is none."""
    return f"{one.score:.3g}" if one.probability is None else shown_probability(one.probability)
