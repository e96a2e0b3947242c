"""How often a canary of a clean candidate is taken out, and how soon that of a bad one.

Traffic is drawn, not served: its errors, faces, latencies and scores vary from minute to minute, as
much for both versions, and the real judge decides after every minute, at each step of the default
policy. A candidate is bad from the first minute of a step on, by a difference in one figure::

    python scripts/bench/canary_simulation.py --canaries 1000 --requests_per_minute 100
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from common import print_json, print_table
from numpy.typing import NDArray

from deepfake_lightning.deployment.canary.judging import Judgement, Situation, judge
from deepfake_lightning.deployment.canary.minutes import Arm, Minutes
from deepfake_lightning.deployment.canary.policy import CanaryPolicy
from deepfake_lightning.monitoring.log.totals import LATENCY_EDGES, SCORE_EDGES
from deepfake_lightning.monitoring.log.writing import MINUTE_US

_HEADS = ["candidate", "done", "rolled back", "held", "minutes (median / 95 %)", "requests",
          "of the candidate"]  # fmt: skip
_LONGEST = 600  # minutes, after which a canary that neither ends nor advances is given up


@dataclass(frozen=True)
class Harm:
    """What is wrong with a candidate: what is added to a share, or what times are multiplied with.

    ``log_odds`` are added to its scores; ``from_step`` is the step in which it begins.
    """

    errors: float = 0.0
    refusals: float = 0.0
    no_face: float = 0.0
    slower: float = 1.0
    log_odds: float = 0.0
    from_step: int = 0


@dataclass(frozen=True)
class Run:
    """How a simulated canary ended."""

    verdict: str
    guard: str
    minutes: int
    requests: int
    candidate_requests: int


class Traffic:
    """Requests of minutes, whose circumstances change as an autoregressive process."""

    def __init__(self, per_minute: int, generator: np.random.Generator) -> None:
        self._per_minute, self._generator = per_minute, generator
        self._mood = generator.standard_normal(4)

    def minute(self, share: float, harm: Harm | None) -> tuple[Arm, Arm]:
        """Return what the champion and the candidate do in the next minute."""
        draw = self._generator
        self._mood = 0.9 * self._mood + np.sqrt(1 - 0.81) * draw.standard_normal(4)
        number = draw.poisson(self._per_minute * np.exp(0.3 * self._mood[0]))
        taken = draw.binomial(number, share)
        return self._arm(number - taken, Harm()), self._arm(taken, harm or Harm())

    def _arm(self, number: int, harm: Harm) -> Arm:
        draw, mood = self._generator, self._mood
        errors = draw.random(number) < 0.002 * np.exp(mood[1]) + harm.errors
        refusals = draw.random(number) < 0.001 * np.exp(mood[1]) + harm.refusals
        unseen = draw.random(number) < 0.05 * np.exp(0.5 * mood[2]) + harm.no_face
        latency = 1e5 * np.exp(0.4 * mood[0] + 0.5 * draw.standard_normal(number)) * harm.slower
        fake = draw.random(number) < 0.1 * np.exp(0.5 * mood[3])
        score = np.where(fake, 2.5, -2.5) + 1.5 * draw.standard_normal(number) + harm.log_odds
        seen = ~unseen & ~errors
        return Arm(
            *(np.array([values.sum()]) for values in (np.ones(number, np.int64), errors, refusals)),
            np.array([(~errors).sum()]),
            np.array([(unseen & ~errors).sum()]),
            _counted(np.searchsorted(LATENCY_EDGES, latency, side="right"), len(LATENCY_EDGES) + 1),
            _counted(np.clip(np.searchsorted(SCORE_EDGES, score[seen], side="right") - 1, 0, 39),
                     len(SCORE_EDGES) - 1),
        )  # fmt: skip


def _counted(buckets: NDArray[np.intp], number: int) -> NDArray[np.int64]:
    return np.bincount(buckets, minlength=number)[None].astype(np.int64)


def _joined(arms: list[Arm]) -> Arm:
    return Arm(*(np.concatenate(values) for values in zip(*(vars(a).values() for a in arms),
                                                         strict=True)))  # fmt: skip


def judged(
    traffic: Traffic, policy: CanaryPolicy, harm: Harm | None
) -> Iterator[tuple[int, int, int, Judgement]]:
    """Yield after each minute the minutes, all requests and the candidate's, and the judgement.

    Requests and minutes count from when the harm began.
    """
    step, since, begins = 0, 0, 0
    arms: tuple[list[Arm], list[Arm]] = ([], [])
    for minute in range(_LONGEST):
        bad = harm if harm is not None and step >= harm.from_step else None
        if harm is not None and bad is None:
            begins = minute + 1
        for kept, arm in zip(arms, traffic.minute(policy.steps[step], bad), strict=True):
            kept.append(arm)
        both = tuple(_joined(kept) for kept in arms)
        starts = np.arange(minute + 1) * MINUTE_US
        found = Minutes(starts, *both, last_us=int(starts[-1]))
        now = (minute + 1) * MINUTE_US
        verdict = judge(
            Situation("v1.0.0", "v1.1.0", step, 0, since * MINUTE_US, now, True, found), policy
        )
        mine = int(both[1].requests[begins:].sum())
        yield minute + 1 - begins, mine + int(both[0].requests[begins:].sum()), mine, verdict
        if verdict.verdict == "advance":
            step, since = step + 1, minute + 1


def run(per_minute: int, harm: Harm | None, seed: int) -> Run:
    """Return how a canary ends."""
    traffic = Traffic(per_minute, np.random.default_rng(seed))
    for minutes, requests, mine, found in judged(traffic, CanaryPolicy(), harm):
        if found.verdict in ("done", "roll_back"):
            broken = [one.guard for one in found.findings if one.state == "broken"]
            return Run(found.verdict, ",".join(broken), minutes, requests, mine)
    held = [one.guard for one in found.findings if one.state == "unclear"]
    return Run("hold", ",".join(held), minutes, requests, mine)


HARMS = {
    "5xx +1.5 points": Harm(errors=0.015), "5xx +5 points": Harm(errors=0.05),
    "5xx +20 points": Harm(errors=0.2), "all 5xx": Harm(errors=1.0),
    "503 +5 points": Harm(refusals=0.05),
    "no face +10 points": Harm(no_face=0.1), "no face +30 points": Harm(no_face=0.3),
    "1.5 times as slow": Harm(slower=1.5), "3 times as slow": Harm(slower=3.0),
    "scores +3 log-odds": Harm(log_odds=3.0), "scores +4 log-odds": Harm(log_odds=4.0),
    "5xx +5 points from 50 % on": Harm(errors=0.05, from_step=2),
    "all 5xx from 50 % on": Harm(errors=1.0, from_step=2),
    "3 times as slow from 50 % on": Harm(slower=3.0, from_step=2),
    "scores +4 log-odds from 50 % on": Harm(log_odds=4.0, from_step=2),
}  # fmt: skip


def main() -> None:
    """Simulate, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--canaries", type=int, default=1000, help="clean ones")
    parser.add_argument("--bad", type=int, default=100, help="of each kind")
    parser.add_argument("--requests_per_minute", type=int, default=100)
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    rows, record = [], {}
    with multiprocessing.Pool(given.processes) as pool:
        for name, harm in {"clean": None, **HARMS}.items():
            number = given.canaries if harm is None else given.bad
            one = partial(run, given.requests_per_minute, harm)
            runs = []
            for found in pool.imap(one, range(number)):
                runs.append(found)
                if len(runs) % 100 == 0:
                    bad = sum(run.verdict == "roll_back" for run in runs)
                    print(f"{name}: {bad} of {len(runs)} are out", file=sys.stderr, flush=True)
            ends = Counter(found.verdict for found in runs)
            figures = {
                field: np.percentile([getattr(found, field) for found in runs], (50, 95)).tolist()
                for field in ("minutes", "requests", "candidate_requests")
            }
            record[name] = {"ends": dict(ends), **figures,
                            "guards": dict(Counter(found.guard for found in runs))}  # fmt: skip
            row = [name, *(str(ends[end]) for end in ("done", "roll_back", "hold"))]
            rows.append([*row, *(f"{a:,.0f} / {b:,.0f}" for a, b in figures.values())])
            print(*rows[-1], sep=", ", flush=True)
    print_table([_HEADS, *rows])
    print_json("canary_simulation", record)


if __name__ == "__main__":
    main()
