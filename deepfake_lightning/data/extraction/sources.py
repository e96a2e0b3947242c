"""What is to be extracted: files, folders and manifests as one list of sources."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from deepfake_lightning.data.layouts import recognise
from deepfake_lightning.data.layouts.class_folders import is_media, media_below, refuse_odd_name
from deepfake_lightning.data.layouts.unlabelled import unlabelled
from deepfake_lightning.errors import DataError, LayoutError, UsageError
from deepfake_lightning.media import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from deepfake_lightning.schemas import LABELS, Manifest, Sampling

log = logging.getLogger(__name__)

KEPT = ("label", "video_id", "group_id", "target_id", "source_id", "method", "dataset",
        "compression", "split", "licence")  # fmt: skip
"""The columns of a manifest that hold for every picture taken from a source."""


@dataclass(frozen=True)
class Source:
    """A video or photograph.

    Attributes:
        key: its data set and path, which also names the folder of its pictures.
        file: where it is.
        fields: what is known of it: the columns of :data:`KEPT`, ``frame`` of a picture that is a
            frame of a clip, and ``media_type``.
        policy: how the splits of its manifest were made.
    """

    key: str
    file: Path
    fields: dict[str, Any]
    policy: str = "none"


def list_sources(
    inputs: Sequence[Path], *, label: str | None = None, group_pattern: str | None = None
) -> list[Source]:
    """Return the media of files, folders and manifests, in the order of their keys.

    A folder or table is read as training reads it; a folder of no known layout, and a single
    file, give media without a label. A label is never guessed.

    Args:
        inputs: videos, pictures, manifests or index files, and folders of any of them.
        label: ``real`` or ``fake``, of everything that comes without a label.
        group_pattern: as :func:`~deepfake_lightning.data.layouts.read_media` takes it.

    Raises:
        LayoutError: nothing is there, or no media are in it.
        UsageError: media have another label than ``label``, two data sets share a name, or the
            pictures are extracted already.
    """
    sources: dict[Path, Source] = {}
    for path in inputs:
        for source in _sources_of(path, group_pattern):
            known = sources.setdefault(source.file.resolve(), source)
            if known.key != source.key:
                sources[source.file.resolve()] = _better_known(known, source)
    found = [_labelled(source, label) for source in sources.values()]
    keys = Counter(source.key for source in found)
    shared, times = keys.most_common(1)[0]
    if times > 1:
        raise UsageError(
            f"{times} of the files given are called {shared}",
            why="the folder of a data set names its people, and these would be taken for the same",
            next_step="rename one of the folders, or extract each to a place of its own",
        )
    return sorted(found, key=lambda source: source.key)


def _sources_of(path: Path, group_pattern: str | None) -> list[Source]:
    if not path.exists():
        raise LayoutError(f"{path} does not exist", next_step="check the path")
    if is_media(path):
        refuse_odd_name(path)
        return _from_manifest(unlabelled(path.parent, [path]))
    if path.is_file() and path.suffix.lower() not in (".csv", ".parquet"):
        raise LayoutError(
            f"{path} is neither a video, a picture nor a manifest",
            next_step=f"use {', '.join(sorted(VIDEO_SUFFIXES | IMAGE_SUFFIXES))}, .csv, .parquet",
        )
    manifest = recognise(path, group_pattern=group_pattern)
    if manifest is None:
        media = media_below(path)
        if not media:
            raise LayoutError(
                f"{path} holds no videos and no pictures", next_step="name another folder or file"
            )
        manifest = unlabelled(path, media)
    if manifest.extraction is not None:
        raise UsageError(
            f"{manifest.origin} lists pictures that are extracted already",
            why="a crop that is cropped again loses a part of the face",
            next_step=f"train on them: deepfake-lightning fit --data.root {path}",
        )
    return _from_manifest(manifest)


def _from_manifest(manifest: Manifest) -> list[Source]:
    rows = manifest.rows
    names = rows["dataset"].unique()
    odd = [name for name in names if "/" in name or "\\" in name or name in ("", ".", "..")]
    if odd:
        raise DataError(
            f"{manifest.origin}: the data set {odd[0]!r} cannot name a folder",
            next_step="give it a name without slashes",
        )
    columns = [name for name in (*KEPT, "frame", "media_type") if name in rows]
    # None, and not pandas' NA: the fields travel to other processes and into JSON.
    plain = rows[columns].astype(object).where(rows[columns].notna(), None)
    return [
        Source(f"{fields['dataset']}/{path}", manifest.root / path, fields, manifest.policy)
        for path, fields in zip(rows["path"], plain.to_dict("records"), strict=True)
    ]


def _better_known(one: Source, other: Source) -> Source:
    """Return that of two names of one file which has a label.

    Raises:
        UsageError: they have two labels.
    """
    labels = one.fields.get("label"), other.fields.get("label")
    if None not in labels and labels[0] != labels[1]:
        raise UsageError(
            f"{one.file} and {other.file} are one file with two labels",
            why="a clip is real or fake, and a wrong label teaches wrong things",
            next_step="remove one of them",
        )
    log.warning("%s and %s are one file: it is taken once", one.file, other.file)
    return other if labels[0] is None else one


def _labelled(source: Source, label: str | None) -> Source:
    if label is None:
        return source
    if label not in LABELS:
        raise UsageError(f"label is {label!r}", next_step=f"use {' or '.join(LABELS)}")
    own = source.fields.get("label")
    if own is not None and own != LABELS[label]:
        raise UsageError(
            f"{source.file} is labelled otherwise than --label {label}",
            next_step="leave --label out, or move the file",
        )
    return replace(source, fields={**source.fields, "label": LABELS[label]})


def share(sources: Sequence[Source], shard: str) -> list[Source]:
    """Return part ``i/n`` of the sources (``1/1``: all), every n-th from the i-th.

    Raises:
        UsageError: it is not of the form ``i/n`` with 1 <= i <= n.
    """
    first, slash, count = shard.partition("/")
    if not (slash and first.isdecimal() and count.isdecimal() and 1 <= int(first) <= int(count)):
        raise UsageError(f"shard is {shard!r}", next_step="write it as 3/16: the third of sixteen")
    return list(sources[int(first) - 1 :: int(count)])


def balanced(sources: Sequence[Source], sampling: Sampling) -> dict[int, Sampling]:
    """Return the sampling of each label that gives both classes about as many frames.

    The class with fewer clips keeps the number asked for; the other gives fewer of each clip.

    Raises:
        UsageError: the sampling is not a number of frames, or one class has no videos.
    """
    if sampling.kind != "even" or sampling.amount is None:
        raise UsageError(
            f"balance needs a number of frames for each clip, and sampling is {sampling}",
            next_step="use --sampling even:16, or leave --balance out",
        )
    labels = [s.fields["label"] for s in sources if s.fields["media_type"] == "video"]
    counts = {value: labels.count(value) for value in LABELS.values()}
    if not all(counts.values()):
        raise UsageError(
            "balance needs videos of both classes, and there are "
            + " and ".join(f"{counts[value]} {name}" for name, value in LABELS.items()),
            next_step="leave --balance out, or add videos with labels",
        )
    fewest = min(counts.values())
    return {
        value: Sampling("even", max(1, round(sampling.amount * fewest / count)))
        for value, count in counts.items()
    }
