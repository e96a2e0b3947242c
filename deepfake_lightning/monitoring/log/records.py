"""What is kept of a request: how it went, what was found out, and who says what it really was."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from deepfake_lightning.schemas.assessment import Assessment

Variant = Literal["serving", "shadow"]
LabelSource = Literal["feedback", "review", "import"]


@dataclass(frozen=True, slots=True)
class ItemScore:
    """What a version found out about one item of a request.

    Attributes:
        item: its place in the request; 0 where there is one picture.
        status: ``ok``, ``no_face`` or ``unreadable``.
        logit, score: natural log-odds, and calibrated probability of fake; None without a score.
        calibrated: whether the score was.
        faces, tracks: how many were scored.
        version, bundle: of the detector, and its digest (SHA-256).
        variant: ``serving`` for the version that answered, ``shadow`` for one that scored the
            same request without answering.
        verdict: None for a score without calibration.
        network_us: what the network took, microseconds.
        brightness, contrast, saturation, sharpness, noise, blockiness: mean over the faces
            (``media.quality``); None where nothing was measured.
        projection: mean features along the bundle's reference components
            (:func:`~deepfake_lightning.monitoring.log.projection.projection_of`).
    """

    item: int
    status: str
    logit: float | None
    score: float | None
    calibrated: bool
    faces: int
    tracks: int
    version: str = ""
    bundle: str = ""
    variant: Variant = "serving"
    verdict: str | None = None
    network_us: int | None = None
    brightness: float | None = None
    contrast: float | None = None
    saturation: float | None = None
    sharpness: float | None = None
    noise: float | None = None
    blockiness: float | None = None
    projection: bytes | None = None


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request, as it is kept.

    Attributes:
        id: of the request; the answer names it.
        ts_us: when it came, in microseconds since 1970, UTC; a job, which takes long: when it
            ended, so that who watches the last minutes sees it.
        version: of the detector.
        bundle: the detector's digest (SHA-256).
        route: ``/v1/predict`` or ``predict``, the command.
        http_status: of the answer; the command's are what the server would have said.
        bytes: size of what was sent.
        latency_us: from the request to its answer.
        error: a short code where there is no result, such as ``unreadable``.
        environment: that was served, ``production``; None where a version was.
        experiment: that chose the version.
        client: name of the caller's token, never the token.
        already_cropped: whether the caller said that it shows one face that has been cut out; None
            where nothing was said.
        variant: of the version that answered; None is ``serving``.
        media_type, verdict, queue_us, media_us, decode_us, faces_us, network_us, items: of the
            result; :func:`with_result` fills them in. Waiting, reading and faces (of that: reading
            and decoding; finding faces), the network; microseconds.
    """

    id: str
    ts_us: int
    version: str
    bundle: str
    route: str
    http_status: int
    bytes: int
    latency_us: int
    error: str | None = None
    media_type: str | None = None
    verdict: str | None = None
    media_us: int | None = None
    network_us: int | None = None
    items: tuple[ItemScore, ...] = ()
    environment: str | None = None
    experiment: str | None = None
    client: str | None = None
    variant: Variant | None = None
    queue_us: int | None = None
    decode_us: int | None = None
    faces_us: int | None = None
    already_cropped: bool | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """What somebody says a request really was.

    Attributes:
        request_id: of the request.
        ts_us: when it was said, in microseconds since 1970, UTC. Of several labels of a request
            all are kept, and the latest counts.
        label: 0 real, 1 fake; -1 "cannot tell", which reviewers may say, and which is no label to
            anyone but them.
        by: who says so.
        client: name of the token it came with.
        source: ``feedback``, ``review`` or ``import``.
        note: free text.
        id: the log's own; None before it is written.
    """

    request_id: str
    ts_us: int
    label: Literal[0, 1, -1]
    by: str
    client: str | None = None
    source: LabelSource = "feedback"
    note: str | None = None
    id: int | None = None


def item_score(
    assessment: Assessment, *, variant: Variant, projection: bytes | None = None
) -> ItemScore:
    """Return what is kept of an assessment: no name, no reason, no boxes.

    Args:
        assessment: of one picture or clip.
        variant: whether this version answered.
        projection: of its features, None where there are none.
    """
    network = assessment.milliseconds.get("network")
    measured: dict[str, Any] = dict(assessment.quality)
    return ItemScore(
        item=0,
        status=assessment.status,
        logit=assessment.logit,
        score=assessment.score,
        calibrated=assessment.calibrated,
        faces=len(assessment.faces),
        tracks=len(assessment.tracks),
        version=assessment.version,
        bundle=assessment.bundle,
        variant=variant,
        verdict=assessment.verdict,
        network_us=None if network is None else round(1000 * network),
        projection=projection,
        **measured,
    )


def with_result(
    request: LoggedRequest, assessment: Assessment, *, projection: bytes | None = None
) -> LoggedRequest:
    """Return a request with the result of the version that answered it."""
    took = {f"{name}_us": round(1000 * ms) for name, ms in assessment.milliseconds.items()}
    stages = ("queue_us", "media_us", "decode_us", "faces_us", "network_us")
    found: dict[str, Any] = {name: took[name] for name in stages if name in took}
    return replace(
        request,
        media_type=assessment.media_type,
        verdict=assessment.verdict,
        items=(item_score(assessment, variant="serving", projection=projection),),
        **found,
    )
