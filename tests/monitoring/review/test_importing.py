"""Labels from files: all or none, and none twice."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from deepfake_lightning.errors import DataError, UsageError
from deepfake_lightning.monitoring.review import labels_file
from deepfake_lightning.monitoring.review.importing import import_labels
from deepfake_lightning.monitoring.review.labels_file import read_labels

NOON = 1_700_049_600_000_000
NOW = NOON + 3600_000_000
TIME = "2023-11-15T12:30:00Z"


def written(path, rows):
    if path.suffix == ".csv":
        names = list(dict.fromkeys(name for row in rows for name in row))
        lines = [",".join(names)]
        lines += [",".join(str(row.get(name, "")) for name in names) for row in rows]
        path.write_text("\n".join(lines) + "\n")
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def taken(log, path, *, source="import", now_us=NOW, **more):
    read = read_labels(path)
    assert not read.faults
    return import_labels(log, read.rows, source=source, now_us=now_us, **more)


def test_the_same_file_twice_adds_nothing(log, fill, tmp_path):
    check_twice(log, fill, tmp_path / "labels.csv")


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_other_kinds_of_files_say_the_same(quick, fill, tmp_path, suffix):
    check_twice(quick, fill, tmp_path / f"labels{suffix}")


def check_twice(log, fill, path):
    names = fill(log, 3)
    rows = [
        {
            "request_id": names[0],
            "label": "fake",
            "by": "ada",
            "note": "found",
            "time": TIME,
        },
        {"request_id": names[1], "label": "cannot tell", "by": "ada", "note": "", "time": ""},
        {"request_id": names[1], "label": "0", "by": "grace", "note": "", "time": ""},
    ]
    written(path, rows)
    first = taken(log, path)
    assert (first.added, first.known, first.written) == (3, 0, True)
    second = taken(log, path, now_us=NOW + 1)
    assert (second.added, second.known) == (0, 3)
    (label,) = log.labels(names[0])
    assert (label.label, label.by, label.note, label.source) == (1, "ada", "found", "import")
    assert label.ts_us == NOON + 1800_000_000
    assert [(one.label, one.by, one.ts_us) for one in log.labels(names[1])] == [
        (-1, "ada", NOW), (0, "grace", NOW)]  # fmt: skip


def test_who_changes_their_mind_and_back_is_heard_each_time(quick, fill, tmp_path):
    name = fill(quick, 1)[0]
    for number, label in enumerate(["fake", "real", "fake"]):
        path = written(tmp_path / "labels.csv", [{"request_id": name, "label": label, "by": "ada"}])
        assert taken(quick, path, now_us=NOW + number).added == 1
    assert [one.label for one in quick.labels(name)] == [1, 0, 1]


def test_one_unknown_request_keeps_all_out_unless_it_may_be_passed_over(quick, fill, tmp_path):
    name = fill(quick, 1)[0]
    rows = [{"request_id": one, "label": "fake", "by": "ada"} for one in (name, "lost")]
    path = written(tmp_path / "labels.csv", rows)
    refused = taken(quick, path)
    assert (refused.unknown, refused.written) == (("lost",), False)
    assert not quick.labels(name)
    passed = taken(quick, path, pass_over=True)
    assert (passed.added, passed.unknown, passed.written) == (1, ("lost",), True)


def test_reviews_are_of_requests_that_were_drawn(quick, fill, tmp_path):
    drawn, picked = fill(quick, 1)[0], fill(quick, 1, rate=0)[0]
    rows = [{"request_id": one, "label": "fake", "by": "ada"} for one in (drawn, picked)]
    path = written(tmp_path / "labels.csv", rows)
    assert taken(quick, path, source="review").undrawn == (picked,)
    assert not quick.labels(drawn)
    assert taken(quick, path).added == 2


def test_what_cannot_be_true_is_said_by_line(quick, fill, tmp_path):
    name = fill(quick, 1)[0]
    row = {"request_id": name, "label": "fake", "by": "ada"}
    early, late = "2023-11-15T11:00:00Z", "2033-11-15T11:00:00Z"
    rows = [{**row, "time": early}, {**row, "time": late}, {**row, "time": ""}, {**row, "time": ""}]
    found = taken(quick, written(tmp_path / "labels.csv", rows))
    assert [place for place, _ in found.faults] == [2, 3, 5]
    assert "before the request" in found.faults[0][1]
    assert "line 4 already" in found.faults[2][1]
    assert not quick.labels(name)


def test_each_faulty_line_is_named(tmp_path):
    rows = [
        {"request_id": "a", "label": "Fake", "by": "ada"},
        {"request_id": "", "label": "fake", "by": "ada"},
        {"request_id": "b", "label": "forged", "by": "ada"},
        {"request_id": "c", "label": "real", "by": ""},
        {"request_id": "d", "label": "real", "by": "ada", "time": "yesterday"},
        {"request_id": "e", "label": "real", "by": "ada", "time": "2026-01-31T09:00:00"},
        {"request_id": "f", "label": "", "by": "ada"},
    ]
    read = read_labels(written(tmp_path / "labels.csv", rows))
    assert [(one.place, one.request_id, one.label) for one in read.rows] == [(2, "a", 1)]
    assert [place for place, _ in read.faults] == [3, 4, 5, 6, 7]
    assert "has no zone" in read.faults[-1][1]
    assert read.empty == 1
    assert len(read_labels(tmp_path / "labels.csv", by="grace").rows) == 2


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [("labels.txt", b"", "no file of labels"),
     ("labels.csv", b"request_id,by\n", "no column 'label'"),
     ("labels.csv", b"request_id,label,who\n", "a column 'who'"),
     ("labels.csv", b"", "no column"),
     ("labels.csv", b"request_id,label\n\xff\xfe,1\n", "cannot be read"),
     ("labels.csv", b'request_id,label\n"a,1\n', "cannot be read"),
     ("labels.parquet", b"PAR1", "cannot be read"),
     ("missing.csv", None, "cannot be read")],
)  # fmt: skip
def test_files_that_cannot_be_read_are_said(tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises((UsageError, DataError)) as caught:
        read_labels(tmp_path / name)
    assert said in caught.value.what


def test_lines_of_json_that_are_none_are_named(tmp_path):
    path = tmp_path / "labels.jsonl"
    path.write_text('{"request_id": "a", "label": 1, "by": "ada"}\n{\n[1]\n\n{"lable": 1}\n')
    read = read_labels(path)
    assert [(one.request_id, one.label) for one in read.rows] == [("a", 1)]
    assert [place for place, _ in read.faults] == [2, 3, 5]


def test_too_many_rows_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(labels_file, "MOST_ROWS", 2)
    rows = [{"request_id": str(number), "label": 1, "by": "ada"} for number in range(3)]
    assert len(read_labels(written(tmp_path / "labels.csv", rows[:2])).rows) == 2
    with pytest.raises(UsageError, match="more than 2 rows"):
        read_labels(written(tmp_path / "labels.csv", rows))


def test_a_column_of_floats_with_empty_cells_is_read(tmp_path):
    """pandas writes labels so where one is missing."""
    table = pa.table({"request_id": ["a", "b"], "label": [1.0, None], "by": ["ada", "ada"]})
    pq.write_table(table, tmp_path / "labels.parquet")
    read = read_labels(tmp_path / "labels.parquet")
    assert ([one.label for one in read.rows], read.empty) == ([1], 1)
