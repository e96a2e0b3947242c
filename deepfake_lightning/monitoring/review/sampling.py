"""Which requests are drawn for review: Poisson sampling by a hash of the request's id.

Each request is drawn or not, independent of all others, with a probability that its stratum gives
(Särndal, Swensson & Wretman 1992, Model Assisted Survey Sampling, section 3.5). The draw is a hash
of the id, so all processes agree on it without a word, and a row that is written twice is drawn
once.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

from deepfake_lightning.monitoring.log.records import LoggedRequest
from deepfake_lightning.monitoring.log.writing import Draw
from deepfake_lightning.monitoring.review.policy import ReviewPolicy

NO_FACE, UNCALIBRATED, EXPERIMENT = "no_face", "uncalibrated", "experiment"
_NO_TRAFFIC = "predict"  # the command's route
_REVIEW, _SECOND = b"review", b"second"

Chance = tuple[float, str]
"""With which probability a request is drawn, above 0, and its stratum."""


@dataclass(frozen=True)
class Chances:
    """A policy's probabilities, worked out; None where nothing is drawn.

    Attributes:
        edges: scores below which all strata but the last of them end.
        scored: of calibrated scores, one more than edges.
        uncalibrated, no_face, experiment: of the other strata.
    """

    edges: tuple[float, ...]
    scored: tuple[Chance | None, ...]
    uncalibrated: Chance | None
    no_face: Chance | None
    experiment: Chance | None

    @property
    def highest(self) -> float:
        """The highest probability of all."""
        others = (self.uncalibrated, self.no_face, self.experiment)
        return max((one[0] for one in (*self.scored, *others) if one is not None), default=0.0)

    def of(
        self, status: str, score: float | None, *, calibrated: bool, dealt: bool
    ) -> Chance | None:
        """Return the chance of a request that was answered; None where it is never drawn.

        Args:
            status: of the item, ``ok``, ``no_face`` or ``unreadable``.
            score: calibrated probability of fake, or the score as it is; None without one.
            calibrated: whether it is.
            dealt: whether an experiment or a canary deals clients to versions.
        """
        if status not in ("ok", "no_face"):
            return None
        if dealt:
            return self.experiment
        if score is None:
            return self.no_face
        return self.scored[bisect_right(self.edges, score)] if calibrated else self.uncalibrated

    def of_row(self, row: LoggedRequest) -> Chance | None:
        """Return the chance of a request; None where it is never drawn."""
        if not 200 <= row.http_status < 300 or row.route == _NO_TRAFFIC:
            return None
        for item in row.items:
            if item.variant == "serving":
                dealt = is_dealt(row.experiment, row.environment)
                return self.of(item.status, item.score, calibrated=item.calibrated, dealt=dealt)
        return None


def chances(policy: ReviewPolicy) -> Chances:
    """Return the probabilities that a policy gives."""

    def chance(times: float, stratum: str) -> Chance | None:
        probability = min(1.0, policy.rate * times)
        return (probability, stratum) if probability > 0 else None

    named = zip(policy.strata, strata_of(policy), strict=True)
    return Chances(
        edges=tuple(one.up_to for one in policy.strata[:-1]),
        scored=tuple(chance(one.times, name) for one, name in named),
        uncalibrated=chance(policy.uncalibrated, UNCALIBRATED),
        no_face=chance(policy.no_face, NO_FACE),
        experiment=chance(policy.experiment, EXPERIMENT),
    )


def chance_of(row: LoggedRequest, policy: ReviewPolicy) -> Chance | None:
    """Return with which probability a request is drawn, and its stratum; None where it never is.

    Args:
        row: the request, with what the version that answered found out.
        policy: how requests are drawn.
    """
    return chances(policy).of_row(row)


def is_dealt(experiment: str | None, environment: str | None) -> bool:
    """Return whether an experiment chose the version; outside of one the environment's name is."""
    return experiment is not None and experiment != environment


def strata_of(policy: ReviewPolicy) -> tuple[str, ...]:
    """Return the names of the strata of calibrated scores: ``0-0.1``, ``0.1-0.3``, ..."""
    edges = (0.0, *(one.up_to for one in policy.strata))
    return tuple(f"{low:g}-{high:g}" for low, high in pairwise(edges))


def drawn(request_id: str, probability: float) -> bool:
    """Return whether a request is drawn: a larger probability draws the same ones and more.

    Example:
        >>> drawn("018bcfe5687b7c0ba10cfc265c57643e", 1.0)
        True
    """
    return place_of(request_id, _REVIEW) < probability


def wants_second(request_id: str, share: float) -> bool:
    """Return whether a drawn request is one that a second person is asked about, too.

    Independent of the draw, so that those are a random share of what was drawn.
    """
    return place_of(request_id, _SECOND) < share


def place_of(request_id: str, purpose: bytes) -> float:
    """Return a number of an id, 0 up to 1: uniform, and always the same; others for each purpose.

    Args:
        request_id: of a request.
        purpose: 16 bytes at most; BLAKE2b (RFC 7693) is personalised with it.
    """
    digest = hashlib.blake2b(request_id.encode(), digest_size=8, person=purpose).digest()
    return (int.from_bytes(digest) >> 11) / 2**53  # exact in a float, and never 1


def drawing(policy: ReviewPolicy) -> Draw:
    """Return what the log asks of each request that it writes."""
    known = chances(policy)
    highest = known.highest

    def draw(row: LoggedRequest) -> Chance | None:
        place = place_of(row.id, _REVIEW)
        if place >= highest:  # most of them: nothing else needs to be looked at
            return None
        found = known.of_row(row)
        return found if found is not None and place < found[0] else None

    return draw
