"""What a stopped scoring remembers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deepfake_lightning.errors import StorageError, UsageError
from deepfake_lightning.inference.engine import FramePicture
from deepfake_lightning.inference.items import Item
from deepfake_lightning.inference.ledger import Ledger, stamp_of
from deepfake_lightning.schemas import Assessment

SETTINGS = {"detector": "abc", "device": "cpu"}
ODD_NAMES = (
    "plain.jpg",
    "Ärger-日本-🙂.jpg",
    "line\nbreak.jpg",
    "\r.jpg",
    '"\\.jpg',
    "\u2028",
    "[/b]",
)


def item(path: Path, name: str | None = None) -> Item:
    return Item(name or str(path), "image", (FramePicture(path),), (str(path),), {})


def found(item: Item, logit: float | None = 0.5) -> Assessment:
    status: Any = "ok" if logit is not None else "no_face"
    return Assessment(item.name, status, "v1", "image", logit=logit)


@contextmanager
def opened(out: Path, **settings: Any) -> Iterator[Ledger]:
    ledger = Ledger(out, {**SETTINGS, **settings})
    ledger.open()
    try:
        yield ledger
    finally:
        ledger.close()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return a table to be, in the folder of some pictures: 0.jpg to 4.jpg."""
    for number in range(5):
        (tmp_path / f"{number}.jpg").write_bytes(bytes(number + 1))
    return tmp_path / "scores.csv"


def fill(out: Path, count: int = 5) -> list[Item]:
    items = [item(out.parent / f"{number}.jpg") for number in range(count)]
    with opened(out) as ledger:
        for number, each in enumerate(items):
            ledger.write(ledger.begin(each), found(each, number / 3))
    return items


def test_an_empty_one_has_nothing(out: Path) -> None:
    with opened(out) as ledger:
        assert len(ledger) == 0
        assert not ledger.has(item(out.parent / "0.jpg"))
        assert list(ledger.records(iter([]))) == []
    with opened(out) as ledger:
        assert len(ledger) == 0


def test_it_goes_on_where_it_was(out: Path) -> None:
    items = fill(out, 3)
    last = item(out.parent / "4.jpg")
    with opened(out) as ledger:
        assert [ledger.has(each) for each in (*items, last)] == [True, True, True, False]
        ledger.write(ledger.begin(last), found(last, None))
        assert ledger.has(last)
        assert ledger.has_score(items[0]) and not ledger.has_score(last)
        order = [last, *items[::-1]]  # the order of the items, whatever was done first
        records = list(ledger.records(iter(order)))
    assert [each for each, _ in records] == order
    assert [record["logit"] for _, record in records] == [None, 2 / 3, 1 / 3, 0.0]
    with opened(out) as ledger:
        assert not ledger.has_score(last)


def test_a_torn_line_is_scored_again_and_no_other(out: Path) -> None:
    items = fill(out)
    lines = Ledger(out, SETTINGS).lines
    whole = lines.read_bytes()
    last_line = whole.splitlines(keepends=True)[-1]
    for cut in (1, 2, 30, len(last_line) - 1, len(last_line)):
        lines.write_bytes(whole[:-cut])
        with opened(out) as ledger:
            done = [ledger.has(each) for each in items]
            assert done == [True] * 4 + [cut == 1], cut  # only the line's end is missing
            ledger.write(ledger.begin(items[4]), found(items[4], 7.0))
            ledger.write(ledger.begin(items[0]), found(items[0], 8.0))
        with opened(out) as ledger:
            records = list(ledger.records(iter(items)))
        assert [record["logit"] for _, record in records] == [8.0, 1 / 3, 2 / 3, 1.0, 7.0]


def test_a_file_that_changes_while_it_is_scored_is_scored_again(out: Path) -> None:
    changed, same = (item(out.parent / f"{number}.jpg") for number in range(2))
    with opened(out) as ledger:
        for each in (changed, same):
            ledger.begin(each)
        (out.parent / "0.jpg").write_bytes(b"another picture")
        for each in (changed, same):
            ledger.write(each, found(each))
        assert [ledger.has(changed), ledger.has(same)] == [False, True]
    with opened(out) as ledger:
        assert [ledger.has(changed), ledger.has(same)] == [False, True]


