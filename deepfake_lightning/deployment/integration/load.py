"""What the load says of a version: requests that failed, latency, memory, how it takes over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from deepfake_lightning.deployment.integration.plan import IntegrationPlan
from deepfake_lightning.deployment.integration.report import IntegrationCheck, Load, load_of
from deepfake_lightning.deployment.integration.traffic import Answer
from deepfake_lightning.deployment.integration.turns import Turn, measured, strays


@dataclass(frozen=True)
class Loaded:
    """What was seen under load.

    Attributes:
        answers: all of them.
        turns: of the versions.
        peak: of the server's memory, MB; None where it cannot be known.
    """

    answers: Sequence[Answer]
    turns: Sequence[Turn]
    peak: float | None


def loads_of(loaded: Loaded, versions: Sequence[str], clients: int) -> tuple[Load, ...]:
    """Return how versions answered, those that did, over their turns.

    The first turn, after the start, does not count where there are others.
    """
    found = []
    for version in versions:
        times = [
            each for turn in loaded.turns[1:] if turn.version == version
            for each in measured(loaded.answers, turn, clients)
        ]  # fmt: skip
        if times:
            found.append(load_of(version, times))
    return tuple(found)


def judge_load(
    loaded: Loaded, candidate: str, champion: str | None, plan: IntegrationPlan
) -> list[IntegrationCheck]:
    """Return the checks of the load. Pure: what was seen and the limits in, checks out."""
    takeover, answers = _judge_takeover(loaded, candidate, plan), _judge_answers(loaded, champion)
    if not takeover.passed:  # what follows would be said of the champion
        return [takeover, answers]
    checks = [answers]
    if champion is not None:
        checks.insert(0, takeover)
        checks += [_judge_back(loaded, candidate, champion, plan), _judge_strays(loaded)]
    loads = {one.version: one for one in loads_of(loaded, [candidate, champion or candidate],
                                                  plan.concurrency)}  # fmt: skip
    if candidate in loads:
        checks.append(_judge_latency(loads[candidate], plan))
        if champion in loads and plan.slower is not None:
            checks.append(_judge_slower(loads[candidate], loads[champion], plan.slower))
    return checks + _judge_memory(loaded, plan)


def _judge_takeover(loaded: Loaded, candidate: str, plan: IntegrationPlan) -> IntegrationCheck:
    turn = next((one for one in loaded.turns if one.version == candidate), None)
    limit, name = plan.takeover_seconds, "takeover"
    if turn is None:
        first = loaded.turns[0].version
        says = f"{first}, which serves now, did not answer under load"
        return IntegrationCheck(name, False, says, None, limit, "s")
    if turn.refused:
        says = f"the server refuses {candidate}: {turn.refused}"
        return IntegrationCheck(name, False, says, None, limit, "s")
    if turn.took_over is None:
        faults = [one.fault for one in loaded.answers if one.sent >= turn.began and one.fault]
        why = f": {faults[-1][:200]}" if faults else ""
        says = f"no request was answered by {candidate} within {limit:g} s{why}"
        return IntegrationCheck(name, False, says, None, limit, "s")
    seconds = turn.took_over - turn.began
    return IntegrationCheck(
        name, seconds <= limit, f"{candidate} answered {seconds:.2f} s after it was to serve",
        round(seconds, 3), limit, "s",
    )  # fmt: skip


def _judge_answers(loaded: Loaded, champion: str | None) -> IntegrationCheck:
    failed = [one for one in loaded.answers if one.status != 200]
    says = f"{len(failed)} of {len(loaded.answers):,} requests under load failed"
    changes = len(loaded.turns) - 1
    if champion is not None and changes > 0:
        says += f", while versions changed {changes} time{'s' * (changes > 1)}"
    if failed:
        fault, count = Counter(one.fault for one in failed).most_common(1)[0]
        says += f"; {count} of them: {fault[:200]}"
    good = not failed and bool(loaded.answers)
    return IntegrationCheck("answers", good, says, float(len(failed)), 0.0, "requests")


def _judge_back(
    loaded: Loaded, candidate: str, champion: str, plan: IntegrationPlan
) -> IntegrationCheck:
    """Judge the turns of versions that have served before, one of which is a rollback."""
    again = [turn for number, turn in enumerate(loaded.turns)
             if turn.version in {one.version for one in loaded.turns[:number]}]  # fmt: skip
    limit = plan.back_seconds
    lost = next((turn for turn in again if turn.took_over is None), None)
    if lost is not None or not again:
        version = lost.version if lost else champion
        why = f": {lost.refused}" if lost and lost.refused else ""
        says = f"{version} did not serve again after {candidate}{why}"
        return IntegrationCheck("back", False, says, None, limit, "s")
    slowest = max(again, key=_seconds)
    says = f"going back took {_seconds(slowest):.2f} s at most, in {len(again)} tries"
    return IntegrationCheck(
        "back", _seconds(slowest) <= limit, says, round(_seconds(slowest), 3), limit, "s"
    )


def _judge_strays(loaded: Loaded) -> IntegrationCheck:
    found = strays(loaded.answers, loaded.turns)
    says = f"{len(found)} answers came from another version after one had taken over"
    return IntegrationCheck("strays", not found, says, float(len(found)), 0.0, "answers")


def _judge_latency(load: Load, plan: IntegrationPlan) -> IntegrationCheck:
    limit = plan.p95_ms
    says = (
        f"{load.version} answers {plan.concurrency} clients in {load.p50_ms:.0f} ms (p50), "
        f"{load.p95_ms:.0f} ms (p95), {load.p99_ms:.0f} ms (p99), of {load.requests} requests"
    )
    return IntegrationCheck(
        "latency", limit is None or load.p95_ms <= limit, says, load.p95_ms, limit, "ms"
    )


def _judge_slower(candidate: Load, champion: Load, limit: float) -> IntegrationCheck:
    times = candidate.p50_ms / champion.p50_ms
    says = (
        f"{candidate.version} takes {times:.2f} times as long as {champion.version}, in the middle "
        f"({candidate.p50_ms:.0f} and {champion.p50_ms:.0f} ms)"
    )
    return IntegrationCheck("slower", times <= limit, says, round(times, 3), limit, "times")


def _judge_memory(loaded: Loaded, plan: IntegrationPlan) -> list[IntegrationCheck]:
    if loaded.peak is None:
        return []
    peak, limit = round(loaded.peak, 1), plan.memory_mb
    checks = [
        IntegrationCheck(
            "memory", limit is None or peak <= limit,
            f"the server's processes had {peak:.0f} MB at most", peak, limit, "MB",
        )
    ]  # fmt: skip
    # Once both versions are open: what the last turns add is no version's weights.
    open_ones = [turn.memory for turn in loaded.turns if turn.memory is not None]
    places = len({turn.version for turn in loaded.turns})
    if len(open_ones) > places:
        growth = round(open_ones[-1] - open_ones[places - 1], 1)
        says = f"{growth:+.0f} MB from the first half of the load to its end"
        limit = plan.growth_mb
        checks.append(
            IntegrationCheck("growth", limit is None or growth <= limit, says, growth, limit, "MB")
        )
    return checks


def _seconds(turn: Turn) -> float:
    assert turn.took_over is not None
    return turn.took_over - turn.began
