"""The file of a form."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deepfake_lightning.serving.answers import Refusal
from deepfake_lightning.serving.forms import FormFile


def form_of(data: bytes, /, **fields: str) -> tuple[str, bytes]:
    request = httpx.Request("POST", "http://x", data=fields, files={"file": ("../a.jpg", data)})
    return request.headers["content-type"], request.read()


def parsed(kind: str, body: bytes, step: int) -> bytes:
    form = FormFile(kind)
    found = b"".join(form.feed(body[at : at + step]) for at in range(0, len(body), step))
    form.end()
    return found


@given(st.binary(max_size=300), st.integers(1, 400))
def test_its_bytes_come_back_however_they_are_cut(data, step):
    kind, body = form_of(data)
    assert parsed(kind, body, step) == data


@given(st.binary(max_size=300), st.integers(1, 400))
def test_random_bytes_are_refused_and_nothing_else(data, step):
    with pytest.raises(Refusal):
        parsed("multipart/form-data; boundary=x", data, step)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_is_a_refusal_or_another_file(place, value):
    kind, body = form_of(b"hello, world" * 5)
    changed = bytearray(body)
    changed[place % len(body)] = value
    try:
        parsed(kind, bytes(changed), 50)
    except Refusal as refusal:
        assert refusal.status == 400


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        ("multipart/form-data", b"", "boundary"),
        ("multipart/form-data; boundary=x", b"--x\r\n", "breaks off"),
        ("multipart/form-data; boundary=x",
         b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n', "field 'a'"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\n1\r\n--x--\r\n", "field ''"),
        ("multipart/form-data; boundary=x", b"--x--\r\n", "cannot be read"),
        ("multipart/form-data; boundary=x",
         b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n1\r\n' * 2
         + b"--x--\r\n", "more than one"),
        ("multipart/form-data; boundary=x", b"--x\r\nA: " + b"b" * 100_000, "cannot be read"),
        ("multipart/form-data; boundary=" + "y" * 100_000, b"--x\r\n", "cannot be read"),
    ],
)  # fmt: skip
def test_what_is_no_form_of_one_file_is_named(kind, body, said):
    with pytest.raises(Refusal, match=said):
        parsed(kind, body, 1000)


@given(st.text(max_size=200).filter(lambda name: name != "file"), st.integers(1, 400))
def test_another_field_is_refused_by_its_name(name, step):
    with pytest.raises(Refusal) as caught:
        parsed(*form_of(b"hello", **{name: "true"}), step)
    refusal = caught.value
    assert (refusal.status, refusal.code) == (400, "form")
    said = refusal.message.removeprefix("the form cannot be read: its field '")
    said = said.removesuffix("' is not the file")
    assert len(said) <= 50
    assert all(" " <= letter <= "~" for letter in said)
    if name.isascii() and name.isalnum():
        assert said == name[:50]
    assert "URL?overlay=true" in refusal.next_step
