"""What is found out about one picture or clip: scores, a verdict, and what they rest on."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal

from deepfake_lightning.schemas.calibration import MediaType

Verdict = Literal["manipulation_indicated", "no_indication", "inconclusive", "not_assessable"]
Status = Literal["ok", "no_face", "unreadable"]

MEANING: dict[Verdict | None, str] = {
    "manipulation_indicated": "the picture of a face looks manipulated. A reason to look closer, "
    "and no proof",
    "no_indication": "nothing of the kinds of manipulation that were trained on is seen. That does "
    "not make it real: methods that are not known are often missed",
    "inconclusive": "the score is in between and decides nothing: ask a person",
    "not_assessable": "there is nothing to score, and so nothing is said",
    None: "the detector has not been calibrated for this kind of media: there is a score alone",
}
NOT_COVERED = "sound, scenes without faces, and manipulation outside of faces"


@dataclass(frozen=True, slots=True)
class ScoredFace:
    """A face in a frame, or a whole frame, and its score.

    Attributes:
        logit: z_fake - z_real, natural log-odds.
        track: which face of the item it is; None where faces are not followed.
        frame, timestamp_ms: where in a clip; None in pictures.
        box: x, y, width, height in pixels of the frame; None where no face was looked for.
        picture: which of several pictures of a clip it is in, from 0; None of a single file.
    """

    logit: float
    track: int | None = None
    frame: int | None = None
    timestamp_ms: int | None = None
    box: tuple[float, float, float, float] | None = None
    picture: int | None = None


@dataclass(frozen=True, slots=True)
class ScoredTrack:
    """One face followed through an item.

    Attributes:
        track: its number within the item.
        logit: the highest mean over a window of its faces.
        faces: how many were scored.
    """

    track: int | None
    logit: float
    faces: int


@dataclass(frozen=True, slots=True)
class Examined:
    """How much of a clip was looked at.

    Attributes:
        frames: frames that were looked at.
        frames_in_clip: frames there are.
        seconds: how long these frames are shown, together.
        seconds_in_clip: duration of the clip.
        longest_gap: seconds between frames that were looked at, at most: a shorter manipulation
            can lie in between.
        timestamps_ms: when each of these frames is shown, milliseconds.
    """

    frames: int
    frames_in_clip: int
    seconds: float
    seconds_in_clip: float
    longest_gap: float
    timestamps_ms: tuple[int, ...] = ()


@dataclass(frozen=True)
class Assessment:
    """The result for one picture or clip.

    Attributes:
        name: its path, or what else it is called.
        status: ``ok``, ``no_face`` or ``unreadable``.
        media_type: None where it could not be told.
        reason: why there is no score; None where there is one.
        notes: what else should be known of the score (damaged frames, for one).
        logit: the item's, natural log-odds; None without a score.
        score: probability of fake, 0 to 1: the sigmoid of the logit over the temperature.
        calibrated: whether the detector was calibrated for this kind of media.
        verdict: None where there is a score and no calibration.
        guarantee: what the calibration promises of verdicts, and what not; None where it promises
            nothing.
        tracks, faces: what the item's score is made of.
        examined: of a clip.
        quality: mean of each image-quality feature over the faces (``media.quality``).
        milliseconds: ``total``, of which ``network``, and ``media`` for all else; of that
            ``decode`` (reading and decoding) and ``faces`` (finding and cutting them out). A
            server adds ``queue``: waiting.
        version: of the detector.
        bundle: SHA-256 that tells the detector from all others: its bundle's digest, or the
            checkpoint's.
        demo: the detector was trained on drawn faces; its score says nothing of real ones.
    """

    name: str
    status: Status
    version: str
    media_type: MediaType | None = None
    reason: str | None = None
    notes: tuple[str, ...] = ()
    logit: float | None = None
    score: float | None = None
    calibrated: bool = False
    verdict: Verdict | None = None
    guarantee: str | None = None
    tracks: tuple[ScoredTrack, ...] = ()
    faces: tuple[ScoredFace, ...] = ()
    examined: Examined | None = None
    quality: dict[str, float] = field(default_factory=dict)
    milliseconds: dict[str, float] = field(default_factory=dict)
    bundle: str = ""
    demo: bool = False

    @property
    def meaning(self) -> str:
        """What the verdict says, in a sentence."""
        return MEANING[self.verdict]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON types, with what the verdict means and does not cover."""
        return {
            "schema": 1,
            **plain(self),
            "tracks": tuple(map(plain, self.tracks)),
            "faces": tuple(map(plain, self.faces)),
            "examined": None if self.examined is None else plain(self.examined),
            "quality": dict(self.quality),
            "milliseconds": dict(self.milliseconds),
            "meaning": self.meaning,
            "not_covered": NOT_COVERED,
        }


def plain(record: ScoredFace | ScoredTrack | Examined | Assessment) -> dict[str, Any]:
    """Return a record's fields, as they are.

    ``dataclasses.asdict`` copies deeply, which takes a server longer than anything else that it
    does for a picture but scoring it.
    """
    return {each.name: getattr(record, each.name) for each in fields(record)}
