"""What a scoring came to, in memory that does not grow with the archive."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappush, heappushpop
from itertools import count
from typing import Any

Record = dict[str, Any]


@dataclass
class Tally:
    """What a scoring came to.

    Attributes:
        statuses: items by status.
        verdicts: items by verdict; None is a score without one.
        guarantees: how many items have each.
        notes: how many items have each note.
        done_before: items of an earlier run.
        shown: how many items are kept in ``top`` and ``failures``, at most.
        failures: the first items without a score.
    """

    shown: int
    statuses: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str | None] = field(default_factory=Counter)
    guarantees: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    done_before: int = 0
    failures: list[Record] = field(default_factory=list)
    _heap: list[tuple[float, int, Record]] = field(default_factory=list)
    _number: Iterator[int] = field(default_factory=count)

    def add(self, record: Record) -> None:
        """Count an item."""
        self.statuses[record["status"]] += 1
        self.verdicts[record["verdict"]] += 1
        if record.get("guarantee"):
            self.guarantees[record["guarantee"]] += 1
        self.notes.update(_without_numbers(note) for note in record["notes"])
        if record["logit"] is None:
            if len(self.failures) < self.shown:
                self.failures.append(record)
            return
        slim = {**record, "faces": len(record["faces"])}
        entry = (record["logit"], -next(self._number), slim)
        (heappush if len(self._heap) < self.shown else heappushpop)(self._heap, entry)

    @property
    def top(self) -> list[Record]:
        """The items with the highest scores, the highest first."""
        return [record for *_, record in sorted(self._heap, key=lambda entry: entry[:2])[::-1]]

    def __len__(self) -> int:
        return sum(self.statuses.values())


def _without_numbers(note: str) -> str:
    """Return a note as the kind it is: ``3 of 16 frames`` and ``5 of 20 frames`` are one."""
    return re.sub(r"\d+", "N", note)
