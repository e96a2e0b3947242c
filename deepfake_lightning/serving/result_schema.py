"""The shape of ``/v1/predict``'s answer, as ``/openapi.json`` describes it.

Answers are made by :func:`~deepfake_lightning.serving.results.result_of`; tests hold both together.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from deepfake_lightning.schemas.assessment import Examined, Verdict
from deepfake_lightning.schemas.calibration import MediaType


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Face(_Strict):
    """A face in a frame, or a whole frame, and its score.

    Attributes:
        logit: z_fake - z_real, natural log-odds.
        score: calibrated probability of fake, 0 to 1; null without a calibration.
        track: which face of the media it is; null where faces are not followed.
        frame: of a clip; null in pictures.
        timestamp_ms: of the frame.
        box: x, y, width, height in pixels; null where no face was looked for.
        picture: null here.
    """

    logit: float
    score: float | None
    track: int | None
    frame: int | None
    timestamp_ms: int | None
    box: tuple[float, float, float, float] | None
    picture: int | None


class Track(_Strict):
    """One face followed through the media.

    Attributes:
        track: its number.
        logit: the highest mean over a window of its faces.
        faces: how many were scored.
        score: calibrated probability of fake, 0 to 1.
        verdict: on this face alone.
    """

    track: int | None
    logit: float
    faces: int
    score: float | None
    verdict: Verdict | None


class Thresholds(_Strict):
    """Where verdicts begin, on the scale of the scores.

    Attributes:
        indicated_from: manipulation is indicated from here on.
        clear_below: there is no indication below.
    """

    indicated_from: float
    clear_below: float


class Overlay(_Strict):
    """A picture with boxes and scores.

    A picture that was sent has 2,000 pixels on its long side at most, and is made smaller for that:
    boxes of ``faces`` are in pixels of the upload. Of a clip it is a sheet of frames.

    Attributes:
        media_type: of it.
        base64: its bytes.
    """

    media_type: Literal["image/jpeg"]
    base64: str


class Result(_Strict):
    """What was found out about a picture or a clip.

    Attributes:
        request_id: names the request for feedback and erasing.
        environment: that was asked; null where one version is served.
        status: ``no_face`` has no score.
        version: of the detector.
        media_type: of the upload.
        reason: why there is no score.
        notes: what else should be known of the score, and why there is no overlay of a face.
        logit: natural log-odds.
        score: calibrated probability of fake, 0 to 1.
        calibrated: whether it was calibrated for this kind of media.
        verdict: null for a score without calibration.
        guarantee: what the calibration promises.
        tracks: the faces that were followed.
        faces: each face that was scored.
        examined: how much of a clip was looked at.
        milliseconds: what it took: total, media (decode, faces), network, queue.
        bundle: SHA-256 of the detector.
        demo: trained on drawn faces: the score says nothing of real ones.
        meaning: what the verdict says.
        not_covered: what no verdict says anything of.
        thresholds: null without a calibration.
        overlay: where it was asked for; null where there is no face, or where it could not be drawn
            (in time): a note says so.
    """

    request_id: str
    environment: str | None
    schema_version: Literal[1] = Field(alias="schema")
    status: Literal["ok", "no_face"]
    version: str
    media_type: MediaType
    reason: str | None
    notes: list[str]
    logit: float | None
    score: float | None
    calibrated: bool
    verdict: Verdict | None
    guarantee: str | None
    tracks: list[Track]
    faces: list[Face]
    examined: Examined | None
    milliseconds: dict[str, float]
    bundle: str
    demo: bool
    meaning: str
    not_covered: str
    thresholds: Thresholds | None
    overlay: Overlay | None = None
