"""New labelled media, as they are kept: what each is, and why others are none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from deepfake_lightning.retraining.labelled import Labelled
from deepfake_lightning.retraining.policy import Kind

REQUESTS = "requests"
"""What the data set of media from requests is called."""
ITEM = "retrain/"
"""What the name of an item begins with in a manifest; its key follows."""

_LABELS = ("real", "fake")


@dataclass(frozen=True)
class NewItem:
    """A labelled picture or clip.

    Attributes:
        key: the request's id, or ``file-`` and half of the SHA-256 of a file's path.
        label: 0 real, 1 fake.
        kind: see :data:`~deepfake_lightning.retraining.policy.Kind`.
        media_type: ``image`` or ``video``.
        ts_us: when it came, microseconds since 1970, UTC.
        media: the file; in a record, its name in the loop's folder of media.
        request: whether it is of a request, which may be erased.
        already_cropped: whether who sent it said that it shows one face that has been cut out;
            None where nothing was said.
        fields: columns of the manifest that say more of it.
    """

    key: str
    label: int
    kind: Kind
    media_type: str
    ts_us: int
    media: str
    request: bool
    already_cropped: bool | None = None
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class NewItems:
    """What there is to train on.

    Attributes:
        items: those to be taken, as the policy orders them.
        left_out: why others are not -> how many.
        labelled: the labels of requests; None without a log.
        corrected: requests that are trained on with another label than they have now -> the label;
            None where none counts any more.
    """

    items: tuple[NewItem, ...]
    left_out: Mapping[str, int]
    labelled: Labelled | None
    corrected: Mapping[str, int | None] = field(default_factory=dict)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return how many items there are of each kind and label."""
        found: dict[str, dict[str, int]] = {}
        for one in self.items:
            of_kind = found.setdefault(one.kind, dict.fromkeys(_LABELS, 0))
            of_kind[_LABELS[one.label]] += 1
        return found

    def new_labels(self, since_us: int) -> tuple[int, int]:
        """Return how many requests, real and fake, that can train were labelled after a moment."""
        there = {one.key for one in self.items if one.request}
        said = () if self.labelled is None else self.labelled.requests
        new = [one.label for one in said if one.label_us > since_us and one.request_id in there]
        return new.count(0), new.count(1)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        clients = () if self.labelled is None else self.labelled.clients
        return {
            "items": [asdict(one) for one in self.items],
            "counts": self.counts(),
            "left_out": dict(self.left_out),
            "corrected": dict(self.corrected),
            "clients": [{**asdict(one), "held": one.held} for one in clients],
        }


def items_of(record: Mapping[str, Any]) -> list[NewItem]:
    """Return the items that :meth:`NewItems.to_dict` gave, also after a way through JSON."""
    return [NewItem(**one) for one in record["items"]]
