"""What was found of an item, as rows of tables."""

from __future__ import annotations

from collections.abc import Iterator

from deepfake_lightning.inference.items import Item
from deepfake_lightning.inference.tally import Record


def prediction_rows(item: Item, record: Record) -> Iterator[Record]:
    """Yield the rows of a predictions table: one a scored face, one of an item without a score."""
    shared = {
        **item.known,
        "media_type": item.media_type,
        "version": record["version"],
        "bundle": record["bundle"],
        "status": record["status"],
    }
    notes = "; ".join(record["notes"]) or None
    if not record["faces"]:
        yield {**shared, "path": item.paths[0], "reason": record["reason"]}
    for face in record["faces"]:
        box = face["box"] and ",".join(f"{round(value, 1):g}" for value in face["box"])
        yield {
            **shared,
            "path": item.paths[face["picture"] or 0],
            "track_id": face["track"],
            "frame": face["frame"],
            "timestamp_ms": face["timestamp_ms"],
            "box": box,
            "logit": face["logit"],
            "reason": notes,
        }


def item_row(item: Item, record: Record) -> Record:
    """Return the row of an items table."""
    examined = record["examined"] or {}
    return {
        "item": item.name,
        "video_id": item.known["video_id"],
        "media_type": item.media_type,
        "label": item.known.get("label"),
        **{name: record[name] for name in ("status", "verdict", "score", "logit", "version",
                                           "bundle")},
        "calibrated": int(record["calibrated"]),
        "faces": len(record["faces"]),
        "tracks": len(record["tracks"]),
        "frames_examined": examined.get("frames"),
        "seconds_examined": examined.get("seconds"),
        "seconds_in_clip": examined.get("seconds_in_clip"),
        "longest_gap": examined.get("longest_gap"),
        "reason": record["reason"] or "; ".join(record["notes"]) or None,
    }  # fmt: skip
