"""The list of files that stands for a folder."""

from __future__ import annotations

import json

import pytest

from deepfake_lightning.errors import DataError
from deepfake_lightning.object_storage.file_list import FileList, Item, parse

HASH = "ab" * 32


def test_a_list_comes_back_as_it_was():
    files = FileList.of("data", "", [Item("b ü/2 .jpg", 7, HASH), Item("a.jpg", 0, "cd" * 32)])
    again = parse(files.data, "here", "data")
    assert again == files
    assert (again.bytes, again.digest) == (7, files.digest)
    assert again.items[1].object_name == f"objects/ab/{HASH}"


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd", "../up.jpg", "a/../../b", "a//b", "./a", "a/.", "", "a\\b", "a\nb", "a\0b",
     "x" * 256, "x/" * 600 + "y", "C:\\x"],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_is_refused(name):
    head = json.dumps({"schema": 1, "kind": "data", "name": "", "files": 1, "bytes": 1})
    with pytest.raises(DataError):
        parse(f"{head}\n{HASH} 1 {name}\n".encode(), "there", "data")
    with pytest.raises(DataError, match="cannot be a file's below a folder"):
        FileList.of("data", "", [Item(name, 1, HASH)])


def test_names_that_cannot_be_together_are_refused():
    with pytest.raises(DataError, match="'a' is a file and a folder"):
        FileList.of("data", "", [Item("a", 1, HASH), Item("a/b/c", 1, HASH)])
    with pytest.raises(DataError, match="comes twice"):
        FileList.of("data", "", [Item("a", 1, HASH), Item("a", 2, HASH)])


def test_what_is_no_whole_list_is_refused():
    data = FileList.of("data", "", [Item("a", 1, HASH), Item("b", 2, HASH)]).data
    last = data.rindex(b"\n", 0, -1) + 1
    for broken in (b"", b"\xff\xfe", b"[]", b"{}\n", data[:-1], data[:last], data[last:],
                   data.replace(b" 2 b", b" -2 b"), data.replace(b" 2 b", b" 3 b"),
                   data.replace(b"ab", b"zz", 1)):  # fmt: skip
        with pytest.raises(DataError):
            parse(broken, "there", "data")
    with pytest.raises(DataError, match="lists a data, and not a version"):
        parse(data, "there", "version")
    with pytest.raises(DataError, match="upgrade"):
        parse(data.replace(b'"schema": 1', b'"schema": 2'), "there", "data")
