"""The moving features of a drawn face: eyes, mouth, and the glasses over the eyes."""

from __future__ import annotations

import numpy as np

from deepfake_lightning.data.demo.canvas import (
    CANVAS,
    EYE_LEVEL,
    MOUTH_LEVEL,
    UNIT,
    bump,
    canvas_grid,
    coverage,
    paint,
)
from deepfake_lightning.data.demo.identity import Colour, FloatArray, Identity

_U, _V = canvas_grid()


def _window(centre: tuple[float, float], half: tuple[float, float]) -> tuple[slice, slice]:
    rows = slice(
        int((centre[1] - half[1]) * UNIT + CANVAS / 2),
        int((centre[1] + half[1]) * UNIT + CANVAS / 2),
    )
    columns = slice(
        int((centre[0] - half[0]) * UNIT + CANVAS / 2),
        int((centre[0] + half[0]) * UNIT + CANVAS / 2),
    )
    return rows, columns


def _dim(colour: Colour, by: float) -> Colour:
    return colour[0] * by, colour[1] * by, colour[2] * by


def draw_eye(albedo: FloatArray, who: Identity, side: float, lids: float) -> None:
    """Draw one eye on the canvas, in place.

    Args:
        albedo: (CANVAS, CANVAS, 3) float32 in [0, 1].
        who: whose eye.
        side: -1 for the eye on the left of the picture, 1 for the other.
        lids: how far the eye is open, 0 to 1.
    """
    centre = (side * who.eye_gap, EYE_LEVEL)
    at = _window(centre, (who.eye_width * 1.7, 0.22))
    u, v, view = _U[at] - np.float32(centre[0]), _V[at] - np.float32(centre[1]), albedo[at]
    x = u / who.eye_width
    arch = np.clip(1.0 - x * x, -1.5, 1.0)
    tilt = -0.012 * side * x
    lower = 0.75 * who.eye_height * arch + tilt
    upper = lower - (1.75 * who.eye_height * arch) * lids
    crease = np.abs(v - (-1.5 * who.eye_height * arch - 0.012)) - 0.007
    paint(view, 0.45 * coverage(crease, 3.0) * (np.abs(x) < 1), _dim(who.skin, 0.55))
    opening = coverage(np.maximum(upper - v, v - lower), 1.5) * (np.abs(x) < 1)
    white = np.float32(0.90) - np.float32(0.25) * bump(u, v, (0.0, -who.eye_height), 0.2, 0.05)
    paint(view, opening, np.repeat(white[..., None], 3, axis=2))
    radius = np.sqrt(u * u + (v + 0.012) ** 2)
    for reach, colour in ((0.082, _dim(who.iris, 0.5)), (0.072, who.iris), (0.034, (0.04,) * 3)):
        paint(view, opening * coverage(radius - np.float32(reach), 1.5), colour)
    glint = np.sqrt((u - 0.025) ** 2 + (v + 0.04) ** 2) - np.float32(0.018)
    paint(view, opening * coverage(glint, 1.5), (0.97, 0.97, 0.97))
    lash = np.maximum(np.abs(v - upper + 0.006) - 0.015, 0.2 * (np.abs(x) - 1.03))
    paint(view, 0.9 * coverage(lash, 2.0), (0.09, 0.06, 0.05))
    lower_lash = np.maximum(np.abs(v - lower) - 0.005, 0.2 * (np.abs(x) - 0.95))
    paint(view, 0.4 * coverage(lower_lash, 2.0), _dim(who.skin, 0.4))


def draw_mouth(albedo: FloatArray, who: Identity, opening: float) -> None:
    """Draw the mouth on the canvas (CANVAS, CANVAS, 3) in place, open from 0 to 1."""
    at = _window((0.0, MOUTH_LEVEL), (who.mouth * 1.4, 0.32))
    u, v, view = _U[at], _V[at] - np.float32(MOUTH_LEVEL), albedo[at]
    x = u / who.mouth
    arch = np.clip(1.0 - np.abs(x) ** 2.2, -1.0, 1.0)
    gap = np.float32(0.11 * opening) * arch
    line = -0.03 * x * x + 0.012  # the corners lie a little higher: a calm smile
    bow = np.float32(0.02) * np.exp(-((u / 0.045) ** 2))
    top = line - gap * 0.35 - who.lip_height * arch + bow
    bottom = line + gap + 1.25 * who.lip_height * arch
    paint(view, coverage(np.maximum(top - v, v - bottom), 2.0) * (np.abs(x) < 1), who.lip)
    shine = bump(u, v, (0.0, 0.02 + 0.11 * opening + who.lip_height * 0.7), 0.10, 0.014)
    paint(view, 0.25 * shine, (1.0, 0.95, 0.93))
    inner = np.maximum(line - gap * 0.35 - v - 0.006, v - line - gap - 0.006)
    inside = coverage(np.maximum(inner, 0.2 * (np.abs(x) - 1.0)), 2.0)
    paint(view, inside, (0.24, 0.08, 0.08))
    teeth = coverage(np.maximum(inner, v - line - 0.02), 2.0) * inside
    paint(view, np.float32(0.85 * min(1.0, 3 * opening)) * teeth, (0.92, 0.90, 0.86))


def draw_glasses(albedo: FloatArray, who: Identity) -> None:
    """Draw the rims, bridge and arms of glasses on the canvas (CANVAS, CANVAS, 3) in place."""
    at = _window((0.0, EYE_LEVEL), (who.width, 0.30))
    u, v, view = _U[at], _V[at] - np.float32(EYE_LEVEL), albedo[at]
    side = np.abs(u) - np.float32(who.eye_gap)
    radius = ((np.abs(side) / 0.25) ** 2.6 + (np.abs(v - 0.02) / 0.19) ** 2.6) ** (1 / 2.6)
    rim = np.abs(radius - 1.0) - 0.06
    bridge = np.maximum(np.abs(v + 0.04) - 0.014, np.abs(u) - (who.eye_gap - 0.24))
    arm = np.maximum(np.abs(v + 0.06) - 0.014, who.eye_gap + 0.24 - np.abs(u))
    for part in (rim, bridge, arm):
        paint(view, 0.92 * coverage(np.asarray(part, dtype=np.float32), 2.0), (0.10, 0.09, 0.10))