@pytest.mark.parametrize("junk", [b"\0" * 40, b"[1]\n", b'{"name": "x"}\n', b"\xff\xfe\n", b"7\n"])
def test_a_line_of_something_else_is_passed_over(out: Path, junk: bytes) -> None:
    items = fill(out, 2)
    with Ledger(out, SETTINGS).lines.open("ab") as file:
        file.write(junk)
    with opened(out) as ledger:
        assert all(map(ledger.has, items))
        ledger.write(ledger.begin(items[0]), found(items[0], 9.0))
        assert [r["logit"] for _, r in ledger.records(iter(items))] == [9.0, 1 / 3]


def test_a_changed_file_is_scored_again(out: Path) -> None:
    items = fill(out)
    (out.parent / "1.jpg").write_bytes(b"other size")
    path = out.parent / "2.jpg"
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))  # of the same size, a moment later
    (out.parent / "3.jpg").unlink()
    with opened(out) as ledger:
        assert [ledger.has(each) for each in items] == [True, False, False, False, True]
        ledger.write(ledger.begin(items[3]), found(items[3], None))
        assert ledger.has(items[3])


def test_all_pictures_of_a_clip_count(out: Path) -> None:
    folder = out.parent
    clip = Item("d/clip", "video", tuple(FramePicture(folder / f"{n}.jpg") for n in range(3)),
                ("0.jpg", "1.jpg", "2.jpg"), {}, is_frames=True)  # fmt: skip
    before = stamp_of(clip)
    (folder / "1.jpg").write_bytes(bytes(9))
    assert stamp_of(clip) != before
    fewer = Item("d/clip", "video", clip.pictures[:2], clip.paths[:2], {}, is_frames=True)
    assert stamp_of(fewer) != stamp_of(clip)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names(out: Path, name: str) -> None:
    odd, other = item(out.parent / "0.jpg", name), item(out.parent / "1.jpg", "other")
    with opened(out) as ledger:
        ledger.write(ledger.begin(odd), found(odd, 1.5))
        ledger.write(ledger.begin(other), found(other, 2.5))
    with opened(out) as ledger:
        assert ledger.has(odd) and ledger.has(other)
        records = [record for _, record in ledger.records(iter([odd, other]))]
    assert [(record["name"], record["logit"]) for record in records] == [
        (name, 1.5),
        ("other", 2.5),
    ]


def test_scores_of_another_detector_are_not_mixed_in(out: Path) -> None:
    items = fill(out)
    with pytest.raises(UsageError, match="detector abc -> xyz") as caught:
        Ledger(out, {**SETTINGS, "detector": "xyz"}).open()
    assert str(out) in caught.value.what
    with pytest.raises(UsageError, match="already_cropped None -> True"):
        Ledger(out, {**SETTINGS, "already_cropped": True}).open()
    with opened(out) as ledger:
        assert all(map(ledger.has, items))


def test_scores_of_which_nothing_is_known_are_not_taken(out: Path) -> None:
    """As a process leaves them that is killed while it removes them."""
    items = fill(out)
    (Ledger(out, SETTINGS).folder / "settings.json").unlink()
    with opened(out, detector="xyz") as ledger:
        assert not any(map(ledger.has, items))


def test_removed_it_leaves_nothing(out: Path) -> None:
    fill(out)
    with opened(out) as ledger:
        ledger.remove()
    assert sorted(path.name for path in out.parent.iterdir()) == [f"{n}.jpg" for n in range(5)]


def test_a_disk_that_refuses_is_a_typed_error(out: Path) -> None:
    with pytest.raises(StorageError, match="/proc/nowhere"):
        Ledger(Path("/proc/nowhere/scores.csv"), SETTINGS).open()
    (Ledger(out, SETTINGS).lines).mkdir(parents=True)
    with pytest.raises(StorageError, match="could not be written"):
        Ledger(out, SETTINGS).open()
