"""Bad uploads: each gets its refusal, and the next good request its right answer."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

import httpx

from deepfake_lightning.deployment.integration.report import IntegrationCheck
from deepfake_lightning.deployment.integration.traffic import PREDICT, Picture

NAME = "bad_uploads"
_TOLERANCE = 1e-3  # logit: batches of other requests round otherwise


@dataclass(frozen=True)
class BadUpload:
    """A request that has to be refused.

    Attributes:
        name: of it, for people.
        statuses: of HTTP that are right.
        method, path: of the request.
        content: its body.
        headers: of it.
        with_token: whether the client's token goes with it.
    """

    name: str
    statuses: tuple[int, ...]
    content: bytes = b""
    method: str = "POST"
    path: str = PREDICT
    headers: dict[str, str] = field(default_factory=dict)
    with_token: bool = True


def bad_uploads(good: bytes) -> list[BadUpload]:
    """Return the bad uploads.

    Args:
        good: a PNG that is cut short for one of them.
    """
    text = b"this is no picture\n"
    return [
        BadUpload("an empty body", (400,)),
        BadUpload("a picture that was cut short", (422,), good[: len(good) // 2]),
        BadUpload("a text", (415,), text),
        BadUpload("a small file that claims 30000 x 30000 pixels", (413, 422), _bomb()),
        BadUpload("a form whose file has the name ../../../etc/passwd", (415,),
                  _form("../../../etc/passwd", text), headers=_FORM),
        BadUpload("a form without a file", (400, 422), b"--edge--\r\n", headers=_FORM),
        BadUpload("a form that is none", (400, 422), text, headers=_FORM),
        BadUpload("GET instead of POST", (405,), method="GET"),
        BadUpload("DELETE instead of POST", (405,), method="DELETE"),
        BadUpload("a path that leads out", (404,), method="GET",
                  path="/static/..%2f..%2f..%2fetc/passwd"),
        BadUpload("a parameter that is not there", (400,), good, path=f"{PREDICT}?raw=1"),
        BadUpload("a good picture without a token", (401,), good, with_token=False),
    ]  # fmt: skip


def check_uploads(client: httpx.Client, good: Picture) -> IntegrationCheck:
    """Send all of them, each followed by a good request.

    Args:
        client: asks the server.
        good: a PNG that is scored.

    Raises:
        httpx.HTTPError: the server is gone.
    """
    expected = _scored(client, good)
    if isinstance(expected, str):
        return _check([f"the good picture that they are compared with {expected}"], 0)
    bad = bad_uploads(good.content)
    faults = []
    for one in bad:
        status = _status(client, one)
        if status not in one.statuses:
            right = " or ".join(map(str, one.statuses))
            faults.append(f"{one.name} gets the answer {status} instead of {right}")
        after = _scored(client, good)
        if isinstance(after, str):
            faults.append(f"after {one.name} a good picture {after}")
        elif abs(after - expected) > _TOLERANCE:
            faults.append(f"after {one.name} a good picture gets another score")
    return _check(faults, len(bad))


def _check(faults: list[str], count: int) -> IntegrationCheck:
    says = f"{count} bad uploads are refused, each with its reason, and the next request is right"
    if faults:
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        says = faults[0] + more
    return IntegrationCheck(NAME, not faults, says, float(len(faults)), 0.0, "faults")


def _status(client: httpx.Client, bad: BadUpload) -> int:
    request = client.build_request(
        bad.method, bad.path, content=bad.content or None, headers=bad.headers
    )
    if not bad.with_token:
        del request.headers["Authorization"]
    return client.send(request).status_code


def _scored(client: httpx.Client, good: Picture) -> float | str:
    """Return a good picture's logit (0 where it shows no face), or what is wrong in words."""
    answer = client.post(PREDICT, params=good.query, content=good.content)
    record = answer.json()
    if answer.status_code != 200:
        return f"gets the answer {answer.status_code}: {record.get('error', {}).get('message')}"
    return float(record["logit"] or 0.0)


_FORM = {"Content-Type": "multipart/form-data; boundary=edge"}


def _form(name: str, content: bytes) -> bytes:
    head = f'--edge\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    return head.encode() + content + b"\r\n--edge--\r\n"


def _bomb() -> bytes:
    """Return a PNG of 200 bytes or so whose head says that it has 900 million pixels."""
    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(3 * 64 * 64))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
