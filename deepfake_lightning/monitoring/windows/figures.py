"""What is read off sums over requests: rates, percentiles, shares. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from deepfake_lightning.monitoring.log.totals import QUALITY, STAGES, Totals

VERDICTS = ("manipulation_indicated", "no_indication", "inconclusive", "not_assessable")


@dataclass(frozen=True)
class Figures:
    """What requests of a time were like. Undefined is None.

    Attributes:
        requests: how many came. A shadow version is asked nothing: 0.
        items: how many pictures and clips were looked at.
        seconds: how long the time is.
        per_second: requests a second.
        error_rate: share of requests that failed by the server's fault (5xx without 503).
        refusal_rate: share that got no place or no result in time (503).
        bad_request_rate: share that the caller has to put right (4xx).
        no_face_rate: share of items without a face that could be scored.
        p50_ms, p95_ms, p99_ms, mean_ms: latency; percentiles within 5 %
            (:class:`~deepfake_lightning.monitoring.log.totals.Totals`).
        verdicts: shares of the items with a verdict, by verdict, which sum up to 1; empty without.
        decided: how many items have a verdict.
        scores: items by calibrated log-odds, between two of ``totals.SCORE_EDGES``.
        stages_ms: means, by stage: queue, media (of that: decode, faces), network.
        quality: mean and standard deviation, by feature; without those that nothing has.
    """

    requests: int
    items: int
    seconds: float
    per_second: float | None
    error_rate: float | None
    refusal_rate: float | None
    bad_request_rate: float | None
    no_face_rate: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    mean_ms: float | None
    verdicts: dict[str, float]
    decided: int
    scores: tuple[int, ...]
    stages_ms: dict[str, float | None]
    quality: dict[str, tuple[float, float]]


def figures(totals: Totals, seconds: float) -> Figures:
    """Return the figures of sums over ``seconds`` of time."""
    requests, items = totals.count("requests"), totals.count("items")
    said = {name: totals.count(name) for name in VERDICTS}
    decided = sum(said.values())
    quality = {name: totals.quality_mean_std(name) for name in QUALITY}

    def of_requests(name: str) -> float | None:
        return totals.count(name) / requests if requests else None

    return Figures(
        requests=requests,
        items=items,
        seconds=seconds,
        per_second=requests / seconds if seconds > 0 else None,
        error_rate=of_requests("status_5xx"),
        refusal_rate=of_requests("status_503"),
        bad_request_rate=of_requests("status_4xx"),
        no_face_rate=totals.count("no_face") / items if items else None,
        p50_ms=_ms(totals.latency_quantile(0.5)),
        p95_ms=_ms(totals.latency_quantile(0.95)),
        p99_ms=_ms(totals.latency_quantile(0.99)),
        mean_ms=_ms(totals.latency_mean()),
        verdicts={name: count / decided for name, count in said.items()} if decided else {},
        decided=decided,
        scores=tuple(totals.scores.tolist()),
        stages_ms={name: _ms(totals.stage_mean(name)) for name in STAGES},
        quality={name: found for name, found in quality.items() if found is not None},
    )


def _ms(microseconds: float | None) -> float | None:
    return None if microseconds is None else microseconds / 1000
