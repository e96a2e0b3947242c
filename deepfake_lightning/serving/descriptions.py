"""What ``/openapi.json`` says of bodies and answers, with an example of each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fastapi.routing import APIRoute
from pydantic import BaseModel

from deepfake_lightning.schemas.assessment import MEANING, NOT_COVERED
from deepfake_lightning.serving.access.doors import door_of
from deepfake_lightning.serving.result_schema import Result


class RefusedBecause(BaseModel):
    """Why there is no result.

    Attributes:
        code: for programs; it never changes.
        message: what is wrong.
        next: what to do about it.
    """

    code: str
    message: str
    next: str


class Refused(BaseModel):
    """An answer without a result.

    Attributes:
        error: why.
        request_id: names the request in the server's logs.
    """

    error: RefusedBecause
    request_id: str


_SCHEME = "token"
_TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "whoever runs the server gives it out; a server without tokens asks for none",
}
_ID = "6d4e5a1f0c3b4a8f9d2e7b6c5a493827"
_REFUSALS = {
    400: ("parameter", "a wrong parameter or value: overlap", "see /openapi.json"),
    401: ("token", "the token is missing or wrong", "send `Authorization: Bearer TOKEN`"),
    403: ("scope", "the token is for predict, and this needs admin", "ask for another one"),
    404: ("not_found", "there is no such request", "the answer to a request names its id"),
    408: ("slow", "the body was not sent within 30 seconds", "send it again"),
    413: ("too_large", "the body has more than the limit of 67,108,864 bytes", "send less"),
    415: ("not_media", "the body is no picture and no clip", "send a JPEG, PNG or MP4"),
    422: ("unreadable", "the upload is truncated", "send it again, or another one"),
    429: ("rate", "more than 600 requests came in a minute", "try again in 7 s"),
    501: ("metrics", "each replica counts for itself", "read the prediction log"),
    503: ("busy", "34 requests are being worked on, which is the limit", "try again in a moment"),
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the description of answers without a result."""
    return {status: _refusal(*_REFUSALS[status]) for status in statuses}


def _refusal(code: str, message: str, next_step: str) -> dict[str, Any]:
    example = {"error": {"code": code, "message": message, "next": next_step}, "request_id": _ID}
    return {
        "model": Refused,
        "description": message,
        "content": {"application/json": {"example": example}},
    }


STORAGE: dict[int | str, dict[str, Any]] = {
    503: _refusal(
        "storage", "what the server keeps cannot be read or written now", "try again in a moment"
    )
}


def _security(path: str, *, asks: bool) -> list[dict[str, list[str]]]:
    """Return what an operation asks for: a token, which may be left out where it is open."""
    token: dict[str, list[str]] = {_SCHEME: []}
    return [token] if asks and not door_of(path).is_open else [{}, token]


def corrected(document: dict[str, Any], routes: Iterable[object], *, asks: bool) -> dict[str, Any]:
    """Return a description as it is meant.

    FastAPI adds an answer to wrong parameters, which here is a 400, leaves out of examples what is
    null, and knows nothing of tokens, which are looked at before it.

    Args:
        document: as FastAPI makes it; it is changed.
        routes: that it describes.
        asks: whether the server asks for tokens.
    """
    for route in routes:
        if not isinstance(route, APIRoute) or not route.include_in_schema:
            continue
        for method in route.methods or ():
            operation = document["paths"][route.path][method.lower()]
            operation["security"] = _security(route.path, asks=asks)
            answers = operation["responses"]
            if "HTTPValidationError" in str(answers.get("422")):
                del answers["422"]
            for status, answer in route.responses.items():
                for kind, meant in answer.get("content", {}).items():
                    shown = {name: meant[name] for name in ("example", "examples") if name in meant}
                    answers[str(status)]["content"][kind].update(shown)
    document["components"]["securitySchemes"] = {_SCHEME: _TOKEN}
    for name in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(name, None)
    return document


_RESULT: dict[str, Any] = {
    "request_id": _ID,
    "environment": "production",
    "schema": 1,
    "status": "ok",
    "version": "v1.0.0",
    "media_type": "video",
    "reason": None,
    "notes": [],
    "logit": 2.31,
    "score": 0.93,
    "calibrated": True,
    "verdict": "manipulation_indicated",
    "guarantee": "of real clips drawn like those it was calibrated on, at most 1 % are called "
    "manipulated, on average over such calibrations (split conformal)",
    "tracks": [{"track": 0, "logit": 2.31, "faces": 16, "score": 0.93,
                "verdict": "manipulation_indicated"}],
    "faces": [{"logit": 2.4, "track": 0, "frame": 12, "timestamp_ms": 480,
               "box": [212.0, 96.0, 118.0, 150.0], "picture": None, "score": 0.94}],
    "examined": {"frames": 16, "frames_in_clip": 375, "seconds": 0.64, "seconds_in_clip": 15.0,
                 "longest_gap": 0.96, "timestamps_ms": [480, 1440]},
    "milliseconds": {"media": 210.4, "decode": 96.1, "faces": 113.9, "network": 322.8,
                     "queue": 1.2, "total": 534.4},
    "bundle": "9f2c0d7e41b58a63",
    "demo": False,
    "meaning": MEANING["manipulation_indicated"],
    "not_covered": NOT_COVERED,
    "thresholds": {"indicated_from": 0.87, "clear_below": 0.41},
}  # fmt: skip
_NO_FACE: dict[str, Any] = {
    **_RESULT, "status": "no_face", "media_type": "image", "reason": "no face was found",
    "logit": None, "score": None, "verdict": "not_assessable", "tracks": [], "faces": [],
    "examined": None, "meaning": MEANING["not_assessable"], "guarantee": None,
}  # fmt: skip

PREDICT_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": Result,
        "description": "the result",
        "content": {
            "application/json": {
                "examples": {
                    "a clip": {"value": _RESULT},
                    "a picture without a face": {"value": _NO_FACE},
                },
            }
        },
    },
    **refusals(400, 401, 403, 408, 413, 415, 422, 429, 503),
}
FEEDBACK_DONE: dict[int | str, dict[str, Any]] = refusals(400, 401, 403, 404, 408, 413, 429, 503)
MEDIA_BODY: dict[str, Any] = {
    "required": True,
    "description": "one picture (JPEG, PNG, WebP, BMP, TIFF) or short clip (MP4, MOV, MKV, WebM, "
    "AVI): its bytes, or a form with one file",
    "content": {
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "string", "format": "binary"}},
            }
        },
    },
}
CALLERS: dict[str, Any] = {
    "name": "X-Client-Key",
    "in": "header",
    "required": False,
    "description": "whoever has the same key is answered by the same version of an experiment; "
    "without one each request is dealt by itself. It is not kept",
    "schema": {"type": "string"},
}
