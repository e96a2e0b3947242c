"""The one file of a form (multipart/form-data), as it comes; a form has nothing else."""

from __future__ import annotations

import re

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from deepfake_lightning.serving.answers import Refusal

_SEND = "send one file: curl -F file=@face.jpg URL"


class FormFile:
    """Takes a form's bytes and gives back those of its file.

    The file is the part with a file name, or the one called ``file``. Its name is not kept. Other
    fields are refused: who sends one means something by it.

    Args:
        content_type: of the request.

    Raises:
        Refusal: the header names no boundary.
    """

    def __init__(self, content_type: str) -> None:
        boundary = parse_options_header(content_type)[1].get(b"boundary")
        if not boundary:
            raise _refusal("its header names no boundary")
        self._out = bytearray()
        self._files = 0
        self._header = self._field = self._name = b""
        self._in_file = self._ended = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": self._on_field,
                    "on_header_value": self._on_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._data,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise _refusal(str(error)) from error

    def feed(self, chunk: bytes) -> bytes:
        """Return the file's bytes in a chunk of the form.

        Raises:
            Refusal: it is no form, or holds several files or another field.
        """
        self._out.clear()
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _refusal(str(error)) from error
        return bytes(self._out)

    def end(self) -> None:
        """Check that the form came whole and held a file.

        Raises:
            Refusal: it did not.
        """
        if not self._ended:
            raise _refusal("it breaks off before its end")
        if not self._files:
            raise _refusal("no part of it is a file")

    def _begin(self) -> None:
        self._header = self._field = self._name = b""
        self._in_file = False

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]  # the parser bounds how long headers are

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _end_header(self) -> None:
        if self._field.lower() == b"content-disposition":
            options = parse_options_header(self._header)[1]
            self._name = options.get(b"name", b"")
            if b"filename" in options or self._name == b"file":
                self._files += 1
                self._in_file = True
                if self._files > 1:
                    raise _refusal("it holds more than one file")
        self._field = self._header = b""

    def _end_headers(self) -> None:
        if not self._in_file:
            name = re.sub(rb"[^ -~]", b"?", self._name)[:50].decode("ascii")
            raise _refusal(
                f"its field '{name}' is not the file",
                "send parameters in the query: curl -F file=@face.jpg 'URL?overlay=true'",
            )

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._out += data[start:end]

    def _end(self) -> None:
        self._ended = True


def _refusal(fault: str, next_step: str = _SEND) -> Refusal:
    return Refusal(400, "form", f"the form cannot be read: {fault[:200]}", next_step)
